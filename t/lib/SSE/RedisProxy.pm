package SSE::RedisProxy;

# A process between a client and a Redis that treats commands and replies as bad networks, proxies and servers do.
#
#   my $proxy = SSE::RedisProxy->start(to => $redis);
#   $proxy->rule(match => '^XREAD ', cut => 40, times => 1); # of the next answer to XREAD 40 bytes, then the connection ends
#   $proxy->rule(match => '^ROLE', answer => "-LOADING Redis is loading the dataset in memory\r\n");
#   $proxy->clear;
#   $proxy->counts->{XREAD}; # how often it was asked that
#
# A rule applies to the commands whose words, joined by spaces, match a pattern (a string), and says what happens to their
# replies:
#   answer => BYTES   these bytes at once, and Redis is not asked
#   cut    => N       N bytes of it, then the connection ends
#   hang   => N       N bytes of it, then silence
#   delay  => SECONDS all of it, so much later; those that follow wait for it
#   rate   => N       all of it, so many bytes a second
# times => N: for so many commands only; after => N: not for the first N.

use v5.36;
use parent 'SSE::Relay';
use SSE::Resp;
use Time::HiRes qw(time);

# Options: to (a SSE::Redis), address (where it listens, default 127.0.0.1).
sub start ($class, %option) { return $class->SUPER::start(%option, to => $option{to}->address) }

# Each of these returns when it is done.
sub rule   ($self, %rule) { return $self->order(add_rule => \%rule) }
sub clear  ($self)        { return $self->order('clear_rules') }         # no rules, no partition
sub counts ($self)        { return $self->order('get_counts') }          # {NAME OF A COMMAND => how often}
sub hits   ($self)        { return $self->order('get_hits') }            # how many commands have met a rule
sub lead   ($self, $to)   { return $self->order(lead_to => $to->address) } # new connections go to that Redis
sub divide ($self)        { return $self->order('divide_all') }          # from here on nothing passes either way

# In the process of its own ------------------------------------------------------------------------------------------

sub begin ($self) { @$self{qw(rules counts)} = ([], {}) }

sub add_rule    ($self, $rule) { push @{ $self->{rules} }, { hits => 0, %$rule } }
sub get_counts  ($self) { return $self->{counts} }
sub lead_to     ($self, $to) { $self->{to} = $to }
sub divide_all  ($self) { $self->{divided} = 1 }

sub clear_rules ($self) {
    $self->{rules}   = [];
    $self->{divided} = 0;
}

sub get_hits ($self) {
    my $sum = 0;
    $sum += $_->{hits} for @{ $self->{rules} };
    return $sum;
}

sub received ($self, $pair, $side) { $side eq 'client' ? $self->take_commands($pair) : $self->take_answers($pair) }

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
            SSE::Relay::write_all($pair->{server}, $bytes);
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
    for my $command (grep { !defined $_->{bytes} } @{ $pair->{waiting} // [] }) {
        my ($length) = SSE::Resp::parse($pair->{from_server}) or return;
        $command->{bytes} = substr $pair->{from_server}, 0, $length, '';
        $command->{due}   = time + $command->{rule}{delay} if $command->{rule} && $command->{rule}{delay};
    }
}

# Hands on the answers that are there and due, in the order of the commands.
sub deliver ($self, $pair) {
    my $waiting = $pair->{waiting} // [];
    while (@$waiting && !$self->{divided} && !$pair->{mute} && !$pair->{ended}) {
        my $command = $waiting->[0];
        return unless defined $command->{bytes} && ($command->{due} // 0) <= time;
        my $rule = $command->{rule} // {};
        return if $rule->{rate} && !deliver_slowly($pair, $command);
        shift @$waiting;
        my $most = $rule->{cut} // $rule->{hang} // length $command->{bytes};
        SSE::Relay::write_all($pair->{client}, substr $command->{bytes}, 0, $most);
        $pair->{mute} = 1 if defined $rule->{hang};
        $self->end_pair($pair) if defined $rule->{cut};
    }
}

# Hands on what may be by now, up to the last byte; returns whether the rest may be.
sub deliver_slowly ($pair, $command) {
    $command->{begun} //= time;
    $command->{given} //= 0;
    my $may  = int((time - $command->{begun}) * $command->{rule}{rate}) - $command->{given};
    my $part = substr $command->{bytes}, 0, $may, '';
    $command->{given} += length $part;
    SSE::Relay::write_all($pair->{client}, $part);
    $command->{due} = time + 0.02;
    return !length $command->{bytes};
}

# The seconds until an answer that is held back is due; undef if there is none.
sub time_left ($self) {
    my ($first) = sort { $a <=> $b } map { $_->{waiting}[0]{due} // () } grep { @{ $_->{waiting} // [] } } values %{ $self->{pairs} };
    return undef unless defined $first; ## no critic
    return $first > time ? $first - time : 0;
}

1;
