# How long a stream lasts: it is cut off after a whole event, and its client comes back to it. An event announces that access
# expires.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c h2)],
    http      => 'sse_zone events 4m; log_format reason "$sse_channel $sse_close_reason $request_time";',
    server    => <<'END',
access_log reasons.log reason;
        location = /sub     { sse_channel $arg_channel; }
        location = /pub     { sse_publish $arg_channel; access_log off; }
        location = /status  { sse_status; access_log off; }
        location = /brief   { sse_channel $arg_channel; sse_lifetime 1s; }
        location = /spread  { sse_channel $arg_channel; sse_lifetime 500ms 100%; }
        location = /expires { sse_channel $arg_channel; sse_expires $arg_expires; }
        location = /named   { sse_channel $arg_channel; sse_lifetime 1h; sse_expires $arg_expires event=renew; }
        location = /both    { sse_channel $arg_channel; sse_lifetime 300ms; sse_expires $arg_expires; }
END
);

sub reason ($channel) {
    my $reason;
    wait_until(sub { ($reason) = $server->read_file('reasons.log') =~ /^\Q$channel\E (\w+) /m }, 'a line in the log');
    return $reason;
}

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    my $end = $via =~ /1\.0|unchunked/ ? 'clean' : 'abort';
    subtest "a lifetime, over $via" => sub {
        my $start  = time;
        my $client = $server->subscribe("/brief?channel=l$via", via => $via)->ready;
        $server->publish("/pub?channel=l$via", 'one');
        is $client->next_event->{data}, 'one', 'an event';
        is $client->wait_closed, $end, "then the end: $end";
        cmp_ok time - $start, '>', 0.9, 'not before';
        is $client->next_event(0), undef, 'without another event';
        $server->publish("/pub?channel=l$via", 'two');
        my $again = $server->subscribe("/brief?channel=l$via", via => $via, cursor => $client->last_event_id);
        is $again->next_event->{data}, 'two', 'it resumes';
        $again->close;
        is reason("l$via"), 'lifetime', 'the reason';
    };

    subtest "an access that expires, over $via" => sub {
        my $expires = int(time) + 2;
        my $client  = $server->subscribe("/expires?channel=e$via&expires=$expires", via => $via)->ready;
        my $id      = $client->last_event_id;
        my $event   = $client->next_event;
        is_deeply $event, { type => 'expired', data => qq({"expires":$expires}), id => $id }, 'it is told';
        is $client->wait_closed, $end, "then the end: $end";
        cmp_ok time, '>=', $expires - 0.1, 'not before';
        is reason("e$via"), 'expired', 'the reason';
    };
}

subtest 'not all at once' => sub {
    my @client = map { $server->subscribe('/spread?channel=s')->ready } 1 .. 30;
    my @time; # as nginx has measured them
    wait_until(sub { @time = sort { $a <=> $b } $server->read_file('reasons.log') =~ /^s lifetime (\S+)$/mg; return @time == @client }, 'all ends');
    note sprintf 'from %.2f to %.2f s', @time[0, -1];
    cmp_ok $time[-1] - $time[0], '>', 0.2, 'the jitter spreads them';
};

subtest 'what is no time, or past' => sub {
    for my $expires ('1', int(time) - 1, 'x', '-5', '1e12', '99999999999999999999') {
        my $answer = $server->get("/expires?channel=c&expires=$expires");
        is $answer->status, 403, "$expires is refused";
        like $answer->json->{error}, qr/expired/, 'with a reason';
    }
    is reason('c'), 'expired', 'which the log has, too';
    for my $query ('', '&expires=', '&expires=' . (int(time) + 100 * 365 * 86400), '&expires=9223372036854775807') {
        my $client = $server->subscribe("/expires?channel=c$query")->ready;
        $server->publish('/pub?channel=c', 'x');
        is $client->next_event->{data}, 'x', "'$query' is a stream";
        $client->close;
    }
};

subtest 'both' => sub {
    my $soon  = int(time) + 2;
    my $named = $server->subscribe("/named?channel=n&expires=$soon")->ready;
    my $both  = $server->subscribe('/both?channel=b&expires=' . ($soon + 1000))->ready;
    is $both->wait_closed, 'abort', 'the lifetime is over first';
    is $both->next_event(0), undef, 'which is not told';
    is reason('b'), 'lifetime', 'the reason';
    is $named->next_event->{type}, 'renew', 'the type is configured';
    is $server->publish("/pub?channel=n&event=$_", 'x')->status, 400, "$_ is the module's own" for qw(renew expired);
};

# The worker is stopped until the time of all streams is up. When it continues, it accepts a connection first. If it ended all
# streams before it looks at its connections again, the response would count none.
subtest 'many at once' => sub {
    my ($worker) = $server->workers;
    my $expires  = int(time) + 3;
    my $path     = "/expires?channel=many&expires=$expires";
    my @stream   = map { $server->subscribe($path)->ready } 1 .. 100;
    my @poll     = map { $server->subscribe("$path&poll&wait=30") } 1 .. 100;
    wait_until(sub { $server->get('/status')->json->{subscribers} == 200 }, 'all polls to wait');
    is scalar(grep { $_->next_event->{type} eq 'expired' } @stream), 100, 'all streams are told';
    freeze($worker); # they are told a second before
    wait_until(sub { time > $expires + 1.1 }, 'the time to be up');
    my $status = $server->subscribe('/status');
    thaw($worker);
    cmp_ok $status->finish->json->{subscribers}, '>', 100, 'another client does not wait until all have ended';
    is scalar(grep { $_->wait_closed eq 'abort' } @stream), 100, 'all streams end';
    is scalar(grep { $_->finish->status == 200 } @poll), 100, 'all polls are answered';
};

subtest 'a client that does not read' => sub {
    my $client = $server->subscribe('/brief?channel=slow', rcvbuf => 4096)->ready->stall;
    $server->publish('/pub?channel=slow', $_ x 900_000) for 1 .. 2;
    my $start = time;
    wait_until(sub { time - $start > 1.5 }, 'its lifetime to be over');
    $client->resume;
    is $client->wait_closed, 'abort', 'is cut off when it reads on';
    ok !$client->pending, 'after a whole event';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
