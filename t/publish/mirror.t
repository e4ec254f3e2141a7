# A publish location that mirrors its requests to another one: both publish the whole body.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    http      => 'sse_zone events 16m; client_max_body_size 4m; client_body_buffer_size 16k;',
    locations => <<'END',
location = /both  { mirror /tee; sse_publish both; }
        location = /lines { mirror /tee; sse_publish both; sse_framing lines; }
        location = /twice { mirror /tee; mirror /tee; sse_publish both; }
        location = /tee   { internal; sse_publish tee; }
        location = /paced { mirror /quick; mirror /slow; sse_publish both; }
        location = /quick { internal; sse_publish quick; sse_framing lines; sse_max_rate 100; }
        location = /slow  { internal; sse_publish slow; sse_framing lines; sse_max_rate 80; }
END
);

my $text = substr join('', map {"line $_\n"} 1 .. 40_000), 0, 300_000;

# The data of the next event.
sub heard ($subscriber) {
    my $event = $subscriber->next_event(10);
    return $event ? $event->{data} : 'nothing';
}

for my $via (qw(h1 tls h2c)) {
    subtest $via => sub {
        my ($both, $tee) = map { $server->subscribe("/sub?channel=$_", via => $via)->ready } qw(both tee);
        for my $size (0, 1, 1000, 20_001, 300_000) {
            my $body   = substr $text, 0, $size;
            my $answer = $server->publish('/both', $body, via => $via);
            is $answer->status, 201, "$size bytes: published";
            ok heard($both) eq $body, 'where they were sent';
            ok heard($tee) eq $body,  'and where they are mirrored to';
        }
        my $answer = $server->publish('/lines', "a\nb\nc", via => $via);
        is $answer->json->{events}, 3, 'a body of several events';
        is_deeply [$both->data(3)], [qw(a b c)], 'here';
        is heard($tee), "a\nb\nc", 'is one there';
        $server->publish('/twice', 'again', via => $via);
        is_deeply [map { heard($_) } $both, $tee, $tee], [('again') x 3], 'two mirrors';
        my $stream = $server->stream('/both', via => $via);
        $stream->feed($_) for 'in ', 'parts';
        is $stream->end->finish->status, 201, 'a body without a length';
        is_deeply [map { heard($_) } $both, $tee], [('in parts') x 2], 'is published twice as well';
        $_->close for $both, $tee;
    };
}

for my $via (qw(h1 tls h2c)) {
    subtest "the client goes when it has its answer, $via" => sub {
        my @subscribers = map { $server->subscribe("/sub?channel=$_")->ready } qw(quick slow);
        $server->publish('/paced', join('', map {"$_\n"} 1 .. 150), via => $via)->close;
        is_deeply [$_->data(150)], [1 .. 150], 'a mirror publishes all the same, whether another one has ended or not' for @subscribers;
        $_->close for @subscribers;
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
