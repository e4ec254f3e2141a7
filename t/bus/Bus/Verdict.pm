package Bus::Verdict;

# Compares what was published with what the subscribers of all machines have received, and with what is in Redis.
#
# An event is identified by its data; it has the same id everywhere. When a replica becomes the master, Redis may lose events that
# machines have already read. Then a gap "lost" follows, and an event before it whose id is not in Redis counts as unsettled: it may
# come again, as another event, or because its publisher has had no answer and repeats it.

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

# Reads what is in the stream at the end.
sub learn ($self, $redis, $stream) {
    my @entries = $redis->entries($stream);
    $self->{first_in_stream} = $entries[0][0] if @entries;
    for my $entry (@entries) {
        my $data = $entry->[1]{data} // next;
        $self->{stream}{"$entry->[0] $data"} = 1;
        $self->{times}{$data}++;
    }
}

# The id of an event in Redis.
sub stream_id ($id) { return $id =~ s/-(\d+)\z/'-' . ($1 >> 16)/er }

# Until a machine notices that the stream has begun another life, it issues ids of the old one.
sub is_same_id ($self, $told, $got) {
    return $told eq $got || $self->{lives} && stream_id($told) eq stream_id($got);
}

# An event that is older than everything in the stream has been trimmed.
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

# Everything that was acknowledged is in the stream once. What is reported as lost may be missing.
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
