# A leaving worker spreads the ends of its streams over sse_drain, and continues to deliver until then.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 tls h2c)], drain => '3s', workers => 2);

# Notes when each stream has ended, and returns those that are open.
my %end;
sub still_open (@client) {
    return grep { !($_->closed and $end{$_} //= time) } @client;
}

# Waits until all streams have ended; returns the times.
sub ends (@client) {
    wait_until(sub { !still_open(@client) }, 'all to end');
    return sort { $a <=> $b } @end{@client};
}

subtest 'reload' => sub {
    my @client = map { $server->subscribe('/sub?channel=c', via => $_)->ready } ('h1') x 100, ('tls') x 20, ('h2c') x 10;
    my $start  = time;
    my @old    = $server->reload;
    # The streams that are still open get what is published through the new workers.
    my $delivered = 0;
    for (1 .. 5) {
        $server->publish('/pub?channel=c', "during $_");
        my @open = still_open(@client);
        $delivered += grep { my $event = $_->next_event(0.5); $event && $event->{data} =~ /during/ } splice @open, 0, 5;
    }
    cmp_ok $delivered, '>', 0, 'the leaving workers still deliver';
    my @end = ends(@client);
    is scalar(grep { $_->closed ne 'abort' } @client), 0, 'every stream is cut off, so that its client comes back';
    is scalar(grep { $_->pending } @client), 0, 'and after a whole event';
    note sprintf 'ended between %.2f and %.2f s', $end[0] - $start, $end[-1] - $start;
    cmp_ok $end[-1] - $start, '<', 15, 'in time';
    cmp_ok $end[-1] - $end[0], '>', 1, 'not all at once';
    $server->wait_gone(@old);
    is_deeply [$server->problems], [], 'without a word of trouble';
};

subtest 'quit' => sub {
    my @client = map { $server->subscribe('/sub?channel=c', via => $_)->ready } ('h1') x 20, ('h2c') x 5;
    my $publisher = $server->stream('/pub?channel=c', type => 'application/x-ndjson');
    $publisher->feed("1\n");
    is $client[0]->next_event->{data}, 1, 'a publisher with an open body';
    $server->signal('QUIT');
    ends(@client);
    is scalar(grep { $_->closed ne 'abort' } @client), 0, 'every stream is cut off, so that its client comes back';
    $publisher->feed("2\n");
    ok $publisher->wait_closed, 'the publisher is let go, too';
    wait_until(sub { !$server->alive }, 'nginx to end');
    is_deeply [$server->problems], [], 'without a word of trouble';
};

subtest 'at once' => sub {
    my $quick = SSE::Nginx->start(drain => '0');
    my @client = map { $quick->subscribe('/sub?channel=c')->ready } 1 .. 50;
    $quick->signal('QUIT');
    ends(@client);
    is scalar(grep { $_->closed ne 'abort' } @client), 0, 'sse_drain 0 does so, too';
    wait_until(sub { !$quick->alive }, 'nginx to end');
    is_deeply [$quick->problems], [], 'without a word of trouble';
};

# A complete response would tell its client that the channel has ended. (Over HTTP/3 a worker may wait in vain until the client
# acknowledges the end, for as long as a silent connection lives: see t/protocols/http3.t.)
for my $way ('abort', 'end') {
    my @via   = (qw(h1 h1.0 unchunked tls h2c h2), SSE::Nginx::lacks_http3() ? () : 'h3');
    my $other = SSE::Nginx->start(
        drain     => $way eq 'end' ? '0 end' : '0',
        listen    => [grep { $_ ne 'h1.0' } @via],
        locations => 'location = /close { sse_channel $arg_channel; sse_gap close; sse_history 1; }',
        zone      => '1m',
        servers   => 'keepalive_timeout 5s;',
    );
    subtest "$way, over each transport" => sub {
        for my $via (@via) {
            my $client = $other->subscribe("/sub?channel=$via", via => $via)->ready;
            my ($old)  = $other->reload;
            my $ends   = $way eq 'end' || $via =~ /1\.0|unchunked/ ? 'clean' : 'abort';
            is $client->wait_closed, $ends, "$via: $ends";
            like $client->complaints, qr/reset by server|QUIC connection has been shut down/, 'the stream is reset'
                if $ends eq 'abort' && $via eq 'h3';
            is $client->pending, '', 'after a whole event';
            my $id = $client->last_event_id;
            $other->publish("/pub?channel=$via", 'later');
            is $other->subscribe("/sub?channel=$via", cursor => $id, via => $via)->next_event->{data}, 'later', 'and it resumes';
            $client->close;
            $other->wait_gone($old);
        }
        is_deeply [$other->stop], [], 'no trouble';
    };
}

subtest 'stop' => sub {
    my $abrupt = SSE::Nginx->start;
    my @client = map { $abrupt->subscribe('/sub?channel=c')->ready } 1 .. 20;
    is_deeply [$abrupt->stop('TERM')], [], 'the fast end makes no trouble';
    $_->wait_closed for @client;
    is scalar(grep { $_->pending } @client), 0, 'and cuts no event';
};

done_testing;
