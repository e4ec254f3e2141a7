# A machine dies and comes back empty; a worker that reads stands still; a machine stays with an old master.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;
use SSE::Process;

scenario 'a machine is killed and started anew, and another one comes', fault => sub ($machines, $load) {
    my ($machine) = $machines->all;
    for (1 .. span(2)) {
        $machine->kill_all;
        $load->go_on_for(0.5);
        $machine->launch;
        $load->go_on_for(1);
    }
    push @{ $machines->{machines} }, $machines->start_machine;
    $load->machines($machines->all);
    $load->go_on_for(1);
};

# The workers of a machine share a socket. If each had its own, half of all connections would wait for the worker that stands still.
scenario 'the reading workers stand still', machines => { nginx => { reuseport => 0 } }, fault => sub ($machines, $load) {
    my @pids = map { $machines->follower($_) } $machines->all;
    freeze($_) for @pids;
    my $time = $load->go_on_until(sub { !grep { my $pid = $_; grep { $pid == $machines->follower($_) } $machines->all } @pids },
        'others to read');
    diag sprintf '  others read after %.2f s', $time;
    $load->recover;
    thaw($_) for @pids;
    $load->go_on_for(1);
};

# What is published there is lost, which its subscribers learn from a gap.
scenario 'a machine stays with the old master',
    machines => { replicas => 1 },
    missing  => 1,
    split    => 1,
    gaps     => ['lost'],
    fault    => sub ($machines, $load) {
        my ($master, $replica) = $machines->redis;
        my ($lonely, @others)  = $machines->all;
        $_->{place}->hide($master->{place}) for @others, $replica;
        $replica->promote;
        $machines->{redis} = [$replica, $master];
        until_well($load, @others);
        $load->go_on_for(span(2));
        $_->{place}->show($master->{place}) for @others, $replica;
        $master->follow($replica);
        $load->go_on_for(1);
    };

done_testing;
