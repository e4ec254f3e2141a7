package Chaos::Faults;

# The faults of nginx and of its clients while events are published. Those in %period happen repeatedly and must not lose events; those
# in @lives end the life of a zone, or make it smaller, and what is lost then must be reported as a gap.

use v5.36;
use SSE::Nginx;
use Time::HiRes qw(time);

our %period = (
    kill     => 1,
    crash    => 0.7,
    hup      => 0.5,
    badconf  => 1.9,
    workers  => 2.3,
    grow     => 4.1,
    stall    => 0.05,
    reset    => 0.05,
);
our @lives = qw(shrink upgrade rollback);

# Options: server, load, kinds, size (of the zone, in megabytes).
sub new ($class, %option) {
    return bless { %option, next => {}, injected => { map { $_ => 0 } @{ $option{kinds} } } }, $class;
}

# Injects what is due.
sub tick ($self) {
    my $now = time;
    for my $kind (grep { $period{$_} } @{ $self->{kinds} }) {
        my $due = $self->{next}{$kind} //= $now + rand $period{$kind};
        next if $now < $due;
        $self->{next}{$kind} = $now + $period{$kind} * (0.75 + rand 0.5);
        $self->{injected}{$kind}++ if $self->$kind;
    }
}

# Injects a fault that takes a while.
sub inject ($self, $kind) {
    $self->$kind;
    $self->{injected}{$kind}++;
}

sub kill ($self) {
    my $server = $self->{server};
    my @pids = rand() < 0.8 ? $server->workers : $server->leaving_workers;
    return @pids && CORE::kill KILL => $pids[rand @pids];
}

# Asks a publisher to crash a worker in the middle of taking an event.
sub crash ($self) {
    my @publishers = $self->{load}->publishers;
    $publishers[rand @publishers]->order('crash');
    return 1;
}

sub hup ($self, $configuration = $self->{server}->configuration) {
    $self->{server}->write_file('nginx.conf', $configuration);
    $self->{server}->signal('HUP');
    return 1;
}

sub badconf ($self) { return $self->hup($self->{server}->configuration =~ s/(?=http \{)/rubbish;\n/r) }

sub workers ($self) {
    $self->{server}{workers} = (1, 2, 4, 8)[rand 4];
    return $self->hup;
}

sub resize ($self, $size) {
    my $server = $self->{server};
    $server->{http} =~ s/(?<=sse_zone events )\S+(?=;)/$size/ or die 'no zone';
    return $self->hup;
}

sub grow ($self) {
    $self->{size} += 4;
    return $self->resize("$self->{size}m");
}

# Makes sure that nginx has the right configuration: two signals at the same time count as one, and a bad configuration may have
# replaced a good one.
sub mend ($self) {
    return unless grep { $self->{injected}{$_} } qw(badconf workers grow);
    my %old = map { $_ => 1 } $self->{server}->workers;
    $self->hup;
    my $mended = sub {
        my @now = $self->{server}->workers;
        return @now == $self->{server}{workers} && !grep { $old{$_} } @now;
    };
    $self->wait($mended, 'new workers');
}

sub wait ($self, $condition, $what) { return $self->{load}->go_on_until($condition, $what) }

sub shrink ($self) {
    my $mark = $self->{server}->log_mark;
    $self->resize('256k');
    $self->wait(sub { $self->{server}->log_since($mark) =~ /taken over/ }, 'the smaller zone');
    $self->wait(sub { !$self->{server}->leaving_workers }, 'the old workers to leave');
}

sub end_master ($self, $master) {
    CORE::kill QUIT => $master or die "kill $master: $!";
    $self->wait(sub { !SSE::Nginx::is_running($master) }, 'the other master to end');
}

# While there are two masters, each with a zone of its own, publishers and subscribers connect sometimes to one and sometimes to the
# other.
sub to_and_fro ($self) {
    my $until = time + 1;
    while (time < $until) {
        $self->reset;
        $self->{load}->order('reconnect') if rand() < 0.1;
        $self->{load}->turn;
    }
}

sub upgrade ($self) {
    my $old = $self->{server}->upgrade;
    $self->to_and_fro;
    $self->end_master($old);
}

# The new nginx gets all the load for a while; then the old one gets it back, with its old zone.
sub rollback ($self) {
    my $server = $self->{server};
    my $old    = $server->upgrade;
    $self->to_and_fro;
    CORE::kill WINCH => $old;
    $self->wait(sub { keys %{ $server->children($old) } == 1 }, 'the old workers to leave');
    $self->{load}->go_on_for(1);

    my $new = $server->{pid};
    CORE::kill HUP => $old;
    $server->become($old);
    $self->wait(sub { @{ [$server->workers] } == $server->{workers} }, 'workers of the old master');
    $self->to_and_fro;
    $self->end_master($new);
}

sub stall ($self) { return $self->somebody(sub ($subscriber) { $subscriber->stall(0.2 + rand 1.5) }) }
sub reset ($self) { return $self->somebody(sub ($subscriber) { $subscriber->reset }) }

sub somebody ($self, $what) {
    my @connected = grep { $_->connected && !$_->{asleep_until} } $self->{load}->subscribers;
    return 0 unless @connected;
    $what->($connected[rand @connected]);
    return 1;
}

1;
