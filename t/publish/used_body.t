# A body that has been published is gone: an upstream that nginx asks afterwards, by post_action, is not promised the body. One that an
# application has received is still there, and is published as a whole.
# needs: module nghttp
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Backend;
use SSE::Nghttp;
use SSE::Nginx;

my $backend = SSE::Backend->start;
my $app     = SSE::App->start(sub ($method, $path, $headers, $body) { return (200, [], 'got ' . length $body) });
my $server  = SSE::Nginx->start(
    listen => [qw(h1 h2c)],
    http   => "sse_zone events 4m; client_max_body_size 1m; client_body_buffer_size 1k;"
        . "upstream back { server 127.0.0.1:@{[ $backend->port ]}; keepalive 4; }",
    server => <<"END",
location = /sub       { sse_channel \$arg_channel; }
        location = /pub       { sse_publish \$arg_channel; }
        location = /afterwards { sse_publish \$arg_channel; post_action /back; }
        location = /halfway   { sse_publish \$arg_channel; sse_framing ndjson; post_action /back; }
        location = /stream    { sse_channel \$arg_channel; sse_lifetime 100ms; post_action /back; }
        location = /mirrored  { mirror /mirror; sse_channel \$arg_channel; sse_lifetime 100ms; post_action /back; }
        location = /mirror    { internal; return 204; }
        location = /denied    { deny all; error_page 403 = /instead; }
        location = /instead   { internal; sse_channel a; sse_lifetime 100ms; post_action /second; }
        location = /twice     { sse_publish \$arg_channel; post_action /second; access_log twice.log; }
        location = /second    { internal; sse_publish second; access_log twice.log; }
        location = /app       { proxy_pass http://127.0.0.1:@{[ $app->port ]}; post_action /published; }
        location = /published { internal; sse_publish published; }
        location /back {
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
END
);

sub promises_nothing ($what) {
    my $request = $backend->request;
    like $request, qr/^POST|^GET/, "$what: the backend is asked";
    unlike $request, qr/^Content-Length: [^0]|^Transfer-Encoding/mi, 'is promised nothing' or diag $request;
    like $request, qr/\r\n\r\n\z/, 'and gets nothing';
}

for my $via (qw(h1 h2c)) {
    subtest "published over $via" => sub {
        for my $body ('x', 'x' x 5000) {
            my $client = $server->request(POST => '/afterwards?channel=a', via => $via, body => $body);
            promises_nothing(length($body) . ' bytes');
            is $client->finish->status, 201, 'published';
        }
        my $stream = $server->stream('/afterwards?channel=a', via => $via);
        $stream->feed('in ')->feed('parts')->end;
        promises_nothing('a body without a length');
        is $stream->finish->status, 201, 'published';
    };
}

subtest 'refused halfway' => sub {
    my $client = $server->connect->send_raw("POST /halfway?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\none\n\xff\n", method => 'POST');
    promises_nothing('afterwards');
    is $client->finish->json->{events}, 1, 'what came before the fault is published';
};

subtest 'a client that leaves within its body' => sub {
    my $client = $server->connect->send_raw("POST /halfway?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhello", method => 'POST');
    $server->get('/pub?channel=a') for 1 .. 2;
    $client->close;
    promises_nothing('afterwards');
};

my %body = ('a length' => "Content-Length: 50\r\n\r\nhello", 'chunks' => "Transfer-Encoding: chunked\r\n\r\n32\r\nhello");
for my $framing (sort keys %body) {
    subtest "a stream whose request has a body with $framing" => sub {
        my $client = $server->connect->send_raw("GET /stream?channel=a HTTP/1.1\r\nHost: localhost\r\n$body{$framing}")->ready;
        promises_nothing('afterwards');
        $client->close;
    };
}

subtest 'a stream over h2c whose request has a body' => sub {
    my $client = $server->request(GET => '/stream?channel=a', via => 'h2c', body => 'hello');
    promises_nothing('afterwards');
    $client->close;
};

subtest 'a stream whose request has been mirrored with its body' => sub {
    my $client = $server->connect->send_raw("GET /mirrored?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    like $backend->request, qr/^Content-Length: 5\r\n(.+\r\n)*\r\nhello\z/m, 'the backend gets what it is promised';
    $client->close;
};

subtest 'published once' => sub {
    my $subscriber = $server->subscribe('/sub?channel=second')->ready;
    is $server->publish('/twice?channel=first', 'x', via => $_)->status, 201, $_ for qw(h1 h2c);
    my @stream = map { $server->connect->send_raw("POST /denied HTTP/1.1\r\nHost: localhost\r\n$_")->ready } values %body;
    push @stream, $server->request(POST => '/denied', via => 'h2c', body => 'hello');
    $_->wait_closed && $_->close for @stream;
    wait_until(sub { (() = ($server->read_file('twice.log') // '') =~ /^.*POST/mg) >= 2 + @stream }, 'the requests to end');
    $server->publish('/pub?channel=second', 'last');
    is $subscriber->next_event->{data}, 'last', 'the other location has no body to publish';
};

subtest 'what a client demands' => sub {
    my $subscriber = $server->subscribe('/sub?channel=second')->ready;
    my @repeated = map { $server->publish('/twice?channel=first', '', headers => ['Idempotency-Key' => 'k'])->json->{repeated} ? 1 : 0 } 1, 2;
    is_deeply \@repeated, [0, 1], 'is demanded of the location that it has asked';
    $server->publish('/pub?channel=second', 'last');
    is_deeply [$subscriber->data(3)], ['', '', 'last'], 'and not of the action';
};

subtest 'after an application' => sub {
    my $subscriber = $server->subscribe('/sub?channel=published')->ready;
    for my $via (qw(h1 h2c)) {
        for my $body ('', 'x', 'x' x 900) {
            is $server->publish('/app', $body, via => $via, headers => ['Idempotency-Key' => 'k'])->body, 'got ' . length $body, "$via: the application gets it";
            is $subscriber->next_event->{data}, $body, 'and it is published, whatever its client demands of the application';
        }
    }
    like post_framed($server, '/app', 'x' x 900, length => 0)->{wire}, qr/got 900/, 'without a length';
    is $subscriber->next_event->{data}, 'x' x 900, 'published';
    # By then, nginx has closed the file.
    is $server->publish('/app', 'x' x 5000, via => $_)->body, 'got 5000', "$_: one that is in a file" for qw(h1 h2c);
    $server->publish('/pub?channel=published', 'last');
    is $subscriber->next_event->{data}, 'last', 'is not published in part';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
