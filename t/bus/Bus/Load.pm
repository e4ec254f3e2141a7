package Bus::Load;

# Publishers and subscribers that move from machine to machine. A test that waits for anything must use these methods, which keep the
# load going.
#
#   my $load = Bus::Load->start(machines => [$machines->all]);
#   $load->go_on_for(2);
#   $load->settle;                # ends publishing, and waits until all subscribers have everything
#   $load->judge($redis);         # tests, and prints figures

use v5.36;
use Bus::Publisher;
use Bus::Subscriber;
use Bus::Verdict;
use Chaos::Subscriber;
use IO::Select;
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(time);

# Options: machines, publishers (4), subscribers (150), channels (30), pause (seconds between two events of a publisher, 0.01),
# stay (seconds that a subscriber stays on one machine at most, 2).
sub start ($class, %option) {
    my $self = bless { publishers => 4, subscribers => 150, channels => 30, pause => 0.01, stay => 2, %option }, $class;
    my $verdict = $self->{verdict} = Bus::Verdict->new;
    my @machines = (machines => $self->{machines});
    $self->{publishers} = [
        map { Bus::Publisher->new(@machines, name => "p$_", channels => $self->{channels}, pause => $self->{pause}, verdict => $verdict) }
            1 .. $self->{publishers}
    ];
    $self->{subscribers} = [
        map { Bus::Subscriber->new(@machines, channel => 'c' . $_ % $self->{channels}, stay => $self->{stay}) }
            0 .. $self->{subscribers} - 1
    ];
    $self->go_on_until(sub { !grep { !defined $_->{first} } $self->subscribers }, 'all subscribers to be there');
    $self->go;
    return $self;
}

sub subscribers ($self) { return @{ $self->{subscribers} } }
sub publishers  ($self) { return @{ $self->{publishers} } }
sub verdict     ($self) { return $self->{verdict} }
sub go          ($self) { $_->go for $self->publishers }

# Uses these machines from now on.
sub machines ($self, @machines) { @{ $self->{machines} } = @machines }

# One turn: reads what has arrived, and starts what is due.
sub turn ($self) {
    my @everybody = ($self->subscribers, $self->publishers);
    $_->tend for @everybody;
    my %whose  = map { my $handle = $_->handle; $handle ? (fileno $handle => $_) : () } @everybody;
    my $select = IO::Select->new(grep {defined} map { $_->handle } @everybody);
    for my $handle ($select->can_read(0.005)) {
        my $who = $whose{ fileno($handle) // -1 };
        $who->read if $who;
    }
    $_->() for @{ $self->{watchers} // [] };
}

# Calls a function in every turn.
sub watch ($self, $function) { push @{ $self->{watchers} }, $function }

# Keeps the load going until the condition holds; returns the seconds that this took.
sub go_on_until ($self, $condition, $what, $seconds = 30) {
    my $start = time;
    until ($condition->()) {
        die "waited $seconds s in vain for $what\n" if time - $start > $seconds;
        $self->turn;
    }
    return time - $start;
}

sub go_on_for ($self, $seconds) {
    my $until = time + $seconds;
    $self->go_on_until(sub { time > $until }, 'the time to pass', $seconds + 30);
}

# Waits until each of these machines has acknowledged a request that began from now on, and has delivered an event since; returns the
# seconds that this took.
sub recover ($self, @machines) {
    @machines = @{ $self->{machines} } unless @machines;
    my $start = time;
    my $works = sub ($machine) {
        return ($machine->{last_answer} // 0) > $start && ($machine->{last_delivery} // 0) > $start;
    };
    return $self->go_on_until(sub { !grep { !$works->($_) } @machines }, 'all machines to work again');
}

# Ends publishing, and waits until all subscribers have everything; returns the seconds that this took.
sub settle ($self, $seconds = 30) {
    $_->pause for $self->publishers;
    my $settled = sub {
        return !grep({ !$_->rests } $self->publishers) && !grep { !$self->{verdict}->has_newest($_) } $self->subscribers;
    };
    return $self->go_on_until($settled, 'everybody to have everything', $seconds);
}

sub total ($self, $field) { return sum0(map { $_->{$field} // 0 } $self->subscribers) }

# Tests that no event is doubled, or lost without a gap. Options: missing (1: acknowledged events may be missing in Redis, if gaps
# report them), redis (to compare with, if any), stream (its key).
sub judge ($self, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $verdict = $self->{verdict};
    $verdict->learn($option{redis}, $option{stream} // 'sse:events') if $option{redis};
    $verdict->judge($self->subscribers);
    $verdict->judge_stream if $option{redis};
    is $verdict->{$_}, 0, "no event $_" or diag map {"$_\n"} @{ $verdict->{examples} } for qw(lost doubled reordered foreign twice);
    is $verdict->{missing}, 0, 'no event that was acknowledged is missing in Redis'
        or diag map {"$_\n"} @{ $verdict->{missing_events} }[0 .. 9]
        unless $option{missing};
    is $self->total('torn') + $self->total('broken'), 0, 'no event torn, no response broken';
    cmp_ok $verdict->{published}, '>', 0, "$verdict->{published} events were published";
    $self->tell;
}

# Prints figures.
sub tell ($self) {
    my $verdict = $self->{verdict};
    diag sprintf '%d published, %d received, %d connections; unanswered %d, unknown %d, refused %d (%s), repeated %d, fewer replicas %d',
        $verdict->{published}, $self->total('received'), $self->total('connects'), @$verdict{qw(unanswered unknown refused)},
        join(' ', map {"$_: $verdict->{statuses}{$_}"} sort keys %{ $verdict->{statuses} }), @$verdict{qw(repeated fewer_replicas)};
    diag sprintf 'gaps: lost %d, unknown %d, evicted %d; excused %d, unsettled %d, missing %d; slowest publish %.2f s, slowest failure %.2f s',
        @$verdict{qw(gaps_lost gaps_unknown gaps_evicted excused unsettled missing slowest slowest_failure)};
}

1;
