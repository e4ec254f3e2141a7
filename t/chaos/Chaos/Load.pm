package Chaos::Load;

# The publishers and subscribers, and what they report. A test that waits for anything must use these methods, which keep the load going.

use v5.36;
use Chaos::Publisher;
use Chaos::Streamer;
use Chaos::Subscriber;
use Chaos::Verdict;
use IO::Select;
use Time::HiRes qw(time);

# Options: server, publishers, streamers, subscribers, channels (how many), pause (seconds between two events of a
# publisher), seed.
sub start ($class, %option) {
    my $self = bless { server => $option{server}, verdict => Chaos::Verdict->new, watchers => [], paused => 0 }, $class;
    $self->{publishers} = [
        map {
            my $class = $_ > $option{publishers} ? 'Chaos::Streamer' : 'Chaos::Publisher';
            $class->start(
                server   => $option{server},
                name     => "p$_",
                channels => $option{channels},
                pause    => $option{pause},
                seed     => $option{seed} + $_
            )
        } 1 .. $option{publishers} + $option{streamers}
    ];
    $self->order('pause');
    $self->{subscribers} = [
        map {
            Chaos::Subscriber->new(
                server  => $option{server},
                channel => 'c' . $_ % $option{channels},
                via     => $_ % 40 == 13 ? 'h2c' : $_ % 4 == 3 ? 'tls' : 'h1'
            )
        } 0 .. $option{subscribers} - 1
    ];
    $self->go_on_until(sub { $self->all_paused && !grep({ !defined $_->{first} } $self->subscribers) }, 'everybody to be there');
    return $self;
}

sub subscribers ($self) { return @{ $self->{subscribers} } }
sub publishers  ($self) { return @{ $self->{publishers} } }
sub verdict     ($self) { return $self->{verdict} }

# Calls the method `look` of an object in every turn.
sub watch ($self, $watcher) { push @{ $self->{watchers} }, $watcher }

sub order ($self, $what) {
    $self->{paused} = 0 if $what eq 'pause';
    $_->order($what) for $self->publishers;
}

sub all_paused ($self) { return $self->{paused} >= $self->publishers }

sub take_reports ($self, @reports) {
    for my $report (@reports) {
        $report->[0] eq 'paused' ? $self->{paused}++ : $self->{verdict}->take(@$report);
    }
}

# One turn: reads what has arrived, and lets the others reconnect.
sub turn ($self) {
    my @subscribers = $self->subscribers;
    $_->tend for @subscribers;
    my %whose = map { my $handle = $_->handle; $handle ? (fileno $handle => $_) : () } @subscribers;
    my $select = IO::Select->new(map { $_->handle } $self->publishers);
    $select->add(grep {defined} map { $_->handle } @subscribers);
    for my $handle ($select->can_read(0.02)) {
        my $subscriber = $whose{ fileno($handle) // -1 };
        $subscriber->read if $subscriber;
    }
    $self->take_reports($_->reports) for $self->publishers;
    $_->look for @{ $self->{watchers} };
}

# Keeps the load going until the condition holds; returns the seconds that this took.
sub go_on_until ($self, $condition, $what, $seconds = 60) {
    my $start = time;
    until ($condition->()) {
        die "waited $seconds s in vain for $what\n" if time - $start > $seconds;
        $self->turn;
    }
    return time - $start;
}

sub go_on_for ($self, $seconds) {
    my $until = time + $seconds;
    $self->go_on_until(sub { time > $until }, 'the time to pass', 2 * $seconds + 60);
}

# Whether every subscriber has everything, once nobody publishes any more.
sub settled ($self) {
    return $self->all_paused && !grep { !$self->{verdict}->has_newest($_) } $self->subscribers;
}

# Ends publishing, and waits until all subscribers have everything; returns the seconds that this took.
sub settle ($self, $when = '') {
    $self->order('pause');
    return $self->go_on_until(sub { $self->settled }, "everybody to have everything$when");
}

sub all_connected ($self) { return !grep { !$_->connected || $_->{asleep_until} } $self->subscribers }

sub received ($self) {
    my $count = 0;
    $count += $_->{received} for $self->subscribers;
    return $count;
}

# Ends the publishers.
sub stop ($self) { $self->take_reports($_->stop) for $self->publishers }

1;
