# The network between the machines and Redis: one machine is cut off, Redis is cut off, packets are lost.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;

scenario 'one machine is cut off', fault => sub ($machines, $load) {
    my ($lonely, @others) = $machines->all;
    SSE::Machines::cut($lonely);
    my $ill = until_ill($load, $lonely);
    cmp_ok $ill, '<', 10, 'it says that it is ill';
    my $well = 0;
    for (1 .. span(20)) {
        $load->go_on_for(0.1);
        $well++ if SSE::Machines::is_healthy($lonely);
    }
    is $well, 0, 'and goes on to say so';
    refuses_at_once($lonely);
    is_deeply [map { SSE::Machines::is_healthy($_) } @others], [1, 1], 'the others are well';
    SSE::Machines::heal($lonely);
    until_well($load, $lonely);
};

scenario 'Redis is cut off', fault => sub ($machines, $load) {
    SSE::Machines::cut($machines->master);
    my $ill = until_ill($load, $machines->all);
    cmp_ok $ill, '<', 10, 'all say that they are ill';
    $load->go_on_for(span(2));
    SSE::Machines::heal($machines->master);
    until_well($load, $machines->all);
};

scenario 'packets are lost', fault => sub ($machines, $load) {
    my @places = ($machines->master, $machines->all);
    SSE::Machines::lose($_, 0.05) for @places;
    $load->go_on_for(span(5));
    SSE::Machines::lose($_, 0) for @places;
};

done_testing;
