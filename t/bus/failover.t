# A replica becomes the master. If it has all that was acknowledged, clients notice nothing; what it lacks is reported as a gap.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;

# As Sentinel does it: the replica with the most data becomes the master, and the others follow it.
sub promote ($machines, @replicas) {
    my ($best, @others) = sort { $b->info('replication')->{slave_repl_offset} <=> $a->info('replication')->{slave_repl_offset} }
        @replicas;
    $best->promote;
    $_->follow($best) for @others;
    $machines->{redis} = [$best, @others, grep { my $old = $_; !grep { $_ == $old } @replicas } $machines->redis];
    return $best;
}

scenario 'the master hands over',
    machines => { replicas => 1, bus => 'acks=1' },
    fault    => sub ($machines, $load) {
        my ($master, $replica) = $machines->redis;
        $master->command(FAILOVER => TO => @$replica{qw(address port)});
        my $time = $load->go_on_until(sub { $master->command('ROLE')->[0] eq 'slave' }, 'the handover');
        $machines->{redis} = [$replica, $master];
    };

# There may be a gap even so: events that machines had read from the old master are lost if they were neither acknowledged nor on a
# replica.
scenario 'the master dies, and a replica has all that was acknowledged',
    machines => { replicas => 2, bus => 'acks=1', server => { config => ['repl-ping-replica-period 1'] } },
    fault    => sub ($machines, $load) {
        my ($master, @replicas) = $machines->redis;
        $master->kill9;
        promote($machines, @replicas);
    },
    any_gaps => 1;

scenario 'the master dies with events that no replica has',
    machines => { replicas => 1 },
    missing  => 1,
    fault    => sub ($machines, $load) {
        my ($master, $replica) = $machines->redis;
        SSE::Machines::cut($replica);
        $load->go_on_for(0.5);
        $master->kill9;
        SSE::Machines::cut($master); # the kernel would still send what it has left behind
        SSE::Machines::heal($replica);
        promote($machines, $replica);
    },
    gaps => ['lost'];

# The old master comes back as a master, and only later becomes a replica.
scenario 'two masters for a while',
    machines => { replicas => 1 },
    missing  => 1,
    fault    => sub ($machines, $load) {
        my ($master, $replica) = $machines->redis;
        SSE::Machines::cut($master);
        promote($machines, $replica);
        until_well($load, $machines->all);
        $load->go_on_for(1);
        SSE::Machines::heal($master);
        $load->go_on_for(1);
        $master->follow($replica);
        $load->go_on_for(1);
    },
    any_gaps => 1;

done_testing;
