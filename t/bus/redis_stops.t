# Redis dies, or does not answer: subscribers stay connected, publishers are refused at once, and nothing is lost afterwards.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Nginx;

# Checks what machines do while Redis is away. $end brings it back.
sub away ($machines, $load, $end) {
    my @machines = $machines->all;
    my $ill = until_ill($load, @machines);
    cmp_ok $ill, '<', 10, 'all machines say that they are ill';
    my ($listener) = map { $_->subscribe('/sub?channel=other')->ready } $machines[0];
    $load->go_on_for(span(2));
    refuses_at_once($machines[0]);
    ok $listener->pump_until(sub { $listener->{parser}->comments > 1 }), 'a subscriber gets heartbeats';
    is $listener->closed, '', 'and stays';
    $end->();
    my $well = until_well($load, @machines);
    cmp_ok $well, '<', 10, 'they are well when it is back';
}

scenario 'killed, and started again with all that it has acknowledged',
    machines => { server => { aof => 1 } },
    fault    => sub ($machines, $load) {
        $machines->master->kill9;
        away($machines, $load, sub { $machines->master->launch });
    };

scenario 'silence',
    fault => sub ($machines, $load) {
        $machines->master->freeze;
        $load->go_on_for(span(4));
        away($machines, $load, sub { $machines->master->thaw });
    };

done_testing;
