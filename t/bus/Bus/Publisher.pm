package Bus::Publisher;

# A publisher of numbered events that repeats each until it is acknowledged, on one machine or another. Each event has an
# Idempotency-Key, so that it can be sent again if its outcome is unknown.
#
# The data of an event is CHANNEL/NAME/NUMBER, by which the verdict identifies it.

use v5.36;
use SSE::Client;
use Time::HiRes qw(time);

# Options: machines, name, channels (how many), pause (seconds between two events, on average), verdict, most (seconds that an
# answer may take; later ones count as missing).
sub new ($class, %option) {
    return bless { most => 10, %option, number => 0, next => 0, paused => 1, connections => {} }, $class;
}

sub pause ($self) { $self->{paused} = 1 }
sub go    ($self) { $self->{paused} = 0 }

# Whether it is paused and waits for no answer.
sub rests ($self) { return $self->{paused} && !$self->{event} }

# The socket to wait for, if any.
sub handle ($self) { return $self->{client} && $self->{client}{socket} }

# Starts what is due.
sub tend ($self) {
    return if time < $self->{next};
    if ($self->{client}) {
        $self->conclude if time - $self->{sent} > $self->{most};
        return;
    }
    return $self->send if $self->{event};
    return if $self->{paused};
    my $channel = 'c' . int rand $self->{channels};
    my $number  = ++$self->{number};
    $self->{event} = { channel => $channel, data => "$channel/$self->{name}/$number", begun => time };
    $self->send;
}

# Uses the connection that it has to that machine, if any.
sub send ($self) {
    my @machines = @{ $self->{machines} };
    my $machine  = $self->{machine} = $machines[rand @machines];
    my $event    = $self->{event};
    $self->{sent} = time;
    my $done = eval {
        local $SIG{ALRM} = sub { die "no connection\n" };
        Time::HiRes::alarm(5);
        my $connection = delete $self->{connections}{$machine} // $machine->connect;
        $self->{client} = $machine->request(
            POST    => "/pub?channel=$event->{channel}",
            body    => $event->{data},
            headers => ['Idempotency-Key' => $event->{data}],
            on      => $connection,
        );
        1;
    };
    Time::HiRes::alarm(0);
    $self->{next} = time + 0.1 unless $done;
}

# Takes what has arrived.
sub read ($self) {
    my $client = $self->{client} or return;
    eval { $client->poll; 1 } or $client->{ended} = 'abort';
    $self->conclude if $client->{ended};
}

sub conclude ($self) {
    my ($client, $event, $verdict) = (delete $self->{client}, @$self{qw(event verdict)});
    my $whole  = ($client->{ended} // '') eq 'clean';
    my $status = $whole ? $client->{status} : 0;
    my $answer = $whole && $client->json || {};
    my $stays  = $whole && ($client->{headers}{connection} // '') ne 'close';
    $stays ? $self->{connections}{ $self->{machine} } = $client : $client->close;
    $self->{next} = time + rand 2 * $self->{pause};
    if ($status >= 200 && $status < 300) {
        $verdict->take('ok', $event->{channel}, $event->{data}, $answer->{id}, time - $event->{begun});
        $verdict->{repeated}++ if $answer->{repeated};
        $verdict->{fewer_replicas}++ if $status == 202;
        $self->{machine}{last_answer} = $self->{sent};
        delete $self->{event};
        return;
    }
    # It was not published, or that is unknown. In both cases it is sent again.
    my $what = !$status ? 'unanswered' : ($answer->{published} // '') eq 'unknown' ? 'unknown' : 'refused';
    $verdict->take_failure($what, $status, $event->{channel}, $event->{data}, time - $self->{sent});
    $self->{next} = time + 0.05 + rand 0.1;
}

1;
