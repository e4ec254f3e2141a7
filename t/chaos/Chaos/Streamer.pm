package Chaos::Streamer;

# A publisher whose body stays open, with a line for each event. The answer tells how many of the lines were accepted, and the id of the
# last one. If the answer comes before the end of the body, the publisher goes on for a while, like one that does not read.
#
# More reports:  sent CHANNEL DATA (may be taken) | untaken CHANNEL DATA (was not)

use v5.36;
use parent 'Chaos::Publisher';
use Time::HiRes qw(time);

my $deaf = 5; # at most this many bodies stay open after their answers

sub publish_next ($self) {
    my $body   = $self->{open} //= $self->begin or return;
    my $data   = "$body->{channel}/$self->{name}/" . ++$self->{number} . '/1';
    my $length = int rand 300;
    $self->report('sent', $body->{channel}, $data);
    push @{ $body->{lines} }, $data;
    feed($_->{client}, "more\n") for @{ $self->{deaf} };
    feed($body->{client}, "$data/$length/" . 'x' x $length . "\n");
    return $self->cut_short if $body->{client}{ended};
    $self->end_body if time > $body->{until};
}

sub before_pause ($self) { $self->end_body }

sub begin ($self) {
    my $channel = 'c' . int rand $self->{channels};
    my $crash   = delete $self->{crash} ? '&crash=' . (1 + int rand 40) : '';
    my $client  = eval { $self->{server}->stream("/lines?channel=$channel$crash") } // return;
    return { client => $client, channel => $channel, lines => [], until => time + rand 3 };
}

sub feed ($client, $bytes) {
    eval { $client->feed($bytes)->poll; 1 } or $client->{ended} ||= 'abort';
}

sub end_body ($self) {
    my $body = $self->{open} // return;
    eval { $body->{client}->end->wait_closed(20) };
    $self->conclude;
}

# The worker has left, and so has answered, or has been killed.
sub cut_short ($self) {
    push @{ $self->{deaf} }, $self->{open};
    shift @{ $self->{deaf} } if @{ $self->{deaf} } > $deaf;
    $self->conclude;
}

sub conclude ($self) {
    my $body = delete $self->{open};
    my ($client, $channel, $lines) = @$body{qw(client channel lines)};
    my $told = $client->{ended} eq 'clean' && $client->json or return;
    my $status = $client->status;
    $self->report('untaken', $channel, $_) for splice @$lines, $told->{events};
    $self->report('ok', $channel, $lines->[-1], $told->{id}, 0) if $status == 201;
    $self->report('refused', $channel, "$channel/$self->{name}", $status) if $status >= 300;
}

1;
