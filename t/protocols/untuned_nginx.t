# Behind another nginx with default settings, and in a chain of three: events arrive as they are published. (nginx does not pass on
# X-Accel headers; in a chain, this one has to be passed on.)
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => ['h1']);
my @front;
my $port = $server->port;
for my $pass ('proxy_pass_header X-Accel-Buffering;', '') {
    push @front, SSE::Nginx->start(
        module => 0,
        listen => [qw(h1 tls h2c)],
        http   => 'gzip on; gzip_min_length 0;',
        server => "location / { proxy_pass http://127.0.0.1:$port; $pass }",
    );
    $port = $front[-1]->port;
}

for my $hop (0, 1) {
    for my $via (qw(h1 tls h2c)) {
        subtest "through @{[$hop + 1]}, $via" => sub {
            my $channel    = "c$hop$via";
            my $subscriber = $front[$hop]->subscribe("/sub?channel=$channel", via => $via, headers => ['Accept-Encoding' => 'gzip'])->ready;
            is $subscriber->header('content-encoding'), undef, 'as it is';
            for my $size (10, 100_000) {
                is $front[$hop]->publish("/pub?channel=$channel", 'x' x $size, via => $via)->status, 201, 'published';
                is length $subscriber->next_event->{data}, $size, 'arrives';
            }
            my $cursor = $subscriber->last_event_id;
            $subscriber->close;
            wait_until(sub { $server->publish("/pub?channel=$channel", '')->json->{subscribers} == 0 }, 'the end of it');
            my $back = $front[$hop]->subscribe("/sub?channel=$channel", via => $via, cursor => $cursor);
            is $back->next_event->{data}, '', 'and it comes back with its cursor';
        };
    }
}

# Up to 1.29.6, nginx uses HTTP/1.0 for its upstreams, where a stream that is cut off looks like one that ends.
subtest 'the end of the stream is passed on' => sub {
    my $subscriber = $front[0]->subscribe('/sub?channel=end')->ready;
    my @old = $server->reload;
    my $ends = SSE::Nginx::version() < 1_029_007 ? 'clean' : 'abort';
    is $subscriber->wait_closed, $ends, $ends;
    $server->wait_gone(@old);
};

done_testing;
