# A client that keeps its side of the connection open does not keep an old worker for longer than sse_drain and two seconds. A client
# that still receives something is not cut off by that.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Client::Window;
use SSE::Nginx;

my $megabytes = 4;
my $server = SSE::Nginx->new(
    listen    => [qw(h1 unchunked tls h2c h2)],
    drain     => '1s',
    subscribe => 'sse_start earliest;',
    servers   => 'lingering_timeout 30s;', # without the module, nginx waits this long
    locations => <<'END',
location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /json { sse_publish $arg_channel; sse_framing json; }
        location = /big { alias big; http2_chunk_size 64k; }
END
);
$server->write_file(big => 'x' x ($megabytes << 20));
$server->write_configuration;
$server->launch or die 'nginx does not start';

# Reloads, and calls $part repeatedly until the old worker is gone; returns the seconds that this took.
sub time_to_leave ($client, $part) {
    my @old   = $server->reload;
    my $start = time;
    wait_until(
        sub {
            $part->($client);
            sleep 0.05;
            my $child = $server->children;
            return !grep { exists $child->{$_} } @old;
        },
        'the old worker to leave',
        60
    );
    return time - $start;
}

sub leaves_in_time ($client, $part) {
    my $seconds = time_to_leave($client, $part);
    note sprintf 'the old worker left after %.1f s, with sse_drain 1s', $seconds;
    cmp_ok $seconds, '<', 6, 'the old worker leaves in time';
}

my %part = (silent => sub ($publisher) { $publisher->poll }, 'going on' => sub ($publisher) { $publisher->feed("more\n")->poll });

for my $via (qw(h1 unchunked tls)) {
    for my $how (sort keys %part) {
        subtest "a publisher over $via, $how" => sub {
            my $channel    = $via . substr $how, 0, 1;
            my $subscriber = $server->subscribe("/sub?channel=$channel")->ready;
            my $publisher  = $server->stream("/lines?channel=$channel", via => $via);
            $publisher->feed("one\ntwo\n");
            is_deeply [$subscriber->data(2)], [qw(one two)], 'it publishes';
            leaves_in_time($publisher, $part{$how});
            is $publisher->wait_closed, 'clean', 'it has an answer';
            is $publisher->status, 201, 'that its events were taken';
            is $subscriber->wait_closed, 'abort', 'the subscriber has been sent away';
            my $count = $publisher->json->{events};
            note "$count events";
            my @event = $server->subscribe("/sub?channel=$channel")->events($count);
            is scalar(@event), $count, 'and they are there, as many as it was told';
            is $event[-1]{id}, $publisher->json->{id}, 'up to the one that it was told';
            is $server->get("/pub?channel=$channel")->json->{last_id}, $event[-1]{id}, 'and no more';
            $publisher->close;
        };
    }
}

# Requests that are answered before their bodies have been read to the end.
my %refused = (
    'DELETE /sub?channel=c'     => 405,
    'OPTIONS /sub?channel=c'    => 204,
    'POST /pub?channel='        => 400,
    'POST /json?channel=c'      => 400, # at the first byte
    'DELETE /pub?channel=never' => 404,
    'GET /status'               => 200,
);
for my $request (sort keys %refused) {
    subtest "$request with half of a body" => sub {
        my $client = $server->connect->send_raw("$request HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf");
        is $client->status, $refused{$request}, 'an answer';
        leaves_in_time($client, sub ($client) { $client->write('x') });
        $client->close;
    };
}

for my $via (qw(h1 tls)) {
    subtest "a subscriber over $via with half of a body" => sub {
        my $head   = "GET /sub?channel=half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
        my $client = $server->connect($via)->send_raw("${head}half")->ready;
        leaves_in_time($client, sub ($client) { $client->write('x') });
        is $client->wait_closed, 'abort', 'its stream has been cut off';
        $client->close;
    };
}

for my $via (qw(h2c h2)) {
    my @how = (port => $server->port($via), tls => $via eq 'h2', window => 1 << 20);

    for my $how (qw(silent talking)) {
        subtest "a $how client over $via that does not close its connection" => sub {
            my $client = SSE::Client::Window->new(@how)->subscribe("/sub?channel=$via")->ready;
            leaves_in_time($client, sub ($client) { $client->receive(0); $client->ping if $how eq 'talking' });
            is $client->closed, 'abort', 'its stream has been cut off';
            $client->close;
        };
    }

    # Near the end, the kernel still holds some of it, but nginx has sent all, and only lingers.
    subtest "a slow download on the same connection, over $via" => sub {
        my $client = SSE::Client::Window->new(@how, rcvbuf => 65536)->subscribe("/sub?channel=$via")->ready;
        $client->grant($megabytes << 20)->download('/big');
        my $whole_after = 0;
        my $start       = time;
        my $seconds = time_to_leave(
            $client,
            sub ($client) {
                my $enough = $client->{downloaded} + 32_768;
                for (1 .. 10) { # poll() does nothing after the end of the stream
                    $client->receive(0) if $client->{downloaded} < $enough;
                }
                $whole_after ||= time - $start if $client->{whole};
            }
        );
        is $client->{downloaded}, $megabytes << 20, 'all of it comes';
        ok $client->{whole}, 'to its end';
        is $client->closed, 'abort', 'and the stream has been cut off';
        note sprintf 'after %.1f s, and the old worker left after %.1f s', $whole_after, $seconds;
        cmp_ok $whole_after, '>', 3, 'which takes longer than the worker would stay otherwise';
        cmp_ok $seconds - $whole_after, '<', 6, 'then the worker leaves';
        $client->close;
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
