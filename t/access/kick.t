# A kick ends the streams of a key, of a channel, or of a key in a channel, on all workers, and keeps them away for a while.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers => 4,
    listen  => [qw(h1 tls h2c)],
    listen_flags => 'sndbuf=16k', # otherwise the kernel takes a whole history for a client that reads nothing
    http    => 'sse_zone events 8m; sse_zone others 1m; log_format reason "$sse_channel $arg_key $status $sse_close_reason";',
    server  => <<'END',
access_log reasons.log reason;
        sse_key $arg_key;
        location = /sub    { sse_channel $arg_channel separator=, zone=events; }
        location = /other  { sse_channel $arg_channel zone=others; }
        location = /raw    { sse_channel $arg_channel zone=events; sse_key $http_x_key; }
        location = /pub    { sse_publish $arg_channel zone=events; client_max_body_size 0; access_log off; }
        location = /status { sse_status; access_log off; }
        location = /kick   { sse_kick zone=events; allow 127.0.0.1; deny all; }
        location = /tee    { sse_publish $arg_channel zone=events; mirror /kick; access_log off; }
END
);
$server->allow(qr/exited on signal 9/, qr/zone "(?:events|others|sse_keys|sse_workers)" was locked by/);

sub kick ($arguments, %option) {
    return $server->request($option{method} // 'POST', "/kick?$arguments", %option)->finish;
}

sub reasons ($line) { return scalar(() = $server->read_file('reasons.log') =~ /^\Q$line\E$/mg) }

sub get_status ($path, %option) {
    my $client = $server->subscribe($path, %option);
    my $status = $client->status;
    $client->close;
    return $status;
}

for my $via (qw(h1 tls h2c)) {
    subtest "a key, over $via" => sub {
        my $key = "u$via";
        my %on;
        my @mine = map { $server->subscribe("/sub?channel=a&key=$key", via => $via)->ready } 1 .. 24;
        $on{ $_->header('X-Worker') }++ for @mine;
        my @rest = map { $server->subscribe("/sub?channel=a$_", via => $via)->ready } '', '&key=', '&key=other';
        $server->publish('/pub?channel=a', 'before');
        is scalar(grep { $_->next_event->{data} eq 'before' } @mine, @rest), 27, 'all listen';
        my $id = $mine[0]->last_event_id;
        my $answer = kick("key=$key&for=60");
        is_deeply [$answer->status, $answer->json, $answer->header('Cache-Control')], [200, { for => 60 }, 'no-store'], 'kicked';
        $server->publish('/pub?channel=a', 'secret');
        # All workers know of the kick when it is answered, but end their streams a little later.
        is scalar(grep { $_->wait_closed eq 'abort' } @mine), 24, 'its streams are cut on ' . keys(%on) . ' workers';
        is scalar(grep { $_->pending } @mine), 0, 'after a whole event';
        is scalar(grep { $_->next_event->{data} eq 'secret' } @rest), 3, 'the others go on';
        for my $how ([], [cursor => $id], [cursor => '0-0']) {
            my $back = $server->get("/sub?channel=a&key=$key", via => $via, @$how);
            is $back->status, 403, 'who comes back is refused';
            unlike $back->raw, qr/secret|before/, 'and given no event';
            is $back->json->{error}, 'kicked', 'but a reason';
        }
        wait_until(sub { reasons("a $key 200 kicked") == 24 }, 'the reasons');
        ok eval { wait_until(sub { reasons("a $key 403 kicked") == 3 }, 'those of the refusals') }, 'refusals have it, too';
        $_->close for @rest;
    };
}

subtest 'a channel' => sub {
    my @in  = map { $server->subscribe("/sub?channel=$_")->ready } 'b', 'b', 'x,b', 'b&key=k1';
    my @out = ((map { $server->subscribe("/sub?channel=$_")->ready } 'x', 'x&key=k1'), $server->subscribe('/other?channel=b')->ready);
    is kick('channel=b&for=60', method => 'DELETE')->status, 200, 'by DELETE';
    is scalar(grep { $_->wait_closed eq 'abort' } @in), 4, 'all that have it are cut';
    is get_status("/sub?channel=$_"), 403, "$_ is refused" for 'b', 'x,b', 'b&key=k2';
    is scalar(grep { $_->closed } @out), 0, 'others are not, nor the same in another zone';
    is get_status($_), 200, $_ for '/sub?channel=x', '/other?channel=b';
    is $server->publish('/pub?channel=b', 'x')->status, 201, 'a publisher is not kicked';
    $_->close for @out;
};

subtest 'a key in a channel' => sub {
    my @in  = map { $server->subscribe("/sub?channel=$_")->ready } 'c&key=k3', 'd,c&key=k3';
    my @out = map { $server->subscribe("/sub?channel=$_")->ready } 'd&key=k3', 'c&key=k4', 'c';
    is kick('channel=c&key=k3&for=1m')->json->{for}, 60, 'for a minute';
    is scalar(grep { $_->wait_closed eq 'abort' } @in), 2, 'both together';
    is get_status("/sub?channel=$_&key=k3"), 403, "$_ is refused" for 'c', 'c,d';
    is get_status("/sub?channel=$_"), 200, "$_ is not" for 'd&key=k3', 'c&key=k4', 'c';
    is scalar(grep { $_->closed } @out), 0, 'others go on';
    $_->close for @out;
};

subtest 'for how long' => sub {
    my $first = $server->subscribe('/sub?channel=e&key=brief')->ready;
    my $start = time;
    kick('key=brief&for=2s');
    is $first->wait_closed, 'abort', 'cut';
    my $status = get_status('/sub?channel=e&key=brief');
    is $status, 403, 'refused' if time - $start < 2; # a busy machine may take longer
    my $again;
    wait_until(sub { $again = $server->subscribe('/sub?channel=e&key=brief'); $again->status == 200 }, 'the end of it');
    cmp_ok time - $start, '>', 1.9, 'not sooner';
    cmp_ok time - $start, '<', 20, 'nor much later';
    $again->ready;
    kick('key=someone&for=60'); # makes the workers check their streams again
    $server->publish('/pub?channel=e', 'on');
    is $again->next_event->{data}, 'on', 'an old kick does not hit it any more';
    kick('key=brief&for=0');
    is $again->wait_closed, 'abort', 'for no time: only cut';
    is get_status('/sub?channel=e&key=brief'), 200, 'and back at once';
    kick('key=brief&for=1h');
    is get_status('/sub?channel=e&key=brief'), 403, 'the last kick counts';
    kick('key=brief&for=0');
    is get_status('/sub?channel=e&key=brief'), 200, 'so that one can be taken back';
};

subtest 'what is no kick' => sub {
    my $kept = $server->subscribe('/sub?channel=f&key=kept')->ready;
    for my $case (
        ['for=60', qr/needs/], ['', qr/needs/], ['key=&channel=&for=60', qr/needs/], ['KEY%3Dkept&for=60', qr/needs/],
        ['key=kept', qr/time/], ['key=kept&for=', qr/time/], ['key=kept&for=x', qr/time/], ['key=kept&for=-1', qr/time/],
        ['key=kept&for=31d', qr/time/], ['key=kept&for=9999999999999999999', qr/time/], ['channel=' . 'x' x 256 . '&for=1', qr/channel/],
        ["channel=\xff&for=1", qr/channel/],
    ) {
        my $answer = kick($case->[0]);
        is $answer->status, 400, "'$case->[0]'";
        like $answer->json->{error}, $case->[1], 'with a reason';
    }
    for my $method (qw(GET HEAD PUT PATCH)) {
        my $answer = kick('key=kept&for=60', method => $method);
        is $answer->status, 405, $method;
        is $answer->header('Allow'), 'POST, DELETE, OPTIONS', 'what there is';
    }
    is kick('key=kept&for=60', method => 'OPTIONS')->status, 204, 'OPTIONS';
    for my $headers (['Sec-Fetch-Site' => 'cross-site'], [Origin => 'https://evil.example']) {
        is kick('key=kept&for=60', headers => $headers, method => $_)->status, 403, "$headers->[0]: $_ of a foreign page" for qw(POST DELETE);
    }
    is $server->publish('/tee?channel=f&key=kept&for=60', 'mirrored')->status, 201, 'a mirrored request';
    is $kept->next_event->{data}, 'mirrored', 'is published where it was sent to';
    $server->publish('/pub?channel=f', 'x');
    is $kept->next_event->{data}, 'x', 'nobody is hit';
    is get_status('/sub?channel=f&key=kept'), 200, 'nor refused';
    $kept->close;
};

subtest 'a kick with a body' => sub {
    my $connection = $server->connect;
    my $answer = $server->request(POST => '/kick?key=body&for=60', body => 'x' x 100_000, on => $connection)->finish;
    is $answer->status, 200, 'is one';
    is get_status('/sub?channel=g&key=body'), 403, 'and holds';
    is $server->request(POST => '/kick?key=body&for=0', stream => 1)->feed('abc')->end->finish->status, 200, 'chunks, too';
};

subtest 'any key' => sub {
    my @key = (
        ['a b', 'a%20b'], ["\xff\xfe", '%ff%FE'], ["\xc3\xbc", '%C3%BC'], ['x' x 3500, 'x' x 3500], ['a%20b', 'a%2520b'],
        ['100%', '100%'], ['a&b=c', 'a%26b%3dc'], ['auth0|1', 'auth0%7C1'], ['-', '-'],
    );
    for my $case (@key) {
        my ($key, $written) = @$case;
        my $name = length $key > 20 ? 'a long one' : $key;
        my $client = $server->subscribe('/raw?channel=h', headers => ['X-Key' => $key])->ready;
        is kick("key=$written&for=60")->status, 200, 'kicked: ' . ($name =~ s/[^ -~]/?/gr);
        is $client->wait_closed, 'abort', 'cut';
        is get_status('/raw?channel=h', headers => ['X-Key' => $key]), 403, 'refused';
    }
    is get_status('/raw?channel=h', headers => ['X-Key' => $_]), 200, "'$_' is another one" for 'a', 'A b', 'a%2520b', 'x' x 3499, '';
    is get_status('/raw?channel=h'), 200, 'and none is none';
};

subtest 'a client that reads nothing' => sub {
    my $client = $server->subscribe('/sub?channel=i&key=slow', rcvbuf => 4096)->ready->stall;
    $server->publish('/pub?channel=i', $_ x 900_000) for 1 .. 4;
    my $quick = $server->subscribe('/sub?channel=i&key=quick')->ready;
    kick('key=slow&for=60');
    # Other kicks that come before it is cut do not delay that.
    wait_until(sub { kick('key=nobody&for=0'); reasons('i slow 200 kicked') == 1 }, 'its end');
    $client->resume;
    is $client->wait_closed, 'abort', 'it is cut off all the same';
    $server->publish('/pub?channel=i', 'x');
    is $quick->next_event->{data}, 'x', 'and nobody else';
    $quick->close;
};

subtest 'one that catches up' => sub {
    $server->publish('/pub?channel=j', stream_of(1 .. 20_000), type => 'text/event-stream');
    my $client = $server->subscribe('/sub?channel=j&key=behind', cursor => '0-0', rcvbuf => 4096);
    $client->next_event;
    kick('key=behind&for=60');
    is $client->wait_closed, 'abort', 'is cut';
    cmp_ok scalar @{ $client->{events} }, '<', 15_000, 'before the tip';
};

subtest 'a worker that is stopped meanwhile' => sub {
    my ($stopped) = $server->workers;
    my $client = $server->subscribe_on($stopped, '/sub?channel=k&key=sleeper')->ready;
    my $other  = $server->subscribe_on($stopped, '/sub?channel=k&key=other')->ready;
    my $kick   = $server->connect_to(($server->workers)[1]);
    freeze($stopped);
    is kick('key=sleeper&for=0', on => $kick)->status, 200, 'the kick is taken';
    is kick("key=more$_&for=0", on => $kick)->status, 200, 'and others' for 1 .. 3;
    thaw($stopped);
    is $client->wait_closed, 'abort', 'it makes up for it';
    $server->publish('/pub?channel=k', 'x');
    is $other->next_event->{data}, 'x', 'for that one alone';
};

subtest 'workers that die' => sub {
    my @client = map { $server->subscribe('/sub?channel=l&key=mortal')->ready } 1 .. 8;
    kick('key=mortal&for=60');
    $server->kill9($_) for $server->workers;
    is get_status('/sub?channel=l&key=mortal'), 403, 'do not lift it' for 1 .. 8;
};

subtest 'a reload' => sub {
    kick('key=before&for=60');
    my @client = map { $server->subscribe("/sub?channel=m&key=old$_")->ready } 1 .. 16;
    my @old    = $server->reload(drain => '60s');
    is get_status("/sub?channel=m&key=$_"), 403, "$_: kicks are kept" for 'before', 'mortal';
    my @left = grep { !$_->closed } @client;
    cmp_ok scalar @left, '>', 8, 'old workers have streams';
    kick("key=old$_&for=60") for 1 .. 16;
    $_->wait_closed for @left;
    is scalar(grep { $_->closed eq 'abort' } @client), 16, 'which are cut';
    my %reason; # a stream that the drain has ended before the kick has that reason
    wait_until(sub { %reason = $server->read_file('reasons.log') =~ /^m (old\d+) 200 (kicked|drain)$/mg; keys %reason == 16 }, 'the reasons');
    cmp_ok scalar(grep { $_ eq 'kicked' } values %reason), '>', 0, 'by the kick';
    ok eval { $server->wait_gone(@old); 1 }, 'so that they can leave';
    my @older = $server->reload(http => $server->{http} . 'sse_keys 1m;');
    is get_status('/sub?channel=m&key=before'), 200, 'another size forgets them';
    $server->wait_gone(@older);
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
