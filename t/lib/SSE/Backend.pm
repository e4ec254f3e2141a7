package SSE::Backend;

# An upstream that shows each request as it comes over the wire, and answers it when the test asks for it.
#
#   my $backend = SSE::Backend->start;                # proxy_pass http://127.0.0.1:@{[ $backend->port ]};
#   like $backend->request, qr/^Content-Length: 5\r$/m;

use v5.36;
use IO::Select;
use IO::Socket::INET;

sub start ($class) {
    my $socket = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
    return bless { socket => $socket }, $class;
}

sub port ($self) { return $self->{socket}->sockport }

# The next request, with what has come with its header; 'nothing' if there is none.
sub request ($self) {
    IO::Select->new($self->{socket})->can_read(10) or return 'nothing';
    my $peer = $self->{socket}->accept;
    my $text = '';
    until ($text =~ /\r\n\r\n/) {
        sysread $peer, $text, 65536, length $text or last;
    }
    syswrite $peer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage";
    close $peer;
    return $text;
}

1;
