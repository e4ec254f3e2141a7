# A body that is refused after part of it has been read: no error_page passes that part on, and none hides how much was
# published.
use v5.36;
use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;

# A backend that takes whatever comes and says nothing.
my $backend = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
my $port    = $backend->sockport;
my $server  = SSE::Nginx->start(
    http      => "sse_zone events 4m; upstream back { server 127.0.0.1:$port; keepalive 4; }",
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

sub is_left_alone ($what) {
    ok !IO::Select->new($backend)->can_read(0), $what;
}

subtest 'a part of a body goes to no upstream' => sub {
    # 211 bytes are announced. An upstream would be promised all of them, and take the next request for the rest.
    my $client = $server->connect;
    $client->send_raw("POST /ndjson?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 211\r\n\r\n\xff\n", method => 'POST');
    $client->finish;
    is $client->status, 400, 'refused';
    is $client->json->{events}, 0, 'by the module';
    is_left_alone('the upstream has no part in it');
};

subtest 'chunks that are too large' => sub {
    my $client = $server->connect;
    $client->send_raw("POST /ndjson?channel=a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "8\r\n{\"a\":1}\n\r\n1ff\r\nmore", method => 'POST');
    $client->finish;
    is $client->status, 413, 'refused';
    is_left_alone('the upstream has no part in it');
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
