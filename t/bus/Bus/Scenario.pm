package Bus::Scenario;

# Something happens to machines under load. Afterwards no event is doubled, or lost without a gap, all machines are well, and the
# test prints how long the recovery took.
#
#   scenario 'Redis is killed', machines => { server => { aof => 1 } }, fault => sub ($machines, $load) {
#       $machines->master->kill9;
#       ...
#   };
#
# TEST_NGINX_LONG=N makes the faults last N times as long.

use v5.36;
use Exporter 'import';
use List::Util qw(max);
use SSE::Machines;
use Test::More;
use Time::HiRes qw(time);
use Bus::Load;
our @EXPORT = qw(scenario span until_ill until_well refuses_at_once);

sub span ($seconds) { return $seconds * ($ENV{TEST_NGINX_LONG} // 1) }

# Options: machines (of SSE::Machines), load (of Bus::Load), fault (what happens; it must use the load to wait, which keeps it
# going), gaps (the reasons of the gaps that must be reported; any_gaps => 1: there may be any), missing (1: Redis loses acknowledged
# events), lives (1: the stream begins another life, which machines notice one after the other), split (1: there are two masters, each
# with machines. A machine that changes over takes in what it lacks, and a subscriber that has those events from another machine may
# get them again before the gap).
sub scenario ($name, %option) {
    subtest $name => sub {
        my $machines = SSE::Machines->start(%{ $option{machines} // {} });
        $machines->wait_healthy;
        my $load = Bus::Load->start(machines => [$machines->all], %{ $option{load} // {} });
        $load->go_on_for(1);
        $load->verdict->{$_} = $option{$_} for qw(lives split);
        $option{fault}->($machines, $load);
        my $recovery = $load->recover;
        $load->go_on_for(0.5);
        my $settling = $load->settle;
        diag sprintf '%s: all machines worked %.2f s after it was over, everybody had everything %.2f s later',
            $name, $recovery, $settling;
        $load->judge(redis => $machines->master, missing => $option{missing});
        expect_gaps($load->verdict, @{ $option{gaps} // [] }) unless $option{any_gaps};
        is_deeply [map { SSE::Machines::is_healthy($_) } $machines->all], [map {1} $machines->all], 'all machines are well';
        is_deeply [$machines->stop], [], 'no trouble';
    };
}

sub expect_gaps ($verdict, @reasons) {
    for my $reason (qw(lost unknown)) {
        my $count = $verdict->{"gaps_$reason"};
        grep({ $_ eq $reason } @reasons)
            ? cmp_ok($count, '>', 0, "gaps are told: $reason")
            : is($count, 0, "no gap is told: $reason") || diag map {"$_\n"} grep {/: $reason,/} @{ $verdict->{told} };
    }
}

# Waits until these machines report that they are ill, or well; returns the seconds that this took.
sub until_ill ($load, @machines) { return until_health($load, 0, 'ill', @machines) }
sub until_well ($load, @machines) { return until_health($load, 1, 'well', @machines) }

sub until_health ($load, $health, $word, @machines) {
    my $time = $load->go_on_until(sub { !grep { !!SSE::Machines::is_healthy($_) != $health } @machines }, "machines to be $word");
    diag sprintf '  %s after %.2f s', $word, $time;
    return $time;
}

# A machine without Redis refuses to publish at once, and says when to come back.
sub refuses_at_once ($machine) {
    my $start  = time;
    my $answer = $machine->publish('/pub?channel=other', 'an event');
    is $answer->status, 503, 'publishing is refused';
    cmp_ok time - $start, '<', 3, 'at once';
    like $answer->header('Retry-After') // 'nothing', qr/\A\d+\z/, 'with Retry-After';
}

1;
