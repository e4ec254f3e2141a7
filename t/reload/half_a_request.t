# A leaving worker has half the head of a request. A request that is completed after all streams have ended also ends within sse_drain.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my $server = SSE::Nginx->start(
    drain     => '2s',
    locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; }',
);
my $chunked = "Transfer-Encoding: chunked\r\n\r\n";

# The request, the rest of it for the leaving worker, and the expected status and end.
my %late = (
    'a publisher of lines' => {
        line   => 'POST /lines?channel=c',
        rest   => $chunked . "5\r\nwhole\r\n1\r\n\n\r\n",
        status => 201,
    },
    'a publisher of half a line' => { line => 'POST /lines?channel=c', rest => $chunked . "4\r\nhalf\r\n", status => 503 },
    'a publisher of nothing yet' => { line => 'POST /lines?channel=c', rest => $chunked, status => 503 },
    'a publisher of half an event' => {
        line   => 'POST /pub?channel=c',
        rest   => "Content-Length: 10\r\n\r\nhalf",
        status => 503,
    },
    'a subscriber' => { line => 'GET /sub?channel=c', rest => "\r\n", status => 200, end => 'abort' },
);

for my $name (sort keys %late) {
    subtest $name => sub {
        my $late       = $late{$name};
        my $subscriber = $server->subscribe('/sub?channel=c')->ready;
        my $client     = $server->connect;
        $client->send_raw("$late->{line} HTTP/1.1\r\nHost: localhost\r\n");
        # The only worker has read it once it has answered requests on later connections.
        $server->get('/status') for 1 .. 3;
        my @old = $server->reload;
        is $subscriber->wait_closed, 'abort', 'the drain is over';
        is_deeply [$server->leaving_workers], \@old, 'but the worker still there';

        my $start = time;
        $client->write($late->{rest});
        is $client->wait_closed(10), $late->{end} // 'clean', 'the late one ends';
        is $client->status, $late->{status}, "with status $late->{status}";
        cmp_ok time - $start, '<', 8, 'in time';
        $client->close;
        $server->wait_gone(@old);
        is_deeply [$server->problems], [], 'without a word of trouble';
    };
}

subtest 'a subscriber of a channel that has ended, which does not read at once' => sub {
    my $brief = SSE::Nginx->start(drain => '2s', listen_flags => 'sndbuf=16k', subscribe => 'sse_end_event end;');
    $brief->publish('/pub?channel=c&end', 'x' x 60_000);
    my $other  = $brief->subscribe('/sub?channel=other')->ready;
    my $client = $brief->connect('h1', rcvbuf => 8192);
    $client->send_raw("GET /sub?channel=c&last_event_id=0-0 HTTP/1.1\r\nHost: localhost\r\n");
    $brief->get('/status') for 1 .. 3;
    my @old = $brief->reload;
    is $other->wait_closed, 'abort', 'the drain is over';
    $client->stall->write("\r\n");
    wait_until(sub { $brief->get('/status')->json->{subscribers} == 1 }, 'the stream');
    is $client->resume->wait_closed(10), 'clean', 'a stream that has come to its end is not cut off';
    is_deeply [map { $_->{type} } $client->events(9, 0)], [qw(message end)], 'with all that it says';
    $brief->wait_gone(@old);
    is_deeply [$brief->stop], [], 'no trouble';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
