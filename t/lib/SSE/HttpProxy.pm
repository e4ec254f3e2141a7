package SSE::HttpProxy;

# A network between clients and nginx (HTTP/1.1): it records what they send to each other, and it can break.
#
#   my $proxy = SSE::HttpProxy->start(to => '127.0.0.1:' . $server->port);
#   $proxy->requests;      # [{method, path, cursor, status, at, closed_by, closed_at}, ...]
#   $proxy->cut;           # all connections are reset, new ones have to wait ...
#   $proxy->unhold;        # ... until now

use v5.36;
use parent 'SSE::Relay';
use Socket      qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

sub cut      ($self) { return $self->order('cut_all') }
sub requests ($self) { return $self->order('get_requests') }
sub beats    ($self) { return $self->order('get_beats') } # how many heartbeats have passed

# In the process of its own ------------------------------------------------------------------------------------------

sub begin        ($self) { @$self{qw(requests beats)} = ([], 0) }
sub get_requests ($self) { return $self->{requests} }
sub get_beats    ($self) { return $self->{beats} }

sub cut_all ($self) {
    $self->hold_new;
    for my $pair (values %{ $self->{pairs} }) {
        setsockopt $pair->{client}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        delete $self->{pairs}{$pair};
        $pair->{ended} = 1;
        close $pair->{$_} for qw(client server);
    }
}

sub received ($self, $pair, $side) {
    return $self->take_requests($pair) if $side eq 'client';
    my $bytes = $pair->{from_server};
    $pair->{from_server} = '';
    $pair->{request}{status} = $1 if $pair->{request} && $bytes =~ m{\AHTTP/1\.[01] (\d+)};
    $self->{beats} += () = $bytes =~ /^:\n/mg;
    SSE::Relay::write_all($pair->{client}, $bytes);
}

# Whole heads only. A body, which follows one, is handed on as it comes.
sub take_requests ($self, $pair) {
    while ($pair->{from_client} =~ s{\A(([A-Z]+) (\S+) HTTP/1\.1\r\n.*?\r\n)\r\n}{}s) {
        my ($head, $method, $path) = ($1, $2, $3);
        my ($cursor) = $head =~ /^Last-Event-ID:\s*(.*?)\r$/mi;
        $pair->{request} = { method => $method, path => $path, cursor => $cursor, at => time, head => $head };
        push @{ $self->{requests} }, $pair->{request};
        SSE::Relay::write_all($pair->{server}, "$head\r\n");
    }
    return if $pair->{from_client} =~ /\A[A-Z]+ /;
    SSE::Relay::write_all($pair->{server}, $pair->{from_client});
    $pair->{from_client} = '';
}

sub receive ($self, $pair, $side) {
    $self->SUPER::receive($pair, $side);
    @{ $pair->{request} }{qw(closed_by closed_at)} = ($side, time) if $pair->{ended} && $pair->{request};
}

1;
