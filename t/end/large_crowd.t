# A channel ends while more subscribers than a worker serves in one turn are still being given an event, and others are
# waiting: everybody gets all of it before the end.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(events => 'worker_connections 4096;', zone => '16m');
my ($worker)   = $server->workers;
my $connection = $server->connect;

for my $size (10, 3000, 100_000) {
    subtest "events of $size bytes" => sub {
        my $channel    = "c$size";
        my @subscriber = map { $server->subscribe("/sub?channel=$channel")->ready } 1 .. 700;
        $server->publish("/pub?channel=$channel", 'warm', on => $connection);
        my $padding = 'x' x $size;
        # What is sent on a new connection is read one turn later than what is sent on an old one.
        freeze($worker);
        my @answer = $server->request(POST => "/pub?channel=$channel", on => $connection, body => "1 $padding");
        push @answer, $server->request(POST => "/pub?channel=$channel", body => "$_ $padding") for 2, 3;
        push @answer, $server->request(DELETE => "/pub?channel=$channel");
        thaw($worker);
        is_deeply [map { $_->finish->status } @answer], [201, 201, 201, 200], 'published and ended';
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
