# Polls are treated like streams: they belong to a key, their number is limited, and a kick ends them.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my @via    = (qw(h1 tls h2c), SSE::Nginx::lacks_http3() ? () : 'h3');
my $server = SSE::Nginx->start(
    workers => 2,
    listen  => \@via,
    http    => 'sse_zone events 8m; log_format reason "$sse_channel $arg_key $status $sse_close_reason";',
    server  => <<'END',
access_log reasons.log reason;
        sse_key $arg_key;
        location = /sub    { sse_channel $arg_channel; }
        location = /few    { sse_channel $arg_channel; sse_max_subscribers 2 per=key; sse_reject soft 1s; }
        location = /pub    { sse_publish $arg_channel; access_log off; }
        location = /kick   { sse_kick; allow 127.0.0.1; deny all; }
        location = /status { sse_status; access_log off; }
END
);

sub waiting ($count, $channel) {
    wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == $count }, "$count on $channel");
}

for my $via (@via) {
    subtest "a kick, over $via" => sub {
        my $key = "k$via";
        $server->publish("/pub?channel=$via", 'before');
        my $cursor = $server->get("/sub?channel=$via&poll")->json->{cursor};
        my @poll = map { $server->request(GET => "/sub?channel=$via&key=$key&poll&wait=30", via => $via, cursor => $cursor) } 1 .. 6;
        my $other = $server->request(GET => "/sub?channel=$via&key=other&poll&wait=30", via => $via, cursor => $cursor);
        waiting(7, $via);
        is $server->request(POST => "/kick?key=$key&for=60")->finish->status, 200, 'kicked';
        is scalar(grep { $_->finish->status == 403 && $_->json->{error} eq 'kicked' } @poll), 6, 'those that wait are refused';
        waiting(1, $via);
        my $back = $server->get("/sub?channel=$via&key=$key&poll", via => $via, cursor => '0-0');
        is $back->status, 403, 'and who comes back';
        unlike $back->raw, qr/before/, 'without an event';
        $server->publish("/pub?channel=$via", 'after');
        is_deeply [map { $_->{data} } @{ $other->finish->json->{events} }], ['after'], 'the others wait on';
        my $log;
        wait_until(sub { ($log = $server->read_file('reasons.log')) =~ /(?:^$via $key 403 kicked\n.*?){7}/ms }, 'the reason of each');
    };
}

subtest 'a limit' => sub {
    my $mark = $server->get('/sub?channel=l&poll')->json->{cursor};
    my @poll = map { $server->request(GET => '/few?channel=l&key=a&poll&wait=30', cursor => $mark) } 1 .. 2;
    waiting(2, 'l');
    my $third = $server->get('/few?channel=l&key=a&poll', cursor => $mark);
    is $third->status, 429, 'one too many gets a status, though streams are put off softly';
    is $third->header('Retry-After'), 10, 'and a time';
    is $server->get('/few?channel=l&key=a')->status, 200, 'a stream is';
    is $server->get('/few?channel=l&key=b&poll', cursor => $mark)->status, 200, 'another key';
    $server->publish('/pub?channel=l', 'x');
    is scalar(grep { @{ $_->finish->json->{events} } == 1 } @poll), 2, 'those that waited have it';
    is $server->get('/few?channel=l&key=a&poll', cursor => $mark)->status, 200, 'and have made room';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
