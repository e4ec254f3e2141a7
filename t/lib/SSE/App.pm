package SSE::App;

# An HTTP application for nginx to proxy to: a process that answers one request after the other.
#
#   my $app = SSE::App->start(sub ($method, $path, $headers, $body) { return (200, ['X-Name' => 'value'], 'body') });
#   $app->port; $app->stop;

use v5.36;
use IO::Socket::INET;
use POSIX ();

# With body => 0 it answers at once, and never reads the body.
sub start ($class, $answer, %option) {
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';
        while (my $client = $listener->accept) {
            serve($client, $answer, $option{body} // 1);
        }
        POSIX::_exit(0);
    }
    return bless { pid => $pid, owner => $$, port => $listener->sockport }, $class;
}

sub serve ($client, $answer, $reads) {
    my ($method, $path) = (readline($client) // '') =~ /\A(\S+) (\S+)/ or return;
    my %headers;
    while ((my $line = readline($client) // '') =~ /\A([^:]+):\s*(.*?)\r\n/) {
        $headers{ lc $1 } = $2;
    }
    my $body = '';
    read $client, $body, $headers{'content-length'}
        if $reads && $headers{"content-length"};
    my ($status, $more, $content) = $answer->($method, $path, \%headers, $body);
    my $head = "HTTP/1.0 $status Answer\r\n";
    while (my ($name, $value) = splice @$more, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    print $client "$head\r\n", $content // '';
    if (!$reads) { # to close with something unread is to reset, and the answer could be lost
        $client->flush;
        shutdown $client, 1;
        1 while sysread $client, my $rest, 65536;
    }
    close $client;
}

sub port ($self) { return $self->{port} }

sub stop ($self) {
    my $pid = delete $self->{pid} or return;
    local $?;
    kill TERM => $pid;
    waitpid $pid, 0;
}

sub DESTROY ($self) { $self->stop if $$ == $self->{owner} }

1;
