# Redis dies, says nothing, has no room, wants another password: subscribers stay, publishers are told at once, and
# afterwards nothing is lost.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Nginx;

# What a machine does without Redis, while it is away; $end brings it back.
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

# Reading goes on meanwhile, but no probe passes, so the machines are ill.
for my $kind (qw(OOM MISCONF)) {
    my %limit = (
        OOM     => [[qw(CONFIG SET maxmemory 1)], [qw(CONFIG SET maxmemory 0)]],
        MISCONF => [[qw(CONFIG SET min-replicas-to-write 1)], [qw(CONFIG SET min-replicas-to-write 0)]],
    );
    my ($harm, $mend) = @{ $limit{$kind} };
    scenario $kind eq 'OOM' ? 'no memory' : 'no replica to write to', fault => sub ($machines, $load) {
        $machines->master->command(@$harm);
        until_ill($load, $machines->all);
        my $refused = ($machines->all)[0]->publish('/pub?channel=other', 'an event');
        is $refused->status, 503, 'publishing is refused';
        isnt $refused->json->{published} // '', 'unknown', 'and it is known that it was not published';
        $machines->master->command(@$mend);
        until_well($load, $machines->all);
    };
}

scenario 'another password',
    machines => { server => { password => 'first' }, url => 'redis://:first@' },
    fault    => sub ($machines, $load) {
        my $master = $machines->master;
        $master->command(CONFIG => SET => requirepass => 'second');
        $master->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
        my $ill = until_ill($load, $machines->all);
        cmp_ok $ill, '<', 10, 'all machines say that they are ill';
        $_->wait_for_log(qr/WRONGPASS/) for $machines->all;
        $machines->{url} = 'redis://:second@';
        for my $machine ($machines->all) {
            $machine->{http} =~ s/sse_bus .*?;/$machines->directive/e;
            $machine->write_configuration;
            $machine->signal('HUP');
        }
        my $well = until_well($load, $machines->all);
        cmp_ok $well, '<', 10, 'a reload with the new one makes them well';
    };

done_testing;
