# The worker that reads from Redis is killed repeatedly, any worker is killed, and all machines are reloaded repeatedly.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Nginx;

scenario 'the reading worker is killed each second', fault => sub ($machines, $load) {
    $_->allow(qr/exited on signal 9/, qr/was locked by/) for $machines->all;
    my $slowest = 0;
    for (1 .. span(4)) {
        my %killed = map { $_ => $machines->follower($_) } $machines->all;
        is kill(KILL => values %killed), 3, 'three are killed';
        my $time = $load->go_on_until(sub { !grep { $machines->follower($_) == $killed{$_} } $machines->all }, 'others to read');
        $slowest = $time if $time > $slowest;
        $load->go_on_for($time < 1 ? 1 - $time : 0);
    }
    # A worker that only stands still is replaced after three seconds.
    cmp_ok $slowest, '<', 2.5, sprintf 'others read after %.2f s at most', $slowest;
};

scenario 'any worker is killed', fault => sub ($machines, $load) {
    $_->allow(qr/exited on signal 9/, qr/was locked by/) for $machines->all;
    for (1 .. span(20)) {
        my ($machine) = ($machines->all)[rand 3];
        my @workers = $machine->workers;
        kill KILL => $workers[rand @workers] if @workers;
        $load->go_on_for(0.2);
    }
};

scenario 'reloads', fault => sub ($machines, $load) {
    for (1 .. span(10)) {
        $_->signal('HUP') for $machines->all;
        $load->go_on_for(0.5);
    }
    my $time = $load->go_on_until(sub { !grep { $_->leaving_workers } $machines->all }, 'the old workers to leave');
    diag sprintf '  the last old workers have left after %.2f s', $time;
};

done_testing;
