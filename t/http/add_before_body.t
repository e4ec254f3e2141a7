# A slow fragment in front of a stream (add_before_body): what is published in the meantime follows it, once and in order.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;

plan skip_all => 'this nginx has no add_before_body' unless SSE::Nginx::has('http_addition_module');

# A backend that answers when the test lets it.
my $backend = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
my $server  = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    zone      => '16m',
    locations => <<"END",
location = /with     { add_before_body /fragment; addition_types *; sse_channel \$arg_channel; }
        location = /fragment { proxy_pass http://127.0.0.1:@{[ $backend->sockport ]}; }
END
);

sub answer_with ($request, $text) {
    print $request "HTTP/1.0 200 OK\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
    close $request;
}

for my $via (qw(h1 tls h2c)) {
    for my $events (1, 5, 300) {
        subtest "$events events meanwhile, over $via" => sub {
            my $channel    = "c$via$events";
            my $id         = $server->publish("/pub?channel=$channel", 0)->json->{id};
            my $subscriber = $server->subscribe("/with?channel=$channel", via => $via, cursor => $id);
            my $request    = $backend->accept;
            $server->publish("/pub?channel=$channel", "$_ " . 'x' x 10_000) for 1 .. $events;
            answer_with($request, ":fragment\n");
            my @number = map { (split / /)[0] } $subscriber->data($events);
            is_deeply \@number, [1 .. $events], 'all have arrived';
            $server->publish("/pub?channel=$channel", $_) for 'live', 'last';
            is_deeply [$subscriber->data(2)], ['live', 'last'], 'then it is live';
            my $body = $subscriber->body;
            is scalar(() = $body =~ /^:fragment$/mg), 1, 'the fragment is there';
            cmp_ok index($body, ':fragment'), '<', index($body, 'data:'), 'before all events';
            $subscriber->close;
        };
    }
    subtest "gone before the fragment, over $via" => sub {
        my $subscriber = $server->subscribe('/with?channel=gone', via => $via);
        my $request    = $backend->accept;
        $server->publish('/pub?channel=gone', 'x');
        $subscriber->reset;
        answer_with($request, ":fragment\n");
        wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'it to be counted off');
        pass 'is noticed';
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
