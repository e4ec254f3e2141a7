package SSE::Client::Window;

# HTTP/2 by hand: for a subscriber with a window of any size, so that the server may send only what the test has granted, and
# for a request whose body is divided into frames in any way.
# Of the head of the answer there is the status only, but body, events and end are as in every SSE::Client. It does not mind a
# GOAWAY. Beside the stream there may be a download, of which only {downloaded} (bytes) and {whole} are known.
#
#   my $client = SSE::Client::Window->new(port => n, tls => 0|1, window => 1)->subscribe('/sub?channel=a');
#   $client->grant(1);
#   $client->download('/big');
#   my $publisher = SSE::Client::Window->new(port => n)->request(POST => '/pub', 'content-length' => 4);
#   $publisher->feed('ab')->feed('cd')->end;

use v5.36;
use parent 'SSE::Client';
use SSE::Client::Socket;

my %type = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8);

sub new ($class, %option) {
    my $carrier = SSE::Client::Socket->new(%option, alpn => 'h2');
    return bless { carrier => $carrier, tls => $option{tls}, window => $option{window} // 65535 }, $class;
}

sub frame ($self, $type, $flags, $stream, $payload) {
    my $length = length $payload;
    $self->{carrier}->write(pack 'CnCCN a*', $length >> 16, $length & 0xffff, $type{$type}, $flags, $stream, $payload);
}

sub subscribe ($self, $path) {
    $self->start('GET');
    $self->{status} = 200;
    return $self->get(1, $path);
}

sub start ($self, $method) {
    $self->begin(method => $method);
    $self->{headers} = { 'content-type' => 'text/event-stream' };
    $self->{carrier}->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame('SETTINGS', 0, 0, pack 'nN', 4, $self->{window});
}

# The header fields are literals, or in the static table of HPACK.
sub fields ($self, $method, $path, @more) {
    my $fields = pack 'CC/a* C CC/a* CC/a*', 0x02, $method, $self->{tls} ? 0x87 : 0x86, 0x04, $path, 0x01, 'localhost';
    while (my ($name, $value) = splice @more, 0, 2) {
        $fields .= pack 'CC/a*C/a*', 0, $name, $value;
    }
    return $fields;
}

sub get ($self, $stream, $path) {
    $self->frame('HEADERS', 5, $stream, $self->fields(GET => $path)); # END_STREAM, END_HEADERS
    return $self;
}

# A request whose body follows by feed and end: at most 64k, which is what the server accepts without a further grant.
sub request ($self, $method, $path, @headers) {
    $self->start($method);
    $self->frame('HEADERS', 4, 1, $self->fields($method, $path, @headers)); # END_HEADERS
    return $self;
}

sub feed ($self, $bytes) {
    $self->frame('DATA', 0, 1, $_) for unpack '(a16384)*', $bytes;
    return $self;
}

sub end ($self) {
    $self->frame('DATA', 1, 1, ''); # END_STREAM
    return $self;
}

# What comes of it is granted again.
sub download ($self, $path) {
    $self->{downloaded} = 0;
    return $self->get(3, $path);
}

sub take_download ($self, $bytes, $flags) {
    $self->{downloaded} += $bytes;
    $self->{whole} = 1 if $flags & 1;
    $self->frame('WINDOW_UPDATE', 0, $_, pack 'N', $bytes) for $bytes ? (0, 3) : ();
}

sub ping ($self) { $self->frame('PING', 0, 0, 'anything') }

# Lets the server send so many bytes more.
sub grant ($self, $bytes) {
    $self->frame('WINDOW_UPDATE', 0, $_, pack 'N', $bytes) for 0, 1;
    return $self;
}

sub receive ($self, $seconds) {
    my $carrier = $self->{carrier};
    $carrier->{in} //= '';
    $carrier->receive($seconds);
    while (length $carrier->{in} >= 9) {
        my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $carrier->{in};
        my $length = $high << 16 | $low;
        last if length $carrier->{in} < 9 + $length;
        my $payload = substr $carrier->{in}, 9, $length;
        substr($carrier->{in}, 0, 9 + $length) = '';
        $self->take($type, $flags, $stream, $payload);
    }
    $self->{ended} ||= 'abort' if $carrier->{ended};
}

sub take ($self, $type, $flags, $stream, $payload) {
    return $self->take_download(length $payload, $flags) if $type == $type{DATA} && $stream == 3;
    if    ($type == $type{DATA})                     { $self->{in} .= $payload }
    elsif ($type == $type{SETTINGS} && !($flags & 1)) { $self->frame('SETTINGS', 1, 0, '') }
    elsif ($type == $type{PING} && !($flags & 1))     { $self->frame('PING', 1, 0, $payload) }
    $self->{ended} ||= 'abort' if $type == $type{RST_STREAM} || $type == $type{GOAWAY} && substr($payload, 4, 4) ne "\0\0\0\0";
    return if $stream != 1;
    $self->{status} //= status_of($payload) if $type == $type{HEADERS};
    $self->{ended} ||= 'clean' if ($type == $type{DATA} || $type == $type{HEADERS}) && $flags & 1;
}

# The status is the first field: in the static table, or a literal. An update of the size of the dynamic table may precede it.
sub status_of ($fields) {
    state $table = { 0x88 => 200, 0x89 => 204, 0x8c => 400, 0x8d => 404, 0x8e => 500 };
    $fields =~ s/\A[\x20-\x3f]//;
    return $table->{ ord $fields } // ($fields =~ /\A[\x08\x48]\x03(\d{3})/ ? $1 : die 'no status in the first field');
}

sub decode ($self) { return substr $self->{in}, 0, length $self->{in}, '' }

sub vanish ($self) { $self->{carrier}->vanish; return $self }
sub close  ($self) { $self->{carrier}->close }
sub reset  ($self) { $self->{carrier}->reset }

1;
