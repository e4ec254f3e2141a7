# Everything that can happen while Redis loses nothing, at random and several faults at a time. No gap is reported, and no event is
# lost or doubled. TEST_NGINX_SEED repeats a run, TEST_NGINX_LONG=N makes it N times as long.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Time::HiRes qw(time);
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

seed();

# Each function starts a fault. If the fault lasts, it returns a function that ends it.
my %fault = (
    'a worker is killed' => sub ($machine, @) {
        my @workers = $machine->workers;
        kill KILL => $workers[rand @workers] if @workers;
        return;
    },
    'a reload' => sub ($machine, @) {
        $machine->signal('HUP') if $machine->alive;
        return;
    },
    'a machine is cut off' => sub ($machine, @) {
        SSE::Machines::cut($machine);
        return sub { SSE::Machines::heal($machine) };
    },
    'a machine is started anew' => sub ($machine, @) {
        $machine->kill_all;
        return sub { $machine->launch };
    },
    'a worker stands still' => sub ($machine, @) {
        my @workers = $machine->workers;
        my $pid     = $workers[rand @workers] // return;
        eval { freeze($pid); 1 } or return; # it has ended
        return sub { kill CONT => $pid };
    },
    'Redis is killed' => sub ($, $master, @) {
        $master->kill9;
        return sub { $master->launch };
    },
    'Redis stands still' => sub ($, $master, @) {
        $master->freeze;
        return sub { $master->thaw };
    },
    'Redis ends all connections' => sub ($, $master, @) {
        $master->command(CLIENT => KILL => TYPE => 'normal');
        return;
    },
    'packets are lost' => sub ($machine, $master, @) {
        SSE::Machines::lose($_, 0.05) for $machine, $master;
        return sub { SSE::Machines::lose($_, 0) for $machine, $master };
    },
);

# What a fault acts on. Only one fault at a time may act on it.
sub subject_of ($kind, $machine) { return $kind =~ /^Redis/ ? 'Redis' : $kind =~ /packets/ ? $kind : "$machine" }

scenario 'everything',
    machines => { replicas => 1, bus => 'acks=1', server => { aof => 1 } },
    load     => { pause => 0.02 },
    fault    => sub ($machines, $load) {
        $_->allow(qr/exited on signal 9/, qr/was locked by/, qr/upgraded/) for $machines->all;
        my (%under_way, %count);
        my $mend = sub ($now) {
            for my $subject (grep { $under_way{$_}{until} <= $now } keys %under_way) {
                (delete $under_way{$subject})->{end}->();
            }
        };
        my $until = time + span(20);
        while (time < $until) {
            my $kind    = (sort keys %fault)[rand keys %fault];
            my $machine = ($machines->all)[rand $machines->all];
            my $subject = subject_of($kind, $machine);
            if (!$under_way{$subject}) {
                diag sprintf '  %6.2f %s', time - $^T, $kind if $ENV{TEST_NGINX_DEBUG};
                $count{$kind}++;
                my $end = $fault{$kind}->($machine, $machines->master);
                $under_way{$subject} = { end => $end, until => time + rand 3 } if $end;
            }
            $load->go_on_for(rand 0.5);
            $mend->(time);
        }
        $mend->(time + 10);
        diag "  $count{$_} times: $_" for sort keys %count;
        until_well($load, $machines->all);
    };

done_testing;
