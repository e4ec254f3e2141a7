package Chaos::Verdict;

# Holds what was published against what the subscribers have got.
#
# A published event is known by its data. What was acknowledged must have come to every subscriber of its channel once,
# under its id and in order; what was cut off must have come to all of them or to none. What lies in a gap that the
# subscriber was told is excused, and nothing else is.

use v5.36;
use SSE::Util qw(compare_ids);

sub new ($class) {
    return bless { acked => {}, cut => {}, slowest => 0, examples => [], looked_at => {},
        map { $_ => 0 } qw(slow published unanswered refused lost doubled reordered foreign excused gaps) }, $class;
}

# A report of a publisher.
sub take ($self, $kind, $channel, $data, $value = undef, $seconds = 0) {
    if ($kind eq 'ok') {
        $self->{published}++;
        $self->{acked}{$channel}{$data} = { id => $value, at => Time::HiRes::time() };
        $self->{slowest} = $seconds if $seconds > $self->{slowest};
        $self->{slow}++ if $seconds > 1;
        my ($name) = $data =~ m{\A[^/]+/([^/]+)/};
        my $before = $self->{newest_of}{$name};
        $self->{newest_of}{$name} = $value;
        $self->note(reordered => "$data: id $value after $before") if $before && compare_ids($value, $before) <= 0;
        my $newest = $self->{newest}{$channel};
        $self->{newest}{$channel} = $value if !$newest || compare_ids($value, $newest) > 0;
    }
    elsif ($kind eq 'cut') {
        $self->{unanswered}++;
        $self->{cut}{$channel}{$data} = 1;
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

# Whether it has got the newest event that was acknowledged on its channel.
sub has_newest ($self, $subscriber) {
    my $newest = $self->{newest}{ $subscriber->{channel} } // return 1;
    return compare_ids($newest, $subscriber->{first} // '0-0') <= 0
        || $subscriber->{newest} && compare_ids($subscriber->{newest}, $newest) >= 0;
}

# What was cut off counts as published once anybody has it.
sub adopt ($self, @subscribers) {
    for my $subscriber (@subscribers) {
        my $history = $subscriber->{history};
        my $from    = $self->{looked_at}{$subscriber} // 0;
        $self->{looked_at}{$subscriber} = @$history;
        for my $event (grep { !$_->{gap} } @$history[$from .. $#$history]) {
            my $channel = $event->{data} =~ s{/.*}{}sr;
            next unless $self->{cut}{$channel}{ $event->{data} };
            $self->{acked}{$channel}{ $event->{data} } //= { id => $event->{id}, at => 0, cut => 1 };
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
    my (%seen, %since, $last, @gaps);
    for my $entry (@{ $subscriber->{history} }) {
        if ($entry->{gap}) {
            $self->{gaps}++;
            push @gaps, $entry;
            # Of a cursor from another life the server knows nothing: it begins anew, and says so.
            (%since, $last) = () if $entry->{gap}{reason} eq 'unknown';
            next;
        }
        my ($id, $data) = @$entry{qw(id data)};
        my $known = $expected->{$data};
        $self->note(foreign => "$name: $id " . substr $data, 0, 60) unless $known && $known->{id} eq $id;
        $self->note(doubled => "$name: $id") if $since{$data}++;
        $self->note(reordered => "$name: $id after $last") if $last && compare_ids($id, $last) <= 0;
        $last = $id;
        $seen{$data} = 1;
    }
    for my $data (grep { !$seen{$_} } keys %$expected) {
        my $event = $expected->{$data};
        next if compare_ids($event->{id}, $subscriber->{first} // '0-0') <= 0;
        if (grep { excuses($_, $event) } @gaps) { $self->{excused}++ }
        else { $self->note(lost => "$name: $event->{id} " . ($event->{cut} ? '(unanswered)' : '')) }
    }
}

sub excuses ($entry, $event) {
    my $gap = $entry->{gap};
    return $event->{at} <= $entry->{at} if $gap->{reason} eq 'unknown';
    return compare_ids($event->{id}, $gap->{requested}) > 0 && compare_ids($event->{id}, $gap->{start}) <= 0;
}

1;
