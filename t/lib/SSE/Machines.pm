package SSE::Machines;

# Several machines with nginx that share channels through Redis, each in a place of its own; the first Redis is the
# master, the others are its replicas.
#
#   use SSE::Network;
#   my $machines = SSE::Machines->start(machines => 3, replicas => 2, bus => 'acks=1');
#   my ($one, $two) = $machines->all;                 # SSE::Nginx
#   my ($master, $replica) = $machines->redis;        # SSE::Redis
#   SSE::Machines::cut($two);                         # from the machines and from Redis, not from its clients
#   SSE::Machines::heal($two);

use v5.36;
use SSE::Clock;
use SSE::Network;
use SSE::Nginx;
use SSE::Redis;

# Options: machines (how many, default 3), replicas (default 0), bus (options of sse_bus; undef: no bus at all), server (options of all SSE::Redis),
# nginx (options of all SSE::Nginx; http is more text there), clocks and redis_clocks (seconds that each is off by), url (what comes before the
# addresses; default redis://).
sub start ($class, %option) {
    my $self = bless { bus => '', url => 'redis://', %option }, $class;
    my ($clocks, $redis_clocks) = map { $_ // [] } @option{qw(clocks redis_clocks)};
    $self->{redis}    = [];
    $self->{redis}[$_] = $self->start_redis($redis_clocks->[$_] // 0) for 0 .. $option{replicas} // 0;
    $_->wait_synchronous for @{ $self->{redis} }[1 .. $#{ $self->{redis} }];
    $self->{machines} = [map { $self->start_machine($clocks->[$_] // 0) } 0 .. ($option{machines} // 3) - 1];
    return $self;
}

sub all    ($self) { return @{ $self->{machines} } }
sub redis  ($self) { return @{ $self->{redis} } }
sub master ($self) { return $self->{redis}[0] }

sub start_redis ($self, $offset) {
    my $place = SSE::Network->place;
    return SSE::Redis->start(
        address => $place->back,
        port    => 6379,
        inside  => [$place->inside],
        place   => $place,
        env     => { clock($offset) },
        @{ $self->{redis} } ? (replica_of => $self->{redis}[0]) : (),
        %{ $self->{server} // {} },
    );
}

sub directive ($self) {
    return '' unless defined $self->{bus};
    my $addresses = join ',', map { $_->address } $self->redis;
    my $trusted   = $self->{url} =~ /\Arediss/ ? 'ca=' . $self->certificates : '';
    return "sse_bus events $self->{url}$addresses $self->{bus} $trusted;";
}

# A file with the certificates of all Redis servers.
sub certificates ($self) {
    my $file = $self->master->prefix . '/all.pem';
    open my $handle, '>', $file or die "$file: $!";
    print $handle map { $_->read_file('certificate.pem') } $self->redis;
    close $handle or die "$file: $!";
    return $file;
}

# One more machine.
sub start_machine ($self, $offset = 0) {
    my $place = SSE::Network->place;
    my %more  = %{ $self->{nginx} // {} };
    my ($subscribe, $locations, $http) = map { $_ // '' } delete @more{qw(subscribe locations http)};
    my %usual = SSE::Nginx::usual(
        %more,
        subscribe => "sse_heartbeat 1s; $subscribe",
        locations => "location = /health { sse_health; } $locations",
    );
    return SSE::Nginx->start(
        address => $place->front,
        inside  => [$place->inside],
        place   => $place,
        env     => { clock($offset) },
        workers => 2,
        %more,
        %usual,
        http => "$usual{http} @{[$self->directive]} $http",
    );
}

sub cut  ($what)         { $what->{place}->cut }
sub heal ($what)         { $what->{place}->heal }
sub lose ($what, $share) { $what->{place}->lose($share) }

# The worker of a machine that reads from Redis.
sub follower ($self, $machine) {
    my @followers = $machine->log =~ /(\d+)#\d+: sse: bus "events": this worker follows/g;
    return $followers[-1];
}

# Whether a machine reports that it is healthy.
sub is_healthy ($machine) { return $machine->get('/health')->status == 200 }

sub wait_healthy ($self, $seconds = 30) {
    wait_until(sub { !grep { !is_healthy($_) } $self->all }, 'all machines to be well', $seconds);
}

# Ends the machines; returns the problems in their logs.
sub stop ($self) { return map { $_->stop } $self->all }

1;
