# Many streams of one key that is kicked, many keys, and more keys than there is room for.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Pipeline;

my $server = SSE::Nginx->start(
    workers => 2,
    events  => 'worker_connections 4096;',
    http    => 'sse_zone events 8m; sse_keys 64k; sse_key $arg_key; sse_max_subscribers 2000 per=key; large_client_header_buffers 4 32k;',
    server  => <<'END',
location = /sub    { sse_channel $arg_channel; }
        location = /absent { sse_channel $arg_channel; sse_absent 404; }
        location = /header { sse_channel c; sse_key $http_x_key; sse_max_subscribers 1 per=key; }
        location = /pub    { sse_publish $arg_channel; client_max_body_size 0; }
        location = /kick   { sse_kick; }
        location = /status { sse_status; }
END
);

sub kick ($arguments) { return $server->request(POST => "/kick?$arguments")->finish }

sub wait_for_nobody { wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'all of them to have gone') }

subtest 'a crowd of one key' => sub {
    my @crowd = map { $server->subscribe('/sub?channel=a&key=crowd')->ready } 1 .. 1500;
    my @slow  = map { $server->subscribe('/sub?channel=large&key=crowd', rcvbuf => 4096)->ready->stall } 1 .. 10;
    my @rest  = map { $server->subscribe("/sub?channel=a&key=r$_")->ready } 1 .. 20;
    $server->publish('/pub?channel=large', 'x' x 900_000) for 1 .. 4;
    is kick('key=crowd&for=60')->status, 200, 'kicked';
    is $server->get('/status')->status, 200, 'others are served meanwhile';
    is scalar(grep { $_->wait_closed eq 'abort' } @crowd), 1500, 'all of it is cut';
    wait_until(sub { $server->get('/status')->json->{subscribers} == @rest }, 'the end of those that read nothing');
    is scalar(grep { $_->resume->wait_closed eq 'abort' } @slow), 10, 'which are cut, too';
    $server->publish('/pub?channel=a', 'x');
    is scalar(grep { $_->next_event->{type} eq 'message' } @rest), 20, 'and nobody else';
    $_->close for @rest;
};

subtest '100,000 keys' => sub {
    wait_for_nobody();
    for my $round (0 .. 9) {
        my $pipeline = SSE::Pipeline->new($server);
        my @get = map {"GET /absent?channel=b&key=n$_ HTTP/1.1\r\nHost: localhost\r\n\r\n"} $round * 10_000 .. $round * 10_000 + 9999;
        my %status;
        while (my @some = splice @get, 0, 500) {
            $pipeline->write(join '', @some);
            $status{$_}++ for $pipeline->answers(scalar @some);
        }
        is_deeply \%status, { 404 => 10_000 }, 'that come and go take no room';
    }
    my %status;
    $status{ kick("key=n$_&for=0")->status }++ for 1 .. 500;
    is_deeply \%status, { 200 => 500 }, 'nor do kicks that are over';
};

subtest 'more than there is room for' => sub {
    my $mark = $server->log_mark;
    my @client = map { $server->subscribe("/sub?channel=c&key=m$_") } 1 .. 1200;
    my @in  = grep { $_->status == 200 } @client;
    my @out = grep { $_->status != 200 } @client;
    cmp_ok scalar @in, '>', 200, scalar(@in) . ' keys are let in';
    cmp_ok scalar @out, '>', 50, 'others are not';
    is scalar(grep { $_->status != 503 } @out), 0, 'but get 503';
    is $out[0]->finish->json->{error}, 'no room for another key', 'with a reason';
    $server->wait_for_log(qr/\[error\].*no room for another key in "sse_keys"/, $mark);
    my $same = $server->subscribe_on($in[0]->header('X-Worker'), '/sub?channel=c&key=m1')->ready;
    is $same->status, 200, 'a key that is there may have another, where it has its seat';
    is $server->subscribe('/sub?channel=c')->ready->status, 200, 'who has no key is not concerned';
    is kick('key=m1&for=60')->status, 200, 'there is room for a kick';
    is $in[0]->wait_closed, 'abort', 'which hits';
    is $server->get('/sub?channel=c&key=m1')->status, 403, 'and holds';
    $_->close for @client, $same;
    wait_for_nobody();
    my $client;
    wait_until(sub { $client = $server->subscribe('/sub?channel=c&key=late'); $client->status == 200 }, 'room again');
    $client->close;
    my $kicks = 0;
    $kicks++ while $kicks < 2000 && kick("key=x$kicks&for=60")->status == 200;
    cmp_ok $kicks, '>', 50, "room for $kicks kicks";
    cmp_ok $kicks, '<', 2000, 'and for no more';
    is kick('key=y&for=60')->json->{error}, 'no room for another kick', 'which is said';
    $server->wait_for_log(qr/\[error\].*"sse_keys" has no room for another kick/, $mark);
    is kick('key=x5&for=0')->status, 200, 'one can be taken back';
};

subtest 'keys of any size and bytes' => sub {
    for my $key ('k' x 30_000, "\xff\xfe\x80", "\xc3\x28", '%00', "a\tb", '"', '\\', '{}', '0') {
        my $name   = length $key > 20 ? length($key) . ' bytes' : $key =~ s/[^ -~]/?/gr;
        my $client = $server->subscribe('/header', headers => ['X-Key' => $key])->ready;
        is $server->get('/header', headers => ['X-Key' => $key])->status, 429, "$name is one key";
        my $other = $server->subscribe('/header', headers => ['X-Key' => "${key}x"])->ready;
        is $other->status, 200, 'and a longer one another';
        $_->close for $client, $other;
    }
    my @nobody = map { $server->subscribe('/header', headers => ['X-Key' => ''])->ready } 1 .. 5;
    is scalar @nobody, 5, 'an empty one is none';
    is $server->connect->send_raw("GET /header HTTP/1.1\r\nHost: x\r\nX-Key: a\0b\r\n\r\n")->finish->status, 400, 'nginx takes no NUL';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
