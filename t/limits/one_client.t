# Limits for one client or for one request: what counts as one client, and for how long.
use v5.36;
use lib 't/lib';
use IO::Socket::IP;
use Test::More;
use SSE::Nginx;

my $dual   = SSE::Nginx::free_port();
my $limits = 'sse_publish $arg_channel; sse_framing lines; sse_max_client_memory 40k; sse_max_event_size 900k; client_max_body_size 0;';
my $has6   = IO::Socket::IP->new(Listen => 1, LocalHost => "::1") ? 1 : 0;
my $server = SSE::Nginx->start(
    listen    => ['h1', 'h2c'],
    locations => <<"END",
location = /limited { $limits }
        location = /slow { sse_publish \$arg_channel; sse_framing lines; sse_max_rate 1; sse_max_events 0; }
        location = /paused { sse_publish \$arg_channel; sse_framing lines; sse_max_rate 30; client_body_timeout 300ms; }
END
    servers => $has6 ? "server { listen [::]:$dual ipv6only=off; location = /limited { $limits } }" : '',
);

my $head = "POST /limited?channel=a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

sub chunk ($bytes) { return sprintf "%x\r\n%s\r\n", length $bytes, $bytes }

# The only worker has taken everything that was sent before these requests when they are answered.
sub settle { $server->get('/status') for 1 .. 3 }

subtest 'IPv4 clients of a listener for both families' => sub {
    plan skip_all => 'no IPv6 here' unless $has6;
    my $connect = sub ($from) {
        return IO::Socket::IP->new(PeerHost => "127.0.0.1", PeerPort => $dual, LocalHost => $from) // die "connect: $@";
    };
    my $greedy = $connect->('127.0.0.2');
    syswrite $greedy, $head . chunk('x' x 30_000);
    settle();
    my $other = $connect->('127.0.0.3');
    syswrite $other, $head . chunk('y' x 30_000);
    settle();
    syswrite $other, chunk("\n") . "0\r\n\r\n";
    like scalar readline $other, qr{^HTTP/1.1 201 }, 'one does not use up the memory of another';
    my $same = $connect->('127.0.0.2');
    syswrite $same, $head . chunk('z' x 30_000);
    like scalar readline $same, qr{^HTTP/1.1 429 }, 'each has a limit';
};

subtest 'a request that has been refused' => sub {
    my $client = $server->connect;
    $client->send_raw($head . chunk('x' x 30_000), method => 'POST');
    settle();
    $client->write("no chunk\r\n");
    wait_until(sub { $client->poll->{status} }, 'an answer');
    is $client->status, 400, 'refused';
    # nginx goes on reading from its connection for seconds.
    is $server->publish('/limited?channel=a', 'y' x 30_000 . "\n")->status, 201, 'holds nothing any more';
    my $next = $server->connect;
    $next->send_raw($head . chunk('y' x 30_000), method => 'POST');
    settle();
    $next->write(chunk("\n") . "0\r\n\r\n");
    is $next->finish->status, 201, 'and leaves room for the next one';
};

subtest 'a rate' => sub {
    my $published = sub {
        return $server->get('/status')->json->{zones}{events}{published};
    };
    my $before = $published->();
    my $client = $server->connect;
    $client->send_raw("POST /slow?channel=rate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n" . "\n" x 900,
        method => 'POST');
    wait_until(sub { $server->get('/pub?channel=rate')->json->{last_id} }, 'the first event');
    cmp_ok $published->() - $before, '<=', 64, 'is not exceeded by much, however small the events are';
    $client->close;
};

for my $via ('h1', 'h2c') {
    subtest "a pause that the rate makes, over $via" => sub {
        my $client = $server->stream("/paused?channel=$via", via => $via)->feed("\n" x 64);
        wait_until(sub { $server->get("/pub?channel=$via")->json->{last_id} }, 'the first event');
        $client->feed("\n" x 10)->end;
        is $client->finish->status, 201, 'is no fault of the client, however short client_body_timeout is';
        is $client->json->{events}, 74, 'all is published';
    };
}

is_deeply [$server->stop('TERM')], [], 'no trouble';
done_testing;
