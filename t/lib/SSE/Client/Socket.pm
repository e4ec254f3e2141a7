package SSE::Client::Socket;

# HTTP/1 over a socket of our own, plain or TLS: sees every byte, chunk framing included.

use v5.36;
use parent 'SSE::Client';
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_ATTACH_FILTER SO_LINGER SO_RCVBUF TCP_NODELAY);
use Time::HiRes ();

# new(address => 127.0.0.1, port => n, tls => 0|1, alpn => protocol, rcvbuf => bytes): connects.
sub new ($class, %option) {
    my $socket = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'l', $option{rcvbuf} if $option{rcvbuf};
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, pack 'l', 1;
    my $address = Socket::inet_aton($option{address} // '127.0.0.1');
    # A signal interrupts connect, but not the connecting, which is waited for by another connect.
    until ($socket->connect($option{port}, $address)) {
        die "connect to $option{port}: $!" unless $!{EINTR};
    }
    if ($option{tls}) {
        require IO::Socket::SSL;
        # Making a context takes longer than all the rest.
        state $context = IO::Socket::SSL::SSL_Context->new(SSL_verify_mode => 0);
        my @how = $option{alpn} ? (SSL_verify_mode => 0, SSL_alpn_protocols => [$option{alpn}]) : (SSL_reuse_ctx => $context);
        $socket = IO::Socket::SSL->start_SSL($socket, @how, SSL_hostname => 'localhost')
            or die "TLS: $IO::Socket::SSL::SSL_ERROR";
    }
    $socket->blocking(0);
    return bless { socket => $socket, tls => $option{tls} }, $class;
}

sub send ($self, %request) {
    $self->begin(%request);
    my $version = $request{version} // '1.1';
    my $head    = "$request{method} $request{path} HTTP/$version\r\nHost: localhost\r\n";
    my @headers = @{ $request{headers} // [] };
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    if ($request{stream}) {
        $head .= "Transfer-Encoding: chunked\r\n";
    }
    elsif (defined $request{body}) {
        $head .= 'Content-Length: ' . length($request{body}) . "\r\n";
    }
    $self->write("$head\r\n" . ($request{body} // ''));
    return $self;
}

# Sends bytes as they are, for requests that no decent client would make.
sub send_raw ($self, $bytes, %request) {
    $self->begin(method => 'GET', %request);
    $self->write($bytes);
    return $self;
}

# Writes all of it. Gives up silently if the server has stopped reading: its response says why.
sub write ($self, $bytes) {
    my $deadline = Time::HiRes::time() + $SSE::Client::Patience;
    while (length $bytes) {
        # A TLS record must be offered again unchanged when it could not be written.
        my $written = $self->{socket}->syswrite($bytes, 16384);
        if ($written) {
            substr($bytes, 0, $written) = '';
            next;
        }
        return unless $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
        die "write: no progress\n" if Time::HiRes::time() > $deadline;
        IO::Select->new($self->{socket})->can_write(1);
    }
}

# A part of a streamed body, and its end.
sub feed ($self, $bytes) {
    $self->write(sprintf "%x\r\n%s\r\n", length $bytes, $bytes);
    return $self;
}

sub end ($self) {
    $self->write("0\r\n\r\n");
    return $self;
}

sub receive ($self, $seconds) {
    return if $self->{stalled};
    my $socket = $self->{socket} or return $self->{ended} = 'abort';
    # TLS may hold bytes that select does not know of.
    my $pending = $self->{tls} && $socket->pending;
    return unless $pending || IO::Select->new($socket)->can_read($seconds);
    my $count = $socket->sysread($self->{in}, $self->{limit} // 65536, length $self->{in});
    return if $count;
    return $self->lost($!) unless defined $count || $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR};
    $self->lost('') if defined $count;
}

# The connection is gone; a body that ends with the connection has then come to its clean end.
sub lost ($self, $error) {
    my $whole = defined $self->{status} && $self->{framing} eq 'close' && $error eq '';
    $self->{ended} ||= $whole ? 'clean' : 'abort';
}

sub expect_body ($self) {
    my $headers = $self->{headers};
    my $none = $self->{request}{method} eq 'HEAD' || $self->{status} == 204 || $self->{status} == 304;
    $self->{framing}
        = $none                                            ? 'length'
        : ($headers->{'transfer-encoding'} // '') =~ /chunked/i ? 'chunked'
        : defined $headers->{'content-length'}             ? 'length'
        :                                                    'close';
    $self->{need} = $self->{framing} eq 'length' && !$none ? $headers->{'content-length'} : 0;
    $self->{ended} ||= 'clean' if $self->{framing} eq 'length' && !$self->{need};
}

sub decode ($self) {
    return $self->decode_chunks if $self->{framing} eq 'chunked';
    return '' if $self->{framing} eq 'length' && !$self->{need};
    my $want = $self->{framing} eq 'close' ? length $self->{in} : $self->{need};
    my $part = substr $self->{in}, 0, $want, '';
    if ($self->{framing} eq 'length') {
        $self->{need} -= length $part;
        $self->{ended} = 'clean' unless $self->{need};
    }
    return $part;
}

# {need} is what is left of the current chunk, with the line end after it.
sub decode_chunks ($self) {
    my $out = '';
    while (length $self->{in}) {
        if ($self->{need} > 2) {
            my $part = substr $self->{in}, 0, $self->{need} - 2, '';
            $self->{need} -= length $part;
            $out .= $part;
        }
        elsif ($self->{need}) {
            last if length $self->{in} < $self->{need};
            substr($self->{in}, 0, 2, '') eq "\r\n" or die "a chunk does not end where it should\n";
            $self->{need} = 0;
        }
        elsif ($self->{in} =~ /\A0+\r\n(?:[^\r\n]+\r\n)*\r\n/) { # perhaps with trailers
            substr($self->{in}, 0, $+[0]) = '';
            $self->{ended} = 'clean';
            last;
        }
        elsif ($self->{in} =~ /\A([0-9a-f]+)\r\n/i && hex $1) {
            $self->{need} = 2 + hex $1;
            substr($self->{in}, 0, $+[0]) = '';
        }
        else {
            die "no chunk size\n" if $self->{in} !~ /\A(?:[0-9a-f]*(?:\r(?:\n(?:\r)?)?)?\z|0+\r\n)/i;
            last;
        }
    }
    return $out;
}

# Reads until the body has that many bytes, and as few bytes beyond them as possible.
sub read_body ($self, $bytes, $seconds = $SSE::Client::Patience) {
    return $self->pump_until(
        sub {
            my $missing = $bytes - length $self->{body};
            $self->{limit} = $missing < 1 ? 1 : $missing > 65536 ? 65536 : $missing;
            return $missing <= 0;
        },
        $seconds
    );
}

sub stall  ($self) { $self->{stalled} = 1; return $self }
sub resume ($self) { $self->{stalled} = 0; return $self }

# The network goes away: a filter (BPF, "return 0") drops all that arrives before TCP sees it, so nothing is acknowledged.
sub vanish ($self) {
    my $drop = pack 'S C C L', 6, 0, 0, 0;
    setsockopt $self->{socket}, SOL_SOCKET, SO_ATTACH_FILTER, pack 'S x![P] P', 1, $drop or die "filter: $!";
    return $self;
}

sub close ($self) {
    my $socket = delete $self->{socket} or return;
    $self->{ended} ||= 'abort';
    $self->{tls} ? $socket->close(SSL_no_shutdown => 1) : CORE::close $socket;
}

# Half-close: nothing more will be sent, but answers are welcome.
sub shut ($self) { shutdown $self->{socket}, 1 }

sub reset ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $self->{socket};
    $self->close;
}

sub DESTROY ($self) { $self->close }

1;
