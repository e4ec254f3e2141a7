package SSE::Resp;

# The protocol that Redis speaks (RESP2), as a client and as bytes.
#
#   my $connection = SSE::Resp->connect(address => '127.0.0.1', port => 6379);
#   my $id = $connection->command(XADD => 'news', '*', data => 'hello');
#
# Texts and integers are scalars, arrays are references, nil is undef, an error is an SSE::Resp::Error.

use v5.36;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use SSE::Client;
use Time::HiRes ();

# Options: address, port, tls (certificate file to trust), or path (of a local socket); timeout (seconds).
sub connect ($class, %option) {
    my $timeout = $option{timeout} // $SSE::Client::Patience;
    my @where   = (PeerAddr => $option{address} // '127.0.0.1', PeerPort => $option{port}, Timeout => $timeout);
    my $socket;
    if ($option{path}) {
        $socket = IO::Socket::UNIX->new(Peer => $option{path});
    }
    elsif ($option{tls}) {
        require IO::Socket::SSL;
        $socket = IO::Socket::SSL->new(@where, SSL_ca_file => $option{tls}, SSL_hostname => 'localhost');
    }
    else {
        $socket = IO::Socket::INET->new(@where);
    }
    $socket // die "no connection to Redis: $@\n";
    return bless { socket => $socket, in => '', timeout => $timeout }, $class;
}

# The answer to one command; dies when that is an error, or when there is none.
sub command ($self, @words) {
    my $reply = $self->send(encode(@words))->reply;
    die "$words[0]: $$reply\n" if is_error($reply);
    return $reply;
}

# Bytes as they are.
sub send ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $count = syswrite $self->{socket}, $bytes or die "write to Redis: $!\n";
        substr($bytes, 0, $count) = '';
    }
    return $self;
}

# The next answer.
sub reply ($self) {
    my $deadline = Time::HiRes::time() + $self->{timeout};
    while (1) {
        my ($length, $reply) = parse($self->{in});
        if ($length) {
            substr($self->{in}, 0, $length) = '';
            return $reply;
        }
        my $pending = $self->{socket}->can('pending') && $self->{socket}->pending;
        IO::Select->new($self->{socket})->can_read($deadline - Time::HiRes::time())
            or die "no answer from Redis for $self->{timeout} s\n"
            unless $pending;
        sysread $self->{socket}, $self->{in}, 65536, length $self->{in} or die "Redis has closed the connection\n";
    }
}

sub close ($self) { close $self->{socket} }

sub is_error ($reply) { return ref $reply eq 'SSE::Resp::Error' }

# Bytes --------------------------------------------------------------------------------------------------------------

sub encode (@words) { return '*' . @words . "\r\n" . join '', map { text($_) } @words }

sub text ($text) { return '$' . length($text) . "\r\n$text\r\n" }

# Whether a value or a command is whole at that place, and which: (the length of its bytes, the value), or nothing.
sub parse ($bytes, $from = 0) {
    pos($bytes) = $from;
    $bytes =~ /\G([-+:\$*])([^\r\n]*)\r\n/g or return;
    my ($type, $rest, $at) = ($1, $2, pos $bytes);
    return ($at - $from, bless \$rest, 'SSE::Resp::Error') if $type eq '-';
    return ($at - $from, $rest)  if $type eq '+' || $type eq ':';
    return ($at - $from, undef) if $rest < 0;
    if ($type eq '$') {
        return if length $bytes < $at + $rest + 2;
        return ($at + $rest + 2 - $from, substr $bytes, $at, $rest);
    }
    my @values;
    for (1 .. $rest) {
        my ($length, $value) = parse($bytes, $at) or return;
        push @values, $value;
        $at += $length;
    }
    return ($at - $from, \@values);
}

1;
