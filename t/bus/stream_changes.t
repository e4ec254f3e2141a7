# The stream is trimmed while a machine is away, or flushed; clocks that are an hour off make no difference.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;

# Only clients that were on the machine that was cut off, or connect to it, have missed something.
scenario 'trimmed while a machine was away',
    missing => 1,
    gaps    => ['lost'],
    fault   => sub ($machines, $load) {
        my ($lonely) = $machines->all;
        SSE::Machines::cut($lonely);
        until_ill($load, $lonely);
        $load->go_on_for(1);
        $machines->master->command(XADD => 'sse:events', '*', channel => 'other', data => $_) for 1 .. 20;
        $machines->master->command(XTRIM => 'sse:events', MAXLEN => 5);
        SSE::Machines::heal($lonely);
        until_well($load, $lonely);
    };

scenario 'flushed',
    missing => 1,
    lives   => 1,
    gaps    => ['unknown'],
    fault   => sub ($machines, $load) {
        $machines->master->command('FLUSHALL');
        $load->go_on_for(2);
        until_well($load, $machines->all);
    };

scenario 'replaced by an empty one',
    missing => 1,
    gaps    => ['unknown'],
    fault   => sub ($machines, $load) {
        $machines->master->kill9;
        $machines->master->launch;
        until_well($load, $machines->all);
    };

scenario 'clocks that are off by an hour',
    machines => { clocks => [0, 3600, -3600], redis_clocks => [3600, 0], replicas => 1, bus => 'keep=10m acks=1' },
    fault    => sub ($machines, $load) {
        my ($master, $replica) = $machines->redis;
        $load->go_on_for(span(3));
        $master->command(FAILOVER => TO => @$replica{qw(address port)});
        $load->go_on_until(sub { $master->command('ROLE')->[0] eq 'slave' }, 'the handover');
        $machines->{redis} = [$replica, $master];
        $load->go_on_for(span(3));
    };

done_testing;
