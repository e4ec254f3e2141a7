# A worker that is terminated (SIGTERM) does not leave its subscribers behind in any count.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(workers => 2);

sub zone { return $server->get('/status')->json->{zones}{events} }
sub subscribers ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }

# Ends one worker like a master that stops, and waits for its successor.
sub terminate ($pid) {
    kill TERM => $pid or die "kill $pid: $!";
    wait_until(sub { my @now = $server->workers; @now == 2 && !grep { $_ == $pid } @now }, 'a new worker');
}

for my $round (1 .. 3) {
    subtest "round $round" => sub {
        my ($victim, $other) = $server->workers;
        my @lost = map { $server->subscribe_on($victim, "/sub?channel=c$_")->ready } 1, 1, 1, 2 .. 20;
        my $kept = $server->subscribe_on($other, '/sub?channel=c1')->ready;
        # The closed connections to the wrong worker may still be counted.
        wait_until(sub { $server->get('/status')->json->{subscribers} == 23 && subscribers('c1') == 4 }, '23 subscribers');
        is zone()->{channels}, 20, 'each channel is there';
        terminate($victim);
        ok $_->wait_closed, 'closed' for @lost;

        wait_until(sub { subscribers('c1') == 1 }, 'one subscriber to be left on the channel');
        is $server->publish('/pub?channel=c1', 'x')->json->{subscribers}, 1, 'who publishes is told of one';
        is $kept->next_event->{data}, 'x', 'who hears it';
        is subscribers('c2'), 0, 'nobody is on the others';
        my $status = $server->get('/status')->json;
        is $status->{subscribers}, 1, 'one in the status';
        my @pid = sort { $a <=> $b } map { $_->{pid} } @{ $status->{workers} };
        is_deeply \@pid, [$server->workers], 'the workers as they are';
        is zone()->{channels}, 1, 'all channels but one are given back';
        $kept->close;
        wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody');
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
