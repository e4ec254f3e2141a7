package Bus::Publisher;

# A publisher of numbered events that goes on with each until it is acknowledged, on one machine or another. Each event has
# an Idempotency-Key, so that one whose fate nobody knows can be sent again.
#
# The data of an event is CHANNEL/NAME/NUMBER, which the verdict knows it by.

use v5.36;
use SSE::Client;
use Time::HiRes qw(time);

# Options: machines, name, channels (how many), pause (seconds between two events, on average), verdict, most (seconds that an
# answer may take; then it counts as none).
sub new ($class, %option) {
    return bless { most => 10, %option, number => 0, next => 0, paused => 1, connections => {} }, $class;
}

sub pause ($self) { $self->{paused} = 1 }
sub go    ($self) { $self->{paused} = 0 }

# Whether it has nothing under way.
sub rests ($self) { return $self->{paused} && !$self->{event} }

# What to wait on; undef if there is nothing.
sub handle ($self) { return $self->{client} && $self->{client}{socket} }

# Begins what is due.
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

# On the connection that it has with that machine, if it has one.
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
    # Whether it was published is not known, or it was not. Either way it is sent again.
    my $what = !$status ? 'unanswered' : ($answer->{published} // '') eq 'unknown' ? 'unknown' : 'refused';
    $verdict->take_failure($what, $status, $event->{channel}, $event->{data}, time - $self->{sent});
    $self->{next} = time + 0.05 + rand 0.1;
}

1;
