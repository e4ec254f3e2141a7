package SSE::Client;

# One HTTP exchange, read as it arrives. What carries it is the business of the subclasses:
# SSE::Client::Socket (HTTP/1 over a plain or a TLS socket) and SSE::Client::Curl (HTTP/2, HTTP/3).
# A client reads only when it is asked for something, so one that is asked for nothing is a stalled one.
#
# A subclass has
#   send(%request)     send a request: method, path, headers (list of pairs), body or stream
#   receive($seconds)  append what arrives to {in}, or set {ended} to "clean" or "abort"
#   decode()           move what {in} holds of the body to its return value; may set {ended}
#   close, reset       leave politely, leave with a TCP reset
#   stall, resume      have the kernel of the client, too, take nothing more; go on

use v5.36;
use JSON::PP   ();
use Time::HiRes ();
use SSE::Parser;

# How long to wait for something that is expected to come, in seconds. Only a failing test waits that long.
our $Patience = $ENV{TEST_NGINX_PATIENCE} // 30;

# A write to a peer that is gone must fail, and not kill the test. TLS also writes when it reads or closes.
$SIG{PIPE} = 'IGNORE';

# Forgets the last response: what follows belongs to a new one.
sub begin ($self, %request) {
    $self->{request} = {%request};
    $self->{$_} = '' for qw(wire body ended);
    $self->{in} //= '';
    $self->{events} = [];
    $self->{parser} = SSE::Parser->new;
    delete $self->{$_} for qw(status headers header_lines);
}

# Reads once, for at most that many seconds. False when there was nothing and when the end has been reached.
sub pump ($self, $seconds = $Patience) {
    return 0 if $self->{ended};
    my $before = length $self->{in};
    $self->receive($seconds > 0 ? $seconds : 0);
    my $arrived = length($self->{in}) - $before;
    $self->{wire} .= substr $self->{in}, $before if $arrived > 0;
    $self->take_head while !defined $self->{status} && $self->{in} =~ /\r\n\r\n/;
    if (defined $self->{status}) {
        my $part = $self->decode;
        $self->{body} .= $part;
        push @{ $self->{events} }, $self->{parser}->feed($part) if length $part && $self->is_stream;
    }
    return $arrived > 0 || $self->{ended} ne '';
}

# Takes one response head off {in}; an interim (1xx) one is dropped.
sub take_head ($self) {
    my ($line, @lines) = split /\r\n/, substr $self->{in}, 0, index($self->{in}, "\r\n\r\n");
    substr($self->{in}, 0, 4 + index $self->{in}, "\r\n\r\n") = '';
    my ($status) = $line =~ m{\AHTTP/[\d.]+ (\d+)} or die "no status line: $line";
    return if $status < 200;
    my %headers;
    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*?)\s*\z/ or die "no header line: $_";
        $name = lc $name;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    @$self{qw(status headers header_lines)} = ($status, \%headers, \@lines);
    $self->expect_body;
}

sub expect_body ($self) { }

# Pumps until the condition holds; false when time or the stream ends before.
sub pump_until ($self, $condition, $seconds = $Patience) {
    my $deadline = Time::HiRes::time() + $seconds;
    until ($condition->()) {
        my $left = $deadline - Time::HiRes::time();
        return $condition->() if $left <= 0 || $self->{ended};
        $self->pump($left);
    }
    return 1;
}

# The status code, the headers by lower-case name; wait for the response head.
sub status ($self) {
    $self->pump_until(sub { defined $self->{status} });
    return $self->{status} // 0;
}

sub headers ($self) {
    $self->status;
    return $self->{headers} // {};
}

sub header ($self, $name) { return $self->headers->{ lc $name } }

sub is_stream ($self) { return ($self->{headers}{'content-type'} // '') =~ m{\Atext/event-stream} }

# The next event, {id, type, data}; undef when there is none within that time.
sub next_event ($self, $seconds = $Patience) {
    $self->pump_until(sub { @{ $self->{events} } > 0 }, $seconds);
    return shift @{ $self->{events} };
}

# The next n events, or fewer if time or the stream ends.
sub events ($self, $count, $seconds = $Patience) {
    $self->pump_until(sub { @{ $self->{events} } >= $count }, $seconds);
    return splice @{ $self->{events} }, 0, $count;
}

# The data of the next n events.
sub data ($self, $count, $seconds = $Patience) {
    return map { $_->{data} } $self->events($count, $seconds);
}

# Waits for the event with the position of a new subscriber, after which the subscriber is known to be attached.
sub ready ($self) {
    my $event = $self->next_event;
    die sprintf "no ready event, but %s after status %s: %s\n", $event ? $event->{type} : 'nothing',
        $self->{status} // 'none', $self->{wire}
        unless $event && $event->{type} eq 'ready';
    return $self;
}

# Whether the stream, if it ended here, would end inside an event.
sub pending ($self) { return $self->{parser}->pending }

sub last_event_id ($self) { return $self->{parser}->last_event_id }

# All that came over the wire, and what of it was body, as far as it has been read.
sub raw  ($self) { return $self->{wire} }
sub body ($self) { return $self->{body} }

# Reads what is there without waiting for more.
sub poll ($self) {
    1 while $self->pump(0) && !$self->{ended};
    return $self;
}

# "clean", "abort", or "" while the stream is open.
sub closed ($self) {
    $self->poll;
    return $self->{ended};
}

sub wait_closed ($self, $seconds = $Patience) {
    $self->pump_until(sub { $self->{ended} }, $seconds);
    return $self->{ended};
}

# Reads to the end of the response.
sub finish ($self) {
    $self->wait_closed;
    return $self;
}

# The body as JSON, or undef.
sub json ($self) {
    $self->finish;
    return eval { JSON::PP->new->utf8->decode($self->{body}) };
}

1;
