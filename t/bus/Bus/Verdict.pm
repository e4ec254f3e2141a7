package Bus::Verdict;

# Holds what was published against what the subscribers of all machines have got, and against what lies in Redis.
#
# An event is known by its data; it has the same id everywhere. What a gap "lost" names may be missing or, as an event that a
# machine has taken in after its id had passed, have another id there.

use v5.36;
use parent 'Chaos::Verdict';
use SSE::Util qw(compare_ids);

sub new ($class) {
    my $self = $class->SUPER::new;
    $self->{$_} = 0 for qw(unknown repeated fewer_replicas renumbered gaps_lost gaps_unknown gaps_evicted slowest_failure twice missing);
    return $self;
}

# An attempt that was not acknowledged: unanswered, unknown or refused.
sub take_failure ($self, $what, $status, $channel, $data, $seconds) {
    $self->{$what}++;
    $self->{statuses}{$status}++;
    $self->{slowest_failure} = $seconds if $seconds > $self->{slowest_failure};
    $self->{cut}{$channel}{$data} = 1;
}

# A gap "lost" counts as one from the first event on, and an event that was taken in late as published under the id that it
# has there.
sub judge_one ($self, $subscriber) {
    my $channel  = $subscriber->{channel};
    my $expected = $self->{acked}{$channel} // {};
    my (@history, @later, %late); # later: where gaps "lost" end that come after the present entry
    for my $entry (reverse @{ $subscriber->{history} }) {
        if (my $gap = $entry->{gap}) {
            $self->{"gaps_$gap->{reason}"}++;
            push @later, $gap->{start} if $gap->{reason} eq 'lost';
            unshift @history, $gap->{reason} eq 'lost' ? { gap => { reason => 'evicted', start => $gap->{start} } } : $entry;
            next;
        }
        unshift @history, $entry;
        my $known = $expected->{ $entry->{data} } or next;
        $late{ $entry->{data} } = { id => $entry->{id} }
            if $known->{id} ne $entry->{id} && grep { compare_ids($_, $known->{id}) > 0 } @later;
    }
    $self->{renumbered} += keys %late;
    local $self->{acked}{$channel} = { %$expected, %late } if %late;
    $self->SUPER::judge_one({ %$subscriber, history => \@history });
}

# Everything that was acknowledged lies in the stream once, with its id. What is told to be lost there may be missing.
sub judge_stream ($self, $redis, $stream = 'sse:events') {
    my %count;
    $count{ $_->[1]{data} // '' }++ for $redis->entries($stream);
    for my $expected (values %{ $self->{acked} }) {
        for my $data (keys %$expected) {
            my $times = $count{$data} // 0;
            $self->note(twice => "$data is in the stream $times times") if $times > 1;
            $self->note_missing("$data $expected->{$data}{id}") if !$times;
        }
    }
}

sub note_missing ($self, $what) {
    $self->{missing}++;
    push @{ $self->{missing_events} }, $what;
}

1;
