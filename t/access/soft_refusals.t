# A refusal as a stream: it says when to come back, and breaks off, so that an EventSource reconnects. sse_reject soft does this for
# what the module refuses, sse_later for what nginx refuses.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

sub configuration ($more = '') {
    return (
        http   => "sse_zone events 1m channels=64; log_format reason '\$uri \$status \$sse_close_reason'; limit_conn_zone \$arg_who zone=who:1m; $more",
        server => <<'END',
access_log reasons.log reason;
        location = /sub  { sse_channel $arg_channel; sse_max_channels 64; }
        location = /soft { sse_channel $arg_channel; sse_key $arg_key; sse_max_subscribers 1 per=key; sse_reject soft 20s 50%; sse_cors https://a.example; }
        location = /usual { sse_channel $arg_channel; sse_key $arg_key; sse_max_subscribers 1 per=key; sse_reject soft; }
        location = /hard { sse_channel $arg_channel; sse_key $arg_key; sse_max_subscribers 1 per=key; sse_reject hard; error_page 429 = @later; }
        location = /conn { sse_channel $arg_channel; limit_conn who 1; error_page 503 = @later; }
        location = /code { sse_channel $arg_channel; limit_conn who 1; error_page 503 @later; }
        location = /down { auth_request /auth; sse_channel $arg_channel; error_page 500 = @later; }
        location = /auth { internal; proxy_pass http://127.0.0.1:1; }
        location @later  { sse_later 30s 0%; }
        location = /later { sse_later; sse_cors https://a.example; }
        location = /kick { sse_kick; }
        location = /pub  { sse_publish $arg_channel; access_log off; }
END
    );
}

my $server = SSE::Nginx->start(listen => [qw(h1 unchunked tls h2c h2)], configuration());
my @via = qw(h1 h1.0 unchunked tls h2c h2);

sub retry ($client) { return $client->body =~ /\A:\nretry: (\d+)\n\z/ ? $1 : -1 }

for my $via (@via) {
    subtest "over $via" => sub {
        my $stream = $server->subscribe("/soft?channel=a&key=$via", via => $via)->ready;
        my $path   = "/soft?channel=a&key=$via";
        my %retry;
        my @client = map { $server->subscribe($path, via => $via, cursor => '0-0', headers => [Origin => 'https://a.example']) } 1 .. 8;
        for my $client (@client) {
            is $client->status, 200, 'a stream';
            is $client->wait_closed, $via =~ /1\.0|unch/ ? 'clean' : 'abort', 'that breaks off';
            like $client->header('Content-Type'), qr{\Atext/event-stream; charset=utf-8\z}, 'by its type';
            is $client->header('Access-Control-Allow-Origin'), 'https://a.example', 'for a page that may read it';
            cmp_ok retry($client), '>=', 20_000, 'with a time' or diag $client->body;
            cmp_ok retry($client), '<=', 30_000, 'and its jitter';
            $retry{ retry($client) } = 1;
        }
        cmp_ok scalar keys %retry, '>', 1, 'which is drawn';
        my $head = $server->request(HEAD => $path, via => $via)->finish;
        is_deeply [$head->status, $head->body], [200, ''], 'HEAD';
        $server->publish('/pub?channel=a', 'x');
        is $stream->next_event->{data}, 'x', 'the stream that there is goes on';
        $stream->close;
    };
}

subtest 'on the wire' => sub {
    my $stream = $server->subscribe('/hard?channel=b&key=b')->ready;
    my $client = $server->get('/hard?channel=b&key=b');
    like $client->raw, qr{\r\n\r\nf\r\n:\nretry: 30000\n\r\n\z}, 'a chunk, and not the last one' or diag $client->raw;
    isnt $client->header('Connection'), 'close', 'which the fetch of Node would take for an end if the head announced it';
    is $client->header('Retry-After'), undef, 'no Retry-After';
    $stream->close;
};

for my $path (qw(/conn /code)) {
    subtest "limit_conn on $path" => sub {
        my $stream = $server->subscribe("$path?channel=c&who=me")->ready;
        for my $via (@via) {
            my $client = $server->get("$path?channel=c&who=me", via => $via);
            is $client->status, 200, "a stream over $via";
            is retry($client), 30_000, 'with the time of sse_later';
            my $head = $server->request(HEAD => "$path?channel=c&who=me", via => $via)->finish;
            is_deeply [$head->status, $head->body], [200, ''], 'HEAD';
        }
        is $server->subscribe("$path?channel=c&who=you")->ready->status, 200, 'others are let in';
        my $post = $server->request(POST => "$path?channel=c&who=me", body => 'x')->finish;
        is_deeply [$post->status, $post->header('Allow')], [405, 'GET, HEAD, OPTIONS'], 'POST is none';
        $stream->close;
    };
}

subtest 'an auth service that is down' => sub {
    my $client = $server->get('/down?channel=c');
    is_deeply [$client->status, retry($client)], [200, 30_000], 'come again later';
};
$server->allow(qr/connect\(\) failed/);

subtest 'the defaults' => sub {
    my $stream = $server->subscribe('/usual?channel=d&key=d')->ready;
    for my $path ('/usual?channel=d&key=d', '/later') {
        my $time = retry($server->get($path));
        cmp_ok $time, '>=', 10_000, "$path: ten seconds";
        cmp_ok $time, '<=', 15_000, 'and half of them';
    }
    is $server->get('/later', headers => [Origin => 'https://a.example'])->header('Access-Control-Allow-Origin'), 'https://a.example',
        'CORS';
    $stream->close;
};

subtest 'what is not put off' => sub {
    is $server->get('/soft?channel=')->status, 400, 'a bad request';
    is $server->request(POST => '/soft?channel=a', body => 'x')->finish->status, 405, 'a wrong method';
    is $server->request(POST => '/kick?key=gone&for=60')->finish->status, 200, 'a key is kicked';
    is $server->get('/soft?channel=a&key=gone')->status, 403, 'it is to stay away';
};

subtest 'an index that is full' => sub {
    my @client = map { my $n = $_; $server->subscribe('/sub?channel=' . join ',', map {"f$n.$_"} 1 .. 1)->ready } 1 .. 64;
    my $client = $server->get('/soft?channel=new');
    is $client->status, 200, 'comes again, too';
    cmp_ok retry($client), '>=', 20_000, 'later';
    is $server->get('/sub?channel=new')->status, 503, 'where it is hard it is refused';
    $_->close for @client;
};

subtest 'a body' => sub {
    my $stream = $server->subscribe('/hard?channel=e&key=e')->ready;
    for my $size (10, 1000, 900_000) {
        for my $how ([], [stream => 1]) {
            my $client = $server->request(GET => '/hard?channel=e&key=e', @$how ? @$how : (body => 'x' x $size));
            $client->feed('y' x $size) if @$how;
            $client->finish;
            is retry($client), 30_000, "@$how $size bytes: the answer arrives" or diag $client->raw;
        }
    }
    # What follows is part of the body, and not another request.
    my $connection = $server->connect;
    $connection->send_raw("GET /hard?channel=e&key=e HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nGET /pub?channel=e HTTP/1.1\r\nHost: x\r\n\r\n");
    is $connection->wait_closed, 'abort', 'the connection ends';
    is scalar(() = $connection->raw =~ m{HTTP/1.1}g), 1, 'after one answer';
    $stream->close;
};

subtest 'a client that goes away at once' => sub {
    my $stream = $server->subscribe('/soft?channel=g&key=g', via => 'h2c')->ready;
    $server->subscribe('/soft?channel=g&key=g', via => $_)->reset for (@via) x 5;
    my $slow = $server->subscribe('/soft?channel=g&key=g', via => 'h2c');
    is $slow->wait_closed, 'abort', 'does not keep others from an answer';
    $stream->close;
};

subtest 'a reload meanwhile' => sub {
    my $stream = $server->subscribe('/soft?channel=h&key=h')->ready;
    my @client = map { $server->subscribe('/soft?channel=h&key=h', via => 'h2c') } 1 .. 10;
    is scalar(grep { $_->status == 200 } @client), 10, 'streams of a moment';
    $server->wait_gone($server->reload);
    is scalar(grep { $_->wait_closed eq 'abort' } @client), 10, 'end';
    is scalar(grep { retry($_) < 20_000 } @client), 0, 'after the time';
};

wait_until(sub { $server->read_file('reasons.log') =~ /^\@later|\/conn 200 rejected$/m }, 'the log');
like $server->read_file('reasons.log'), qr{^/soft 200 rejected$}m, 'the reason is in the log';
is_deeply [$server->stop], [], 'no trouble';

subtest 'sse_drain end' => sub {
    my $server = SSE::Nginx->start(listen => [qw(h1 tls h2c)], drain => undef, configuration('sse_drain 1s end;'));
    for my $via (qw(h1 h1.0 tls h2c)) {
        my $stream = $server->subscribe("/hard?channel=a&key=$via", via => $via)->ready;
        my $client = $server->get("/hard?channel=a&key=$via", via => $via);
        is_deeply [$client->closed, retry($client)], ['clean', 30_000], "a clean end over $via";
        $stream->close;
    }
    my $connection = $server->connect;
    is $server->get('/later', on => $connection)->status, 200, 'and the connection is kept' for 1 .. 3;
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
