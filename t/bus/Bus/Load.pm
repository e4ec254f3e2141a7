package Bus::Load;

# Publishers and subscribers that go from machine to machine, and the time that passes for them. Whoever waits for anything
# waits here, so that the load goes on meanwhile.
#
#   my $load = Bus::Load->start(machines => [$machines->all]);
#   $load->go_on_for(2);
#   $load->settle;                # nobody publishes any more, and everybody has everything
#   $load->judge($redis);         # tests, and figures as a diag

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

# Another set of machines from here on.
sub machines ($self, @machines) { @{ $self->{machines} } = @machines }

# One turn: reads what has come for anybody, and lets the others begin what is due.
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

# Has a function called in every turn.
sub watch ($self, $function) { push @{ $self->{watchers} }, $function }

# Lets the load go on until the condition holds; the seconds that it took.
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

# The seconds until each of these machines has answered a publisher whose request began from now on, and has handed out an
# event to a subscriber after that.
sub recover ($self, @machines) {
    @machines = @{ $self->{machines} } unless @machines;
    my $start = time;
    my $works = sub ($machine) {
        return ($machine->{last_answer} // 0) > $start && ($machine->{last_delivery} // 0) > $start;
    };
    return $self->go_on_until(sub { !grep { !$works->($_) } @machines }, 'all machines to work again');
}

# Nobody publishes from here on, and everybody has everything; the seconds that this took.
sub settle ($self, $seconds = 30) {
    $_->pause for $self->publishers;
    my $settled = sub {
        return !grep({ !$_->rests } $self->publishers) && !grep { !$self->{verdict}->has_newest($_) } $self->subscribers;
    };
    return $self->go_on_until($settled, 'everybody to have everything', $seconds);
}

sub total ($self, $field) { return sum0(map { $_->{$field} // 0 } $self->subscribers) }

# Tests: nothing silent, nothing doubled. Options: missing (1: acknowledged events may be missing in Redis, and are then told
# to be lost), redis (to be compared with; none: not), stream (its key).
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

# Figures.
sub tell ($self) {
    my $verdict = $self->{verdict};
    diag sprintf '%d published, %d received, %d connections; unanswered %d, unknown %d, refused %d (%s), repeated %d, fewer replicas %d',
        $verdict->{published}, $self->total('received'), $self->total('connects'), @$verdict{qw(unanswered unknown refused)},
        join(' ', map {"$_: $verdict->{statuses}{$_}"} sort keys %{ $verdict->{statuses} }), @$verdict{qw(repeated fewer_replicas)};
    diag sprintf 'gaps: lost %d, unknown %d, evicted %d; excused %d, unsettled %d, missing %d; slowest publish %.2f s, slowest failure %.2f s',
        @$verdict{qw(gaps_lost gaps_unknown gaps_evicted excused unsettled missing slowest slowest_failure)};
}

1;
