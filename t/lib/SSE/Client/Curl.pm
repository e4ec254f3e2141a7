package SSE::Client::Curl;

# HTTP/2 and HTTP/3 by way of a curl process: the same interface as SSE::Client::Socket, one exchange each.

use v5.36;
use parent 'SSE::Client';
use Errno qw(EAGAIN EINTR);
use IO::Handle;
use IO::Select;
use POSIX ();

# new(address => 127.0.0.1, port => n, tls => 0|1, h3 => 0|1)
sub new ($class, %option) { return bless {%option}, $class }

sub send ($self, %request) {
    $self->begin(%request);
    my @command = qw(curl -q -s -S -N -i -k -g --path-as-is --noproxy *);
    push @command, $self->{h3} ? '--http3-only' : $self->{tls} ? '--http2' : '--http2-prior-knowledge';
    push @command, $request{method} eq 'HEAD' ? '-I' : ('-X', $request{method});
    # With "-" it would wait for more to be read before it sends what it has.
    push @command, '-T', '.' if $request{stream};
    push @command, '--data-binary', '@-', '-H', 'Content-Type:' if defined $request{body};
    push @command, '-H', 'Accept:', '-H', 'User-Agent:', '-H', 'Expect:';
    my @headers = @{ $request{headers} // [] };
    while (my ($name, $value) = splice @headers, 0, 2) {
        push @command, '-H', length $value ? "$name: $value" : "$name;";
    }
    push @command, ($self->{tls} ? 'https' : 'http') . "://@{[$self->{address} // '127.0.0.1']}:$self->{port}$request{path}";

    pipe my $body_reader,   my $body_writer or die "pipe: $!";
    pipe my $answer_reader, my $answer_writer or die "pipe: $!";
    open $self->{complaints}, '+>', undef or die "temporary file: $!";
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        POSIX::dup2(fileno $body_reader,         0);
        POSIX::dup2(fileno $answer_writer,       1);
        POSIX::dup2(fileno $self->{complaints}, 2);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    @$self{qw(input output)} = ($body_writer, $answer_reader);
    $self->{output}->blocking(0);
    $self->{input}->autoflush(1);
    $self->write($request{body}) if defined $request{body};
    $self->end unless $request{stream};
    return $self;
}

sub write ($self, $bytes) {
    print { $self->{input} } $bytes;
}

sub feed ($self, $bytes) {
    $self->write($bytes);
    return $self;
}

sub end ($self) {
    CORE::close delete $self->{input} if $self->{input};
    return $self;
}

sub receive ($self, $seconds) {
    my $output = $self->{output} or return $self->{ended} = 'abort';
    return unless IO::Select->new($output)->can_read($seconds);
    my $count = sysread $output, $self->{in}, 65536, length $self->{in};
    return if $count || !defined $count && ($!{EAGAIN} || $!{EINTR});
    $self->{ended} ||= $self->reap ? 'abort' : 'clean';
}

sub decode ($self) { return substr $self->{in}, 0, length $self->{in}, '' }

sub read_body ($self, $bytes, $seconds = $SSE::Client::Patience) {
    return $self->pump_until(sub { length $self->{body} >= $bytes }, $seconds);
}

# What curl has written to stderr, for diagnosis.
sub complaints ($self) {
    seek $self->{complaints}, 0, 0;
    return join '', readline $self->{complaints};
}

# Waits for curl, which has been killed or has closed its output; returns its exit code.
sub reap ($self) {
    my $pid = delete $self->{pid} or return 0;
    local $?;
    waitpid $pid, 0;
    return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

sub stall  ($self) { kill STOP => $self->{pid}; return $self }
sub resume ($self) { kill CONT => $self->{pid}; return $self }

# For curl, all signals that end it are the same. SIGKILL cannot be caught: between fork and exec the child is still perl,
# and a signal that perl has only noted for its handler is lost by exec.
sub close ($self) {
    kill KILL => $self->{pid} if $self->{pid};
    $self->{ended} ||= 'abort';
    delete @$self{qw(input output)};
    $self->reap;
}

sub reset ($self) { $self->close }

sub DESTROY ($self) { $self->close if $self->{pid} }

1;
