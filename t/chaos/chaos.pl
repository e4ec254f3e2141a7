#!/usr/bin/perl
# Everything that can go wrong at once: workers are killed, reloaded, upgraded and run out of room while publishers and
# subscribers go on. In the end every subscriber must have every event of its channel once and in order, or have been
# told of the gap.
#
#   t/chaos/chaos.pl [--seed N] [--seconds N] [--fault KIND]... [--publishers N] [--subscribers N]
#
# Ends with a table, and with a status other than 0 if anything in it is wrong. The faults are those of Chaos::Faults;
# `crash` needs a module built with -DSSE_FAULTS, see SSE::Faulty.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use Getopt::Long;
use IO::Select;
use List::Util qw(sum0);
use Time::HiRes qw(time);
use Chaos::Faults;
use Chaos::Publisher;
use Chaos::Subscriber;
use Chaos::Verdict;
use SSE::Faulty;
use SSE::Nginx;

my %option = (seed => int rand 2**31, seconds => 60, publishers => 4, subscribers => 200, channels => 50, pause => 0.005);
GetOptions(\%option, qw(seed=i seconds=f publishers=i subscribers=i channels=i pause=f fault=s@))
    or die "chaos: see the head of $0\n";
chdir "$FindBin::Bin/../..";
$| = 1;
say "seed $option{seed}";
srand $option{seed};

# What is injected: steady faults for most of the time, then those that end the life of a zone.
my $faulty = SSE::Faulty::module();
my @known  = (sort(keys %Chaos::Faults::period), @Chaos::Faults::lives);
my @kinds  = @{ $option{fault} // \@known };
for my $kind (@kinds) {
    die "chaos: there is no fault \"$kind\" but @known\n" unless grep { $_ eq $kind } @known;
}
if (!$faulty && grep { $_ eq 'crash' } @kinds) {
    say 'no crash: ', SSE::Faulty::reason();
    @kinds = grep { $_ ne 'crash' } @kinds;
}
my @lives = grep { my $life = $_; grep { $_ eq $life } @kinds } @Chaos::Faults::lives;

$ENV{TEST_NGINX_MODULE} = $faulty if $faulty;
my $megabytes = 32;
my $server = SSE::Nginx->start(
    daemon  => 1,
    workers => 4,
    listen  => [qw(h1 tls h2c)],
    zone    => "${megabytes}m",
    publish => $faulty ? 'sse_test_crash_at $arg_crash;' : '',
);
$server->allow(qr/exited on signal 9/, qr/shared memory zone "\w+" was locked by/, qr/unknown directive "rubbish"/);

# The load ----------------------------------------------------------------------------------------------------------

my @publishers = map {
    Chaos::Publisher->start(
        server   => $server,
        name     => "p$_",
        channels => $option{channels},
        pause    => $option{pause},
        seed     => $option{seed} + $_
    )
} 1 .. $option{publishers};
$_->order('pause') for @publishers;
my @subscribers = map {
    Chaos::Subscriber->new(
        server  => $server,
        channel => 'c' . $_ % $option{channels},
        via     => $_ % 40 == 13 ? 'h2c' : $_ % 4 == 3 ? 'tls' : 'h1'
    )
} 0 .. $option{subscribers} - 1;
my $verdict = Chaos::Verdict->new;
my $paused  = 0;

sub take_reports (@reports) {
    for my $report (@reports) {
        $report->[0] eq 'paused' ? $paused++ : $verdict->take(@$report);
    }
}

# One turn: reads what has come for anybody, and lets the others reconnect.
sub turn {
    $_->tend for @subscribers;
    my %whose = map { my $handle = $_->handle; $handle ? (fileno $handle => $_) : () } @subscribers;
    my $select = IO::Select->new(map { $_->handle } @publishers);
    $select->add(grep {defined} map { $_->handle } @subscribers);
    for my $handle ($select->can_read(0.02)) {
        my $subscriber = $whose{ fileno($handle) // -1 };
        $subscriber->read if $subscriber;
    }
    take_reports($_->reports) for @publishers;
}

# Lets the load go on until the condition holds; the seconds that it took.
sub go_on_until ($condition, $what, $seconds = 60) {
    my $start = time;
    until ($condition->()) {
        die "waited $seconds s in vain for $what\n" if time - $start > $seconds;
        turn();
    }
    return time - $start;
}

sub everybody_has_everything { return $paused >= @publishers && !grep { !$verdict->has_newest($_) } @subscribers }

my $faults = Chaos::Faults->new(
    server      => $server,
    subscribers => \@subscribers,
    publishers  => \@publishers,
    kinds       => \@kinds,
    size        => $megabytes,
    settled     => sub { everybody_has_everything() },
    wait        => sub ($condition, $what) { go_on_until($condition, $what) },
);

# What is off besides what the verdict counts.
my @wrong;
my %time;

# The truth about who is there, as the server sees it.
sub subscribers_counted {
    my $status = eval { $server->get('/status')->json } or return -1;
    return $status->{subscribers};
}

sub pause_publishers {
    $paused = 0;
    $_->order('pause') for @publishers;
}

eval {
    go_on_until(sub { $paused == @publishers && !grep { !defined $_->{first} } @subscribers }, 'everybody to be there');
    $_->order('go') for @publishers;

    my $until = time + $option{seconds};
    while (time < $until) {
        $faults->tick;
        turn();
    }
    pause_publishers();
    $time{'everybody had everything after'} = go_on_until(\&everybody_has_everything, 'everybody to have everything');
    my $gaps = grep { $_->{gap} } map { @{ $_->{history} } } @subscribers;
    push @wrong, "$gaps gaps were told although no zone has lost anything" if $gaps;

    for my $life (@lives) {
        $_->order('go') for @publishers;
        $paused = 0;
        my $start = time;
        go_on_until(sub { time - $start > 1 }, 'some load');
        $faults->inject($life);
        $start = time;
        go_on_until(sub { time - $start > 0.5 }, 'some load');
        pause_publishers();
        go_on_until(\&everybody_has_everything, "everybody to have everything after $life");
    }

    # All are still there: the counters have to say the same.
    $time{'the old workers were gone after'} = go_on_until(sub { !$server->leaving_workers }, 'the old workers to leave');
    $time{'subscriber counts were true after'} = go_on_until(
        sub { !grep({ !$_->connected } @subscribers) && subscribers_counted() == @subscribers }, 'true subscriber counts');
    1;
} or push @wrong, $@ =~ s/\n//r;

take_reports($_->stop) for @publishers;
$verdict->judge(@subscribers);

# Counters ----------------------------------------------------------------------------------------------------------

my $counters_off = 0;

sub counter ($name, $got, $expected) {
    return if $got == $expected;
    $counters_off++;
    push @wrong, "$name is $got and should be $expected";
}

if (!@wrong) {
    my $status = $server->get('/status')->json;
    counter('sum of subscribers', sum0(map { $_->{subscribers} } @{ $status->{workers} }), scalar @subscribers);
    counter('workers',            scalar @{ $status->{workers} },                          $server->{workers});
    counter('published', $status->{zones}{events}{published}, $verdict->distinct) if !@lives && !$faults->{injected}{grow};
    my %listening;
    $listening{ $_->{channel} }++ for @subscribers;
    for my $channel (sort keys %listening) {
        counter("subscribers of $channel", $server->get("/pub?channel=$channel")->json->{subscribers}, $listening{$channel});
    }
    $_->leave('close') for @subscribers;
    my $start = time;
    $counters_off++, push @wrong, $@ unless eval { wait_until(sub { subscribers_counted() == 0 }, 'nobody to be counted') };
    $time{'nobody was counted after'} = time - $start;
}
push @wrong, $server->stop;

# The table ---------------------------------------------------------------------------------------------------------

say '';
printf "%-28s %10d\n", "fault $_", $faults->{injected}{$_} for @kinds;
printf "%-28s %10d\n", $_->[0], $_->[1] for ['connections of subscribers', sum0(map { $_->{connects} } @subscribers)],
    ['turned away', sum0(map { $_->{turned_away} } @subscribers)], map { [$_, $verdict->{$_}] } qw(published unanswered refused);
printf "%-28s %10d\n", 'received', scalar map { @{ $_->{history} } } @subscribers;
printf "%-28s %10d\n", $_, $verdict->{$_} for qw(gaps excused lost doubled reordered foreign);
printf "%-28s %10d\n", 'torn events', sum0(map { $_->{torn} // 0 } @subscribers);
printf "%-28s %10d\n", 'broken responses', sum0(map { $_->{broken} // 0 } @subscribers);
printf "%-28s %10d\n", 'counters off', $counters_off;
printf "%-28s %10.3f s\n", 'slowest publish', $verdict->{slowest};
printf "%-34s %4.1f s\n", $_, $time{$_} for sort keys %time;

push @wrong, "$verdict->{$_} $_" for grep { $verdict->{$_} } qw(lost doubled reordered foreign);
push @wrong, 'torn events or broken responses' if grep { $_->{torn} || $_->{broken} } @subscribers;
push @wrong, 'a publish took more than 10 s' if $verdict->{slowest} > 10;
push @wrong, 'nothing was published' unless $verdict->{published};
# While a zone moves, and only then, a publisher may be told to try again.
push @wrong, "$verdict->{refused} events were refused: @{[%{ $verdict->{statuses} }]}"
    if $verdict->{refused} && (!grep { /grow|shrink|upgrade|rollback/ && $faults->{injected}{$_} } @kinds
        or grep { $_ != 503 } keys %{ $verdict->{statuses} });
say "wrong: $_" for @wrong, @{ $verdict->{examples} };
say @wrong ? "seed $option{seed}: failed" : "seed $option{seed}: nothing is wrong";
exit(@wrong ? 1 : 0);
