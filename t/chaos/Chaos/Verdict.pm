package Chaos::Verdict;

# Compares what was published with what the subscribers have received.
#
# A published event is identified by its data. An event that was acknowledged must have reached every subscriber of its channel once,
# with its id and in order; an event whose request was cut off must have reached all of them or none. Only what lies in a gap that the
# subscriber was told may be missing.
#
# While there are two masters, each has a zone of its own. A subscriber that changes to the other zone must get a gap, then everything
# in that zone, and nothing more from the zone that it has left.

use v5.36;
use SSE::Util qw(compare_ids mark_of);

sub new ($class) {
    return bless { acked => {}, cut => {}, slowest => 0, examples => [], looked_at => {},
        map { $_ => 0 } qw(slow published streamed unanswered refused lost doubled reordered foreign excused gaps) }, $class;
}

# A report of a publisher.
sub take ($self, $kind, $channel, $data, $value = undef, $seconds = 0) {
    if ($kind eq 'ok') {
        $self->{published}++;
        $self->{acked}{$channel}{$data} = { id => $value };
        $self->{slowest} = $seconds if $seconds > $self->{slowest};
        $self->{slow}++ if $seconds > 1;
        my ($name) = $data =~ m{\A[^/]+/([^/]+)/};
        my $life   = $self->{life} = mark_of($value);
        my $before = $self->{newest_of}{$name}{$life};
        $self->{newest_of}{$name}{$life} = $value;
        $self->note(reordered => "$data: id $value after $before") if $before && compare_ids($value, $before) <= 0;
        my $newest = $self->{newest}{$channel}{$life};
        $self->{newest}{$channel}{$life} = $value if !$newest || compare_ids($value, $newest) > 0;
    }
    elsif ($kind eq 'cut') {
        $self->{unanswered}++;
        $self->{cut}{$channel}{$data} = 1;
    }
    elsif ($kind eq 'sent') {
        $self->{streamed}++;
        $self->{cut}{$channel}{$data} = 1;
    }
    elsif ($kind eq 'untaken') {
        $self->{streamed}--;
        delete $self->{cut}{$channel}{$data};
    }
    elsif ($kind eq 'refused') {
        $self->{refused}++;
        $self->{statuses}{$value}++;
    }
}

sub note ($self, $what, $example) {
    $self->{$what}++;
    push @{ $self->{examples} }, "$what: $example" if @{ $self->{examples} } < 20;
}

# Whether it has the newest event that was acknowledged on its channel, in the present life of the zone.
sub has_newest ($self, $subscriber) {
    my $life   = $self->{life} // return 1;
    my $newest = $self->{newest}{ $subscriber->{channel} }{$life} // return 1;
    my $last   = $subscriber->{newest}{$life};
    return $last && compare_ids($last, $newest) >= 0;
}

# An event whose request was cut off counts as published once any subscriber has it.
sub adopt ($self, @subscribers) {
    for my $subscriber (@subscribers) {
        my $history = $subscriber->{history};
        my $from    = $self->{looked_at}{$subscriber} // 0;
        $self->{looked_at}{$subscriber} = @$history;
        for my $event (grep { !$_->{gap} } @$history[$from .. $#$history]) {
            my $channel = $event->{data} =~ s{/.*}{}sr;
            next unless $self->{cut}{$channel}{ $event->{data} };
            $self->{acked}{$channel}{ $event->{data} } //= { id => $event->{id}, cut => 1 };
        }
    }
}

sub judge ($self, @subscribers) {
    $self->adopt(@subscribers);
    $self->judge_one($_) for @subscribers;
}

# How many different events there have been.
sub distinct ($self) {
    my $count = 0;
    $count += keys %$_ for values %{ $self->{acked} };
    return $count;
}

sub judge_one ($self, $subscriber) {
    my $name     = "$subscriber->{channel} over $subscriber->{via}";
    my $expected = $self->{acked}{ $subscriber->{channel} } // {};
    my $first    = $subscriber->{first};
    my @visits   = ({ from => $first, to => $first }); # to lives of the zone: everything between these two ids is due
    my (%seen, %since, @gaps);
    for my $entry (@{ $subscriber->{history} }) {
        if (my $gap = $entry->{gap}) {
            $self->{gaps}++;
            if ($gap->{reason} eq 'evicted') {
                push @gaps, { from => $gap->{requested}, to => $gap->{start} };
                next;
            }
            # The server knows nothing of a cursor from another life. It starts with the oldest event, and says so.
            push @visits, { from => $gap->{start}, to => $gap->{start} };
            %since = ();
            next;
        }
        my ($id, $data) = @$entry{qw(id data)};
        my $known = $expected->{$data};
        my $last  = $visits[-1]{to};
        $self->note(foreign => "$name: $id " . substr $data, 0, 60) unless $known && $self->is_same_id($known->{id}, $id);
        $self->note(doubled => "$name: $id") if $since{$data}++;
        $self->note(reordered => "$name: $id after $last") if compare_ids($id, $last) <= 0;
        $visits[-1]{to} = $id;
        $seen{$data} = 1;
    }
    delete $visits[-1]{to}; # this visit has not ended
    for my $event (map { $expected->{$_} } grep { !$seen{$_} } keys %$expected) {
        next if lies_in($event->{id}, { to => $first });
        my $due = grep { lies_in($event->{id}, $_) } @visits;
        if (!$due || grep { lies_in($event->{id}, $_) } @gaps) { $self->{excused}++ }
        else { $self->note(lost => "$name: $event->{id} " . ($event->{cut} ? '(unanswered)' : '')) }
    }
}

# Whether these can be the ids that a publisher and a subscriber have for one event.
sub is_same_id ($self, $told, $got) { return $told eq $got }

# Whether an id is of the same life, after `from`, and not after `to`. Either of them may be missing.
sub lies_in ($id, $range) {
    my ($from, $to) = @$range{qw(from to)};
    return mark_of($id) == mark_of($from // $to)
        && (!$from || compare_ids($id, $from) > 0) && (!$to || compare_ids($id, $to) <= 0);
}

1;
