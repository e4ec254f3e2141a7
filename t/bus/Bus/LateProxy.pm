package Bus::LateProxy;

# An SSE::RedisProxy that delays packets like a slow network: what a connection has sent reaches Redis after its client has given up
# the connection.
#
#   $proxy->hold_back('event 7'); # from the next connection that sends this text, everything from there on
#   $proxy->has_kept;             # its client has gone
#   $proxy->release;              # Redis gets it; returns its answer, '' if Redis has closed that connection

use v5.36;
use parent 'SSE::RedisProxy';
use SSE::Relay;

sub hold_back ($self, $text) { return $self->order(hold_what_has => $text) }
sub has_kept  ($self)        { return $self->order('is_kept') }
sub release   ($self)        { return $self->order('let_go') }

# In the process of its own ------------------------------------------------------------------------------------------

sub hold_what_has ($self, $text) { $self->{text} = $text }
sub is_kept       ($self)        { return defined $self->{kept} }

sub received ($self, $pair, $side) {
    if ($side eq 'client' && !$pair->{holds} && defined $self->{text} && $pair->{from_client} =~ /\Q$self->{text}/) {
        $pair->{holds} = 1;
        delete $self->{text};
    }
    $self->SUPER::received($pair, $side) unless $side eq 'client' && $pair->{holds};
}

sub end_pair ($self, $pair) {
    return $self->SUPER::end_pair($pair) unless $pair->{holds} && !$pair->{ended};
    $self->{kept} = $pair;
    $pair->{ended} = 1;
    delete $self->{pairs}{$pair};
    close $pair->{client};
}

sub let_go ($self) {
    local $SIG{PIPE} = 'IGNORE';
    SSE::Relay::write_all($self->{kept}{server}, $self->{kept}{from_client});
    sysread $self->{kept}{server}, my $answer, 65_536;
    return $answer // '';
}

1;
