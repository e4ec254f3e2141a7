# A body that is refused after a part of it has been read: no error_page passes that part on, and none conceals how much has been
# published.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Backend;
use SSE::Nginx;

my $backend = SSE::Backend->start;
my $server  = SSE::Nginx->start(
    http      => "sse_zone events 4m; upstream back { server 127.0.0.1:@{[ $backend->port ]}; keepalive 4; }",
    locations => <<'END',
location = /ndjson { sse_publish $arg_channel; sse_framing ndjson; error_page 400 413 = @back; client_max_body_size 300; }
        location = /again  { sse_publish $arg_channel; sse_framing ndjson; error_page 400 = /second?$args; }
        location = /second { internal; sse_publish $arg_channel; sse_framing lines; }
        location @back {
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
END
);

subtest 'a part of a body goes to no upstream' => sub {
    # 211 bytes are announced. An upstream that expects all of them would take the next request for the rest.
    my $client = $server->connect;
    $client->send_raw("POST /ndjson?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 211\r\n\r\n\xff\n", method => 'POST');
    my $request = $backend->request;
    like $request, qr/^Content-Length: 0\r$/m, 'it is promised nothing';
    like $request, qr/\r\n\r\n\z/, 'and gets nothing';
    is $client->finish->body, 'page', 'its page answers';
    is $client->header('Connection'), 'close', 'and the connection of the client ends';
};

subtest 'chunks that are too large' => sub {
    my $client = $server->connect;
    $client->send_raw("POST /ndjson?channel=a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "1ff\r\nmore", method => 'POST');
    my $request = $backend->request;
    like $request, qr/^Content-Length: 0\r$/m, 'the upstream is promised nothing';
    unlike $request, qr/^Transfer-Encoding/mi, 'in no form';
    is $client->finish->body, 'page', 'its page answers';
};

subtest 'what has been published is told, and published once' => sub {
    my $subscriber = $server->subscribe('/sub?channel=once')->ready;
    my $client     = $server->publish('/again?channel=once', "first\n\xff\n");
    is $client->status, 400, 'refused';
    is $client->json->{events}, 1, 'with the number';
    $server->publish('/pub?channel=once', 'last');
    is_deeply [$subscriber->data(2)], ['first', 'last'], 'once';
};

subtest 'a body of which nothing was taken goes on' => sub {
    my $subscriber = $server->subscribe('/sub?channel=whole')->ready;
    is $server->publish('/again?channel=whole', "\xff\n")->status, 201, 'the other location publishes it';
    is_deeply [$subscriber->data(1)], ["\xef\xbf\xbd"], 'all of it';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
