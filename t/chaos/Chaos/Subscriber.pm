package Chaos::Subscriber;

# A subscriber that reconnects with its cursor whenever its stream ends, and keeps everything that it receives.

use v5.36;
use JSON::PP qw(decode_json);
use SSE::Util qw(mark_of);
use Time::HiRes qw(time);

# Options: server, channel, via.
sub new ($class, %option) {
    return bless { %option, history => [], received => 0, connects => 0, turned_away => 0, not_before => 0, opened => 0 }, $class;
}

# The handle to wait for; undef while it is stalled or not connected.
sub handle ($self) {
    my $client = $self->{client} or return;
    return if $self->{asleep_until};
    return $client->{socket} // $client->{output};
}

sub connected ($self) { return $self->{client} && ($self->{client}{status} // 0) == 200 }

# Connects if it is time to.
sub connect ($self) {
    return if $self->{client} || time < $self->{not_before};
    $self->{connects}++;
    $self->{client} = eval {
        local $SIG{ALRM} = sub { die "no connection\n" };
        Time::HiRes::alarm(5);
        $self->{server}->subscribe("/sub?channel=$self->{channel}", via => $self->{via}, cursor => $self->{cursor}, rcvbuf => 4096);
    };
    Time::HiRes::alarm(0);
    $self->{opened} = time;
    $self->{not_before} = time + 0.05 unless $self->{client};
}

# Ends a stall whose time is over, and gives up on a response that never begins.
sub tend ($self) {
    delete $self->{asleep_until} if $self->{asleep_until} && time > $self->{asleep_until};
    $self->leave('close') if $self->{client} && !defined $self->{client}{status} && time - $self->{opened} > 10;
    $self->connect;
}

# Takes what has arrived.
sub read ($self) {
    my $client = $self->{client} or return;
    my $whole = eval { $client->poll; 1 };
    $self->keep;
    if (defined $client->{status} && $client->{status} != 200) {
        $self->{turned_away}++;
        return $self->leave('close', 0.1);
    }
    return unless $client->{ended} || !$whole;
    $self->{broken}++ unless $whole;
    $self->{torn}++ if $client->{ended} eq 'clean' && $client->pending;
    $self->leave('close');
}

sub keep ($self) {
    my $client = $self->{client};
    for my $event (splice @{ $client->{events} }) {
        if ($event->{type} eq 'ready') {
            $self->{first} //= $event->{id};
            $self->reach($event->{id});
        }
        elsif ($event->{type} eq 'gap') {
            push @{ $self->{history} }, { gap => decode_json($event->{data}) };
            $self->reach($event->{id});
        }
        else {
            # Incomplete padding is kept, so the event is one that nobody has published.
            my $data = $event->{data} =~ s{/(\d+)/(x*)\z}{ $1 == length $2 ? '' : $& }er;
            push @{ $self->{history} }, { id => $event->{id}, data => $data };
            $self->{received}++;
            $self->reach($event->{id});
        }
    }
    $self->{cursor} = $client->last_event_id if $client->last_event_id ne '';
}

# It has everything up to this id in that life of the zone, or a gap.
sub reach ($self, $id) { $self->{newest}{ mark_of($id) } = $id }

sub leave ($self, $how, $delay = 0.02) {
    my $client = delete $self->{client} or return;
    delete $self->{asleep_until};
    $client->$how;
    $self->{not_before} = time + rand $delay;
}

# Reads nothing for that long.
sub stall ($self, $seconds) { $self->{asleep_until} = time + $seconds }

# Reads a few more bytes, and then resets the connection.
sub reset ($self) {
    my $client = $self->{client} or return;
    $client->{limit} = 1 + int rand 400;
    eval { $client->pump(0) };
    $self->keep;
    $self->leave('reset');
}

1;
