package Bus::Verdict;

# Holds what was published against what the subscribers of all machines have got, and against what lies in Redis.
#
# An event is known by its data; it has the same id everywhere. Redis may lose events that have been read from it, when a
# replica without them becomes the master. Then a gap "lost" follows, and what came before it under an id that is not in
# Redis counts as not settled: it may come again, as another event or because its publisher has heard nothing and tries
# again.

use v5.36;
use parent 'Chaos::Verdict';
use SSE::Util qw(compare_ids);

sub new ($class) {
    my $self = $class->SUPER::new;
    $self->{$_} = 0 for qw(unknown repeated fewer_replicas unsettled gaps_lost gaps_unknown gaps_evicted slowest_failure twice missing);
    return $self;
}

# An attempt that was not acknowledged: unanswered, unknown or refused.
sub take_failure ($self, $what, $status, $channel, $data, $seconds) {
    $self->{$what}++;
    $self->{statuses}{$status}++;
    $self->{slowest_failure} = $seconds if $seconds > $self->{slowest_failure};
    $self->{cut}{$channel}{$data} = 1;
}

# What lies in the stream at the end.
sub learn ($self, $redis, $stream) {
    my @entries = $redis->entries($stream);
    $self->{first_in_stream} = $entries[0][0] if @entries;
    for my $entry (@entries) {
        my $data = $entry->[1]{data} // next;
        $self->{stream}{"$entry->[0] $data"} = 1;
        $self->{times}{$data}++;
    }
}

# The id that an event has in Redis.
sub stream_id ($id) { return $id =~ s/-(\d+)\z/'-' . ($1 >> 16)/er }

# Until a machine notices that the stream has begun another life, its ids are still of the old one.
sub is_same_id ($self, $told, $got) {
    return $told eq $got || $self->{lives} && stream_id($told) eq stream_id($got);
}

# What is older than all in the stream has been trimmed.
sub is_in_stream ($self, $entry) {
    my $first = $self->{first_in_stream};
    return 1 if $first && compare_ids(stream_id($entry->{id}), $first) < 0;
    return $self->{stream}{ stream_id($entry->{id}) . " $entry->{data}" } }

# A gap "lost" counts as one from the first event on.
sub judge_one ($self, $subscriber) {
    my (@history, $gap_follows, %settled);
    for my $entry (reverse @{ $subscriber->{history} }) {
        my $gap = $entry->{gap};
        if ($gap && $gap->{reason} eq 'lost') {
            $gap_follows = 1;
            $entry = { gap => { reason => 'evicted', start => $gap->{start} } };
        }
        $self->{"gaps_$gap->{reason}"}++ if $gap;
        push @{ $self->{told} }, "$subscriber->{channel}: $gap->{reason}, requested $gap->{requested}, start $gap->{start}" if $gap;
        my $is_settled = $gap || !$gap_follows || $self->is_in_stream($entry);
        unshift @history, $is_settled ? $entry : { %$entry, unsettled => 1 };
    }
    for my $entry (grep { !$_->{gap} } @history) {
        if ($entry->{unsettled}) {
            $self->{unsettled}++;
            $self->note(doubled => "$entry->{id} after it was settled") if $settled{ $entry->{data} } && !$self->{split};
        }
        else { $settled{ $entry->{data} } = 1 }
    }
    $self->SUPER::judge_one({ %$subscriber, history => [grep { !$_->{unsettled} } @history] });
}

# Everything that was acknowledged lies in the stream once. What is told to be lost there may be missing.
sub judge_stream ($self) {
    for my $expected (values %{ $self->{acked} }) {
        for my $data (keys %$expected) {
            my $times = $self->{times}{$data} // 0;
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
