package SSE::RedisProxy;

# A process between a client and a Redis that does to commands and answers what networks, proxies and bad servers do.
#
#   my $proxy = SSE::RedisProxy->start(to => $redis);
#   $proxy->rule(match => '^XREAD ', cut => 40, times => 1); # of the next answer to XREAD 40 bytes, then the connection ends
#   $proxy->rule(match => '^ROLE', answer => "-LOADING Redis is loading the dataset in memory\r\n");
#   $proxy->clear;
#   $proxy->counts->{XREAD}; # how often it was asked that
#
# A rule is for the commands whose words, with spaces between them, match a pattern (a text), and tells what becomes of
# their answers:
#   answer => BYTES   these bytes at once, and Redis is not asked
#   cut    => N       N bytes of it, then the connection ends
#   hang   => N       N bytes of it, then silence
#   delay  => SECONDS all of it, so much later; those that follow wait for it
# times => N: for so many commands only; after => N: not for the first N.

use v5.36;
use IO::Select;
use IO::Socket::INET;
use POSIX    ();
use Socket   qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Storable ();
use SSE::Resp;
use Time::HiRes qw(time);

my $owner = $$;
my %running;

# Options: to (a SSE::Redis), address (where it listens, default 127.0.0.1).
sub start ($class, %option) {
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => $option{address} // '127.0.0.1', ReuseAddr => 1)
        or die "listen: $!";
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $near;
        $SIG{TERM} = 'DEFAULT';
        my $self = bless { listener => $listener, orders => $far, to => $option{to}->address }, $class;
        @$self{qw(rules counts pairs opened)} = ([], {}, {}, 0);
        eval { $self->run; 1 } or print STDERR "# proxy: $@";
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
sub rule   ($self, %rule) { return $self->order(add_rule => \%rule) }
sub clear  ($self)        { return $self->order('clear_rules') }         # no rules, no partition
sub counts ($self)        { return $self->order('get_counts') }          # {NAME OF A COMMAND => how often}
sub opened ($self)        { return $self->order('get_opened') }          # how many connections there have been
sub hits   ($self)        { return $self->order('get_hits') }            # how many commands have met a rule
sub reset  ($self)        { return $self->order('reset_all') }           # ends all connections
sub lead   ($self, $to)   { return $self->order(lead_to => $to->address) } # new connections go to that Redis
sub divide ($self)        { return $self->order('divide_all') }          # from here on nothing passes either way

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

sub add_rule     ($self, $rule) { push @{ $self->{rules} }, { hits => 0, %$rule } }
sub get_counts  ($self) { return $self->{counts} }
sub get_opened  ($self) { return $self->{opened} }
sub lead_to     ($self, $to) { $self->{to} = $to }
sub divide_all  ($self) { $self->{divided} = 1 }
sub reset_all   ($self) { $self->end_pair($_) for values %{ $self->{pairs} } }

sub clear_rules ($self) {
    $self->{rules}   = [];
    $self->{divided} = 0;
}

sub get_hits ($self) {
    my $sum = 0;
    $sum += $_->{hits} for @{ $self->{rules} };
    return $sum;
}

sub run ($self) {
    my $orders = $self->{orders};
    while (1) {
        my %pair = map { fileno $_->{client} => [$_, 'client'], fileno $_->{server} => [$_, 'server'] } values %{ $self->{pairs} };
        my $select = IO::Select->new($orders);
        $select->add($self->{listener}, map { @$_{qw(client server)} } values %{ $self->{pairs} }) unless $self->{divided};
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
    my $pair = { client => $client, server => $server, from_client => '', from_server => '', waiting => [] };
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
    $side eq 'client' ? $self->take_commands($pair) : $self->take_answers($pair);
}

sub take_commands ($self, $pair) {
    while (my ($length, $words) = SSE::Resp::parse($pair->{from_client})) {
        my $bytes = substr $pair->{from_client}, 0, $length, '';
        $self->{counts}{ uc $words->[0] }++;
        my $command = { rule => scalar $self->rule_for("@$words") };
        push @{ $pair->{waiting} }, $command;
        if ($command->{rule} && defined $command->{rule}{answer}) {
            $command->{bytes} = $command->{rule}{answer};
        }
        else {
            write_all($pair->{server}, $bytes);
        }
    }
}

sub rule_for ($self, $text) {
    for my $rule (@{ $self->{rules} }) {
        next unless $text =~ /$rule->{match}/;
        next if $rule->{after} && $rule->{after}-- > 0;
        next if defined $rule->{times} && $rule->{hits} >= $rule->{times};
        $rule->{hits}++;
        return {%$rule};
    }
    return;
}

sub take_answers ($self, $pair) {
    for my $command (grep { !defined $_->{bytes} } @{ $pair->{waiting} }) {
        my ($length) = SSE::Resp::parse($pair->{from_server}) or return;
        $command->{bytes} = substr $pair->{from_server}, 0, $length, '';
        $command->{due}   = time + $command->{rule}{delay} if $command->{rule} && $command->{rule}{delay};
    }
}

# Hands on the answers that are there and due, in the order of the commands.
sub deliver ($self, $pair) {
    my $waiting = $pair->{waiting};
    while (@$waiting && !$self->{divided} && !$pair->{mute} && !$pair->{ended}) {
        my $command = $waiting->[0];
        return unless defined $command->{bytes} && ($command->{due} // 0) <= time;
        shift @$waiting;
        my $rule = $command->{rule} // {};
        my $most = $rule->{cut} // $rule->{hang} // length $command->{bytes};
        write_all($pair->{client}, substr $command->{bytes}, 0, $most);
        $pair->{mute} = 1 if defined $rule->{hang};
        $self->end_pair($pair) if defined $rule->{cut};
    }
}

# The seconds until an answer that is held back is due; undef if there is none.
sub time_left ($self) {
    my ($first) = sort { $a <=> $b } map { $_->{waiting}[0]{due} // () } grep { @{ $_->{waiting} } } values %{ $self->{pairs} };
    return undef unless defined $first; ## no critic
    return $first > time ? $first - time : 0;
}

# A peer that is gone is noticed when it is read from.
sub write_all ($socket, $bytes) {
    while (length $bytes) {
        my $count = syswrite $socket, $bytes or return;
        substr($bytes, 0, $count) = '';
    }
}

1;
