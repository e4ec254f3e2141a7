package Bus::Subscriber;

# A subscriber that moves to another machine with its cursor whenever its stream ends, and sometimes leaves on its own.

use v5.36;
use parent 'Chaos::Subscriber';
use Time::HiRes qw(time);

# Options: machines, channel, stay (seconds on one machine at most; 0: until the stream ends).
sub new ($class, %option) {
    return $class->SUPER::new(via => 'h1', %option);
}

sub connect ($self) {
    return if $self->{client} || time < $self->{not_before};
    my @others = grep { $_ != ($self->{server} // 0) } @{ $self->{machines} };
    $self->{server} = $others[rand @others] if @others;
    $self->{until}  = time + rand $self->{stay} if $self->{stay};
    $self->SUPER::connect;
}

# Half of the subscribers that leave reset the connection, perhaps in the middle of an event.
sub tend ($self) {
    rand() < 0.5 ? $self->leave('close') : $self->reset if $self->{client} && $self->{stay} && time > $self->{until};
    $self->SUPER::tend;
}

sub read ($self) {
    my $before = $self->{received};
    $self->SUPER::read;
    $self->{server}{last_delivery} = time if $self->{received} > $before;
}

1;
