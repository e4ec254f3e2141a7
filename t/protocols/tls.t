# nginx collects what it sends over TLS in a buffer. If an event ends where this buffer does, the end of its chunk must not remain
# there: nothing would send it, and the client would wait for it for ever.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

for my $buffer (4096, 16384) {
    my $server = SSE::Nginx->start(
        listen => ['tls'],
        http   => "sse_zone events 16m; ssl_buffer_size $buffer;",
        server => 'location = /sub { sse_channel $arg_channel; } location = /pub { sse_publish $arg_channel; }',
    );
    my $publisher = $server->connect('tls');
    for my $times (1, 2, 4) {
        subtest "around $times times a buffer of $buffer bytes" => sub {
            # Some 35 bytes are around the data: the size line of the chunk and the fields of the event.
            for my $size ($buffer * $times - 40 .. $buffer * $times - 25) {
                my $subscriber = $server->subscribe('/sub?channel=c', via => 'tls')->ready;
                $server->publish('/pub?channel=c', $_, via => 'tls', on => $publisher) for 'y' x $size, 'next';
                is_deeply [map {length} $subscriber->data(2)], [$size, 4], "an event of $size bytes, and the next one"
                    or return;
            }
        };
    }
    is_deeply [$server->stop], [], 'no trouble';
}

done_testing;
