#!/usr/bin/perl
# Many faults at once: workers are killed, reloaded, upgraded and run out of room while publishers and subscribers go on. In the end
# every subscriber must have every event of its channel once and in order, or a gap; and whenever there is a calm, the counters of
# nginx must be right.
#
#   t/chaos/chaos.pl [--seed N] [--seconds N] [--profile NAME] [--fault KIND]... [--publishers N] [--streamers N]
#                    [--subscribers N] [--channels N] [--pause SECONDS] [--calm SECONDS]
#
# Profiles: all (every fault), kills (a random worker is killed every second), storm (a reload every 500 ms). The faults
# are those of Chaos::Faults; `crash` needs a module built with -DSSE_FAULTS, see SSE::Faulty. --calm: the time between
# two calms. Prints a table, and exits with a status other than 0 if anything in it is wrong.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use Getopt::Long;
use List::Util qw(sum0);
use Time::HiRes qw(time);
use Chaos::Faults;
use Chaos::Gauges;
use Chaos::Leaving;
use Chaos::Load;
use SSE::Faulty;
use SSE::Nginx;

my @known   = (sort(keys %Chaos::Faults::period), @Chaos::Faults::lives);
my %profile = (all => \@known, kills => ['kill'], storm => ['hup']);
my %option = (
    seed => int rand 2**31, profile => 'all', pause => 0.005,
    publishers => 4, streamers => 2, subscribers => 200, channels => 50,
);
GetOptions(\%option, qw(seed=i seconds=f profile=s publishers=i streamers=i subscribers=i channels=i pause=f calm=f fault=s@))
    or die "chaos: see the head of $0\n";
$option{seconds} //= $option{profile} eq 'all' ? 60 : 20;
$option{calm}    //= $option{profile} eq 'all' ? 5 : $option{seconds};
chdir "$FindBin::Bin/../..";
$| = 1;
say "seed $option{seed}";
srand $option{seed};

# The faults: steady ones for most of the time, then those that end the life of a zone.
my $faulty = SSE::Faulty::module();
my @kinds  = @{ $option{fault} // $profile{ $option{profile} } // die "chaos: there is no profile \"$option{profile}\"\n" };
for my $kind (@kinds) {
    die "chaos: there is no fault \"$kind\" but @known\n" unless grep { $_ eq $kind } @known;
}
if (!$faulty && grep { $_ eq 'crash' } @kinds) {
    say 'no crash: ', SSE::Faulty::reason();
    @kinds = grep { $_ ne 'crash' } @kinds;
}
my @lives = grep { my $life = $_; grep { $_ eq $life } @kinds } @Chaos::Faults::lives;

$ENV{TEST_NGINX_MODULE} = $faulty if $faulty;
my ($megabytes, $drain) = (32, 1);
my $crash = $faulty ? 'sse_test_crash_at $arg_crash;' : '';
my $server = SSE::Nginx->start(
    daemon       => 1,
    workers      => 4,
    listen       => [qw(h1 tls h2c)],
    listen_flags => 'sndbuf=8k', # so that a stalled client blocks its stream
    zone         => "${megabytes}m",
    drain        => "${drain}s",
    publish      => $crash,
    locations    => "location = /metrics { sse_status format=prometheus; } location = /lines { sse_publish \$arg_channel; sse_framing lines; client_max_body_size 0; $crash }",
);
$server->allow(qr/exited on signal 9/, qr/zone "\w+" was locked by/);
$server->allow(qr/unknown directive "rubbish"/) if grep { $_ eq 'badconf' } @kinds;

my $load    = Chaos::Load->start(%option, server => $server);
my $verdict = $load->verdict;
my $faults  = Chaos::Faults->new(server => $server, load => $load, kinds => \@kinds, size => $megabytes);
my $gauges  = Chaos::Gauges->new(
    server => $server, load => $load, zone => 1,
    kills  => sub { return sum0(map { $faults->{injected}{$_} // 0 } qw(kill crash)) },
);
my $leaving = Chaos::Leaving->new(server => $server, limit => $drain + 2);
$load->watch($_) for $gauges, $leaving;

# What is wrong, besides what the verdict counts.
my @wrong;

sub steady_faults {
    my $until = time + $option{seconds};
    while (time < $until) {
        $load->order('go');
        my $calm = time + $option{calm};
        while (time < $calm && time < $until) {
            $faults->tick;
            $load->turn;
        }
        $faults->mend;
        $gauges->calm;
    }
    my $gaps = grep { $_->{gap} } map { @{ $_->{history} } } $load->subscribers;
    push @wrong, "$gaps gaps were told although no zone has lost anything" if $gaps;
}

sub one_life ($life) {
    $load->order('go');
    $load->go_on_for(1);
    $faults->inject($life);
    $load->go_on_for(0.5);
    $load->settle(" after $life");
}

my $time_to_nobody = 0;

sub end_of_all {
    $gauges->calm;
    $_->leave('close') for $load->subscribers;
    my $start = time;
    wait_until(sub { $gauges->status->{subscribers} == 0 }, 'nobody to be counted');
    $time_to_nobody = time - $start;
}

eval {
    steady_faults();
    $gauges->{zone} = 0 if @lives; # a zone counts only in its own life
    one_life($_) for @lives;
    end_of_all();
    1;
} or push @wrong, $@ =~ s/\n//r;
$load->stop;
$verdict->judge($load->subscribers);
push @wrong, $server->stop;

# The table ---------------------------------------------------------------------------------------------------------

sub row     ($name, $value) { printf "%-36s %10d\n",     $name, $value }
sub seconds($name, $value) { printf "%-36s %10.3f s\n", $name, $value }
sub total ($field) { return sum0(map { $_->{$field} // 0 } $load->subscribers) }

say '';
row("fault $_", $faults->{injected}{$_}) for @kinds;
row('connections of subscribers', total('connects'));
row('turned away',                total('turned_away'));
row($_, $verdict->{$_}) for qw(published streamed unanswered refused);
row('received', total('received'));
row($_, $verdict->{$_}) for qw(gaps excused lost doubled reordered foreign);
row('torn events',      total('torn'));
row('broken responses', total('broken'));
row('calms',            $gauges->{calms});
row('counters off',     scalar @{ $gauges->{off} });
seconds('longest time of a false count', $gauges->{worst});
seconds('nobody was counted after',      $time_to_nobody);
row('old workers that have left', $leaving->{gone});
row("later than sse_drain + 2 s", $leaving->{late});
seconds('the slowest of them took', $leaving->{slowest});
row('publishes slower than 1 s', $verdict->{slow});
seconds('slowest publish', $verdict->{slowest});

push @wrong, "$verdict->{$_} $_" for grep { $verdict->{$_} } qw(lost doubled reordered foreign);
push @wrong, 'torn events or broken responses' if total('torn') || total('broken');
# These bounds hold on a busy machine, too.
my $patience = $drain + 5;
push @wrong, 'a publish took more than 10 s'                         if $verdict->{slowest} > 10;
push @wrong, "an old worker took more than $patience s to leave"     if $leaving->{slowest} > $patience;
push @wrong, 'the count of subscribers was false for more than 10 s' if $gauges->{worst} > 10;
push @wrong, 'nothing was published' unless $verdict->{published};
# Only while a zone is copied, a publisher may be asked to try again.
push @wrong, "$verdict->{refused} events were refused: @{[%{ $verdict->{statuses} }]}"
    if $verdict->{refused} && (!grep { /grow|shrink|upgrade|rollback/ && $faults->{injected}{$_} } @kinds
        or grep { $_ != 503 } keys %{ $verdict->{statuses} });
push @wrong, @{ $gauges->{off} };
say "wrong: $_" for @wrong, @{ $verdict->{examples} };
say @wrong ? "seed $option{seed}: failed" : "seed $option{seed}: nothing is wrong";
exit(@wrong ? 1 : 0);
