package SSE::Pipeline;

# Many small publishes in little time: requests are written one after the other on one connection, and the responses are
# read together.
#
#   my @status = SSE::Pipeline->new($server)->publish(map { ["/pub?channel=c$_", 'hello'] } 1 .. 100_000);

use v5.36;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

# How many are sent at once: few enough for the buffers of the kernel, so that neither side waits for the other to read.
my $Window = 200;

sub new ($class, $server) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) or die "connect: $!";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, pack 'l', 1;
    return bless { socket => $socket }, $class;
}

# Each request is [path, body]; the status of each answer, in the same order.
sub publish ($self, @requests) {
    my @status;
    while (my @some = splice @requests, 0, $Window) {
        $self->write(join '', map { request(@$_) } @some);
        push @status, $self->answers(scalar @some);
    }
    return @status;
}

sub request ($path, $body) {
    return "POST $path HTTP/1.1\r\nHost: localhost\r\nContent-Length: @{[length $body]}\r\n\r\n$body";
}

sub write ($self, $text) {
    while (length $text) {
        my $written = syswrite $self->{socket}, $text;
        defined $written or die "write: $!\n";
        substr($text, 0, $written) = '';
    }
}

# The body of each answer is one line.
sub answers ($self, $count) {
    my $text = '';
    until (($text =~ tr/}//) >= $count && $text =~ /\}\n\z/) {
        sysread $self->{socket}, $text, 65536, length $text or die "the connection was closed\n";
    }
    return $text =~ m{^HTTP/1\.1 (\d+)}mg;
}

1;
