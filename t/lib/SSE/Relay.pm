package SSE::Relay;

# A process between a client and a server that forwards what they send, and takes orders while it runs. How it treats the
# data is up to the subclasses (SSE::RedisProxy, SSE::HttpProxy), which have
#   received($pair, $side)   bytes have been added to $pair->{from_client} or $pair->{from_server}
# and may have
#   time_left()              the seconds until something is to be done without anything coming; undef: never
#   deliver($pair)           what is to be done then, and after each turn
# A pair is a client's connection and that to the server; what a subclass calls by order() runs in the process.

use v5.36;
use IO::Select;
use IO::Socket::INET;
use POSIX    ();
use Socket   qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Storable ();

my $owner = $$;
my %running;

# Options: to (the address of the server, with its port), address (where it listens, default 127.0.0.1).
sub start ($class, %option) {
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => $option{address} // '127.0.0.1', ReuseAddr => 1)
        or die "listen: $!";
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $near;
        $SIG{TERM} = 'DEFAULT';
        my $self = bless { listener => $listener, orders => $far, to => $option{to}, pairs => {}, opened => 0 }, $class;
        eval { $self->begin; $self->run; 1 } or print STDERR "# proxy: $@";
        POSIX::_exit(0);
    }
    my ($address, $port) = ($listener->sockhost, $listener->sockport);
    close $_ for $far, $listener;
    $running{$pid} = 1;
    return bless { pid => $pid, orders => $near, address => $address, port => $port }, $class;
}

sub address ($self) { return "$self->{address}:$self->{port}" }
sub port    ($self) { return $self->{port} }

# Each of these returns when it is done.
sub opened ($self) { return $self->order('get_opened') } # how many connections there have been
sub reset  ($self) { return $self->order('reset_all') }  # ends all connections
sub hold   ($self) { return $self->order('hold_new') }   # new connections have to wait
sub unhold ($self) { return $self->order('let_new') }

sub order ($self, $method, @arguments) {
    Storable::store_fd([$method, @arguments], $self->{orders});
    $self->{orders}->flush;
    return Storable::fd_retrieve($self->{orders})->[0];
}

sub stop ($self) {
    my $pid = delete $self->{pid} or return;
    delete $running{$pid};
    local $?;
    kill TERM => $pid;
    waitpid $pid, 0;
}

END {
    if ($$ == $owner) {
        local $?;
        kill TERM => $_ for keys %running;
    }
}

# In the process of its own ------------------------------------------------------------------------------------------

sub begin     ($self)        { }
sub time_left ($self)        { return undef } ## no critic
sub deliver   ($self, $pair) { }

sub get_opened ($self) { return $self->{opened} }
sub hold_new   ($self) { $self->{held} = 1 }
sub let_new    ($self) { $self->{held} = 0 }
sub reset_all  ($self) { $self->end_pair($_) for values %{ $self->{pairs} } }

sub run ($self) {
    my $orders = $self->{orders};
    while (1) {
        my %pair = map { fileno $_->{client} => [$_, 'client'], fileno $_->{server} => [$_, 'server'] } values %{ $self->{pairs} };
        my $select = IO::Select->new($orders);
        $select->add($self->{listener}) unless $self->{divided} || $self->{held};
        $select->add(map { @$_{qw(client server)} } values %{ $self->{pairs} }) unless $self->{divided};
        for my $handle ($select->can_read($self->time_left)) {
            if ($handle == $orders) {
                $self->follow_order or return;
            }
            elsif ($handle == $self->{listener}) {
                $self->take_client;
            }
            else {
                my ($pair, $side) = @{ $pair{ fileno $handle // -1 } // next };
                $self->receive($pair, $side) unless $pair->{ended};
            }
        }
        $self->deliver($_) for values %{ $self->{pairs} };
    }
}

sub follow_order ($self) {
    return 0 if eof $self->{orders};
    my ($method, @arguments) = @{ Storable::fd_retrieve($self->{orders}) };
    Storable::store_fd([scalar $self->$method(@arguments)], $self->{orders});
    return $self->{orders}->flush;
}

sub take_client ($self) {
    my $client = $self->{listener}->accept or return;
    $self->{opened}++;
    my $server = IO::Socket::INET->new(PeerAddr => $self->{to}, Timeout => 1) or return; # closes the client, too
    my $pair = { client => $client, server => $server, from_client => '', from_server => '' };
    $self->{pairs}{$pair} = $pair;
}

sub end_pair ($self, $pair) {
    $pair->{ended} = 1;
    delete $self->{pairs}{$pair};
    shutdown $pair->{$_}, 2 for qw(client server);
    close $pair->{$_} for qw(client server);
}

sub receive ($self, $pair, $side) {
    sysread $pair->{$side}, $pair->{"from_$side"}, 262_144, length $pair->{"from_$side"} or return $self->end_pair($pair);
    $self->received($pair, $side);
}

# A peer that is gone is noticed when it is read from.
sub write_all ($socket, $bytes) {
    while (length $bytes) {
        my $count = syswrite $socket, $bytes or return;
        substr($bytes, 0, $count) = '';
    }
}

1;
