package Bench::TlsCrowd;

# Subscribers over TLS. They take the same orders as the load generator; for a crowd that mostly waits, this is fast enough.

use v5.36;
use IO::Socket::SSL;

sub new ($class, $server) {
    # One for all: a context of its own takes a client a megabyte, and most of its time.
    my $context = IO::Socket::SSL::SSL_Context->new(SSL_verify_mode => SSL_VERIFY_NONE) or die "TLS: $SSL_ERROR";
    return bless { server => $server, context => $context, clients => [], seen => {} }, $class;
}

sub order ($self, $order, %option) { return $self->$order(%option) }

# So many more; returns when all have been answered.
sub subscribe ($self, %option) {
    my $path = $self->{server}{subscribe} =~ s/%c/c0/r;
    for (1 .. $option{count}) {
        my $client = IO::Socket::SSL->new(
            PeerAddr      => '127.0.0.1',
            PeerPort      => $self->{server}{tls_port},
            SSL_reuse_ctx => $self->{context},
            Timeout       => 20,
        ) or die "TLS: $! $SSL_ERROR";
        print $client "GET $path HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
        push $self->{clients}->@*, $client;
        $self->read_until($client, sub ($text) { $text =~ /\r\n\r\n/ });
        die 'not answered 200' unless $self->{seen}{$client} =~ m{\AHTTP/1\.1 200 };
    }
    return {};
}

# Until each has so many events, which have to be the first of the load generator, in order.
sub await ($self, %option) {
    my $expected = join ' ', 0 .. $option{count} - 1;
    for my $client ($self->{clients}->@*) {
        my @numbers;
        $self->read_until($client, sub ($text) { (@numbers = $text =~ /^data: ?#(\d{10})x*\n/mg) >= $option{count} });
        die "a subscriber got @numbers\n" unless $expected eq join ' ', map { $_ + 0 } @numbers;
    }
    return {};
}

sub read_until ($self, $client, $enough) {
    local $SIG{ALRM} = sub { die "waited 20 s in vain\n" };
    alarm 20;
    $self->{seen}{$client} //= '';
    until ($enough->($self->{seen}{$client})) {
        sysread $client, $self->{seen}{$client}, 65_536, length $self->{seen}{$client} or die "disconnected\n";
    }
    alarm 0;
}

1;
