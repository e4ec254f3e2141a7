package SSE::Client::Uploads;

# HTTP/2 by hand, for many bodies that are sent over one connection at the same time, within the windows that the server
# grants in the beginning. Of an answer only its status and its body are known, and that only when it is complete.
#
#   my $connection = SSE::Client::Uploads->new(port => n);
#   my $stream = $connection->post('/pub?channel=a');
#   $connection->data($stream, 'hello', 1);
#   $connection->wait_until(sub { exists $connection->answers->{$stream} });

use v5.36;
use parent 'SSE::Client::Window';

sub new ($class, %option) {
    my $self = $class->SUPER::new(%option);
    $self->begin(method => 'POST');
    @$self{qw(next answers parts)} = (1, {}, {});
    $self->{carrier}->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame('SETTINGS', 0, 0, '');
    return $self;
}

# Begins a request with a body; the number of its stream.
sub post ($self, $path) {
    my $stream = $self->{next};
    $self->{next} += 2;
    my $fields = pack 'CC CC/a* CC/a*', 0x83, $self->{tls} ? 0x87 : 0x86, 0x04, $path, 0x01, 'localhost';
    $self->frame('HEADERS', 4, $stream, $fields); # END_HEADERS
    return $stream;
}

sub data ($self, $stream, $bytes, $end = 0) {
    while (length $bytes > 16_384) {
        $self->frame('DATA', 0, $stream, substr $bytes, 0, 16_384, '');
    }
    $self->frame('DATA', $end ? 1 : 0, $stream, $bytes);
    return $self;
}

sub abort ($self, $stream) { $self->frame('RST_STREAM', 0, $stream, pack 'N', 8) }

sub answers ($self) { return $self->{answers} }

# The answer as another client would have it.
sub answer ($self, $stream) {
    $self->wait_until(sub { exists $self->{answers}{$stream} });
    my ($status, $body) = ($self->{statuses}{$stream}, $self->{answers}{$stream});
    return bless { status => $status, headers => {}, body => $body, in => '', ended => 'clean' }, 'SSE::Client';
}

# As nginx writes it: from the static table of HPACK, or as a literal.
sub status_in ($fields) {
    my %known = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304, 0x8c => 400, 0x8d => 404, 0x8e => 500);
    $fields =~ s/\A\x20//;
    return $known{ ord $fields } // ($fields =~ /\A[\x08\x48]\x03(\d{3})/)[0];
}

# Reads until the condition holds.
sub wait_until ($self, $condition) {
    $self->pump_until($condition) or die "waited in vain for an answer\n";
}

sub take ($self, $type, $flags, $stream, $payload) {
    return $self->SUPER::take($type, $flags, 0, $payload) unless $stream;
    $self->{parts}{$stream} .= $payload if $type == 0;
    $self->{statuses}{$stream} //= status_in($payload) if $type == 1;
    $self->{answers}{$stream} //= $self->{parts}{$stream} // '' if $type == 3 || $type <= 1 && $flags & 1; # RST_STREAM, or the end
}

1;
