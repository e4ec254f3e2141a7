# A channel ends while an event is still being sent to more subscribers than a worker serves in one turn, and more events wait: all
# subscribers get everything before the end.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Pipeline;

my $server = SSE::Nginx->start(events => 'worker_connections 4096;', zone => '16m');
my $connection = $server->connect;

for my $size (10, 3000, 100_000) {
    subtest "events of $size bytes" => sub {
        my $channel    = "c$size";
        my @subscriber = map { $server->subscribe("/sub?channel=$channel")->ready } 1 .. 700;
        $server->publish("/pub?channel=$channel", 'warm', on => $connection);
        my $padding = 'x' x $size;
        # On one connection, because on others requests could overtake a large body.
        my $publisher = SSE::Pipeline->new($server);
        my @post = map { SSE::Pipeline::request("/pub?channel=$channel", "$_ $padding") } 1 .. 3;
        $publisher->write(join '', @post, "DELETE /pub?channel=$channel HTTP/1.1\r\nHost: localhost\r\n\r\n");
        is_deeply [$publisher->answers(4)], [201, 201, 201, 200], 'published and ended';
        my %got;
        my $ended = 0;
        for my $subscriber (@subscriber) {
            $ended++ if $subscriber->wait_closed eq 'clean';
            $got{ join ' ', map { substr $_->{data}, 0, 1 } $subscriber->events(9, 0) }++;
            $subscriber->close;
        }
        is $ended, @subscriber, 'every stream has come to its end';
        is_deeply \%got, { 'w 1 2 3' => scalar @subscriber }, 'with everything' or diag explain \%got;
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
