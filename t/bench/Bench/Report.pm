package Bench::Report;

# What the rounds of a work have shown, as text.

use v5.36;
use utf8;
use Exporter 'import';
use List::Util qw(max min);
our @EXPORT_OK = qw(block verdicts comparisons median);

sub median (@values) {
    @values = sort { $a <=> $b } @values;
    return @values % 2 ? $values[$#values / 2] : ($values[@values / 2 - 1] + $values[@values / 2]) / 2;
}

# The least, the quartiles and the most.
sub distribution (@values) {
    @values = sort { $a <=> $b } @values;
    return map { $values[$_ * $#values / 4 + 0.5] } 0 .. 4;
}

# Three significant digits, and thousands apart.
sub figure ($value) {
    return '-' unless defined $value;
    return sprintf '%.3g', $value if abs $value < 1 && $value;
    my $digits = max(0, 2 - int(log(abs($value) || 1) / log 10));
    my $text = sprintf "%.${digits}f", $value;
    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $text;
}

# A contestant's values of a figure, those rounds left out in which it failed.
sub values_of ($rounds, $contestant, $name) {
    return grep {defined} map { $_->{$contestant} && $_->{$contestant}{$name} } @$rounds;
}

# A row a figure, a column a contestant: medians over the rounds, or the distribution over the starts.
sub block ($work, $contestants, $rounds) {
    my @rows = (['', map {s/\@(\d+)/, $1 workers/r} @$contestants]);
    for my $shown ($work->{shows}->@*) {
        my ($name, $label, $unit) = @$shown;
        my @cells = map {
            my @values = values_of($rounds, $_, $name);
            @values ? join ' ', map { figure($_) } $work->{starts} ? distribution(@values) : median(@values) : '-'
        } @$contestants;
        push @rows, [$unit eq '' ? $label : "$label, $unit", @cells];
    }
    my $text = "$work->{name}: $work->{title}\n";
    $text .= "  @{[scalar @$rounds]} starts each: least, quartiles and most of the figures of one start\n" if $work->{starts};
    $text .= columns(@rows);
    $text .= "  $_->{goal}: $_->{measured}, $_->{verdict}\n" for verdicts($work, $rounds);
    my %failed;
    for my $round (@$rounds) {
        $failed{"$_: $round->{$_}{failed}"}++ for grep { $round->{$_} && defined $round->{$_}{failed} } @$contestants;
    }
    $text .= "  failed $failed{$_} times: $_\n" for sort keys %failed;
    return $text;
}

# How this module compares with the one before it, a line for each figure and number of workers: the median of the rounds'
# ratios, and their range.
sub comparisons ($work, $rounds) {
    my $text = '';
    for my $contestant (grep {/^sse/} $work->{contestants}->@*) {
        my $before = $contestant =~ s/^sse/before/r;
        for my $shown ($work->{shows}->@*) {
            my ($name, $label) = @$shown;
            my @ratios = map { $_->{$contestant}{$name} / $_->{$before}{$name} }
                grep { defined $_->{$contestant}{$name} && $_->{$before}{$name} } @$rounds;
            $text .= sprintf "  %s: %s = %.3f × %s (%.3f to %.3f)\n",
                $label, $contestant, median(@ratios), $before, min(@ratios), max(@ratios) if @ratios;
        }
    }
    return $text;
}

# Lined up as characters, not as bytes.
sub columns (@rows) {
    my @width = map { my $column = $_; max(map { length $_->[$column] } @rows) } 0 .. $rows[0]->$#*;
    my $text = '';
    for my $row (@rows) {
        my ($label, @cells) = @$row;
        my $line = sprintf "  %-*s", $width[0], $label;
        $line .= sprintf '  %*s', max(9, $width[$_ + 1]), $cells[$_] for 0 .. $#cells;
        $text .= "$line\n";
    }
    return $text;
}

# For each goal of the work: { work, goal (in words), measured (in words), verdict }. A ratio is that of two contestants in the
# same round; what counts is the median of the rounds. In a work of many starts, what counts is the ratio of the medians; the range
# is that of the ratios' quartiles.
sub verdicts ($work, $rounds) {
    my @verdicts;
    for my $goal ($work->{goals}->@*) {
        my $of = $goal->{of} // 'sse';
        my ($name, $label, $unit) = (grep { $_->[0] eq $goal->{figure} } $work->{shows}->@*)[0]->@*;
        my @values;
        for my $round (@$rounds) {
            my $value = $round->{$of} && $round->{$of}{$name};
            my $other = $goal->{to} ? $round->{ $goal->{to} } && $round->{ $goal->{to} }{$name} : 1;
            push @values, $value / $other if defined $value && $other;
        }
        my ($sign, $bound) = defined $goal->{at_most} ? ('≤', $goal->{at_most}) : ('≥', $goal->{at_least});
        my $where = ($of eq 'sse' ? '' : " of $of") . " $sign " . figure($bound);
        my %verdict = (
            work     => $work->{name},
            goal     => $label . $where . ($goal->{to} ? " × $goal->{to}" : $unit eq '' ? '' : " $unit"),
            measured => '-',
            verdict  => 'not measured',
        );
        if (@values) {
            my ($counts, @range) = (median(@values), min(@values), max(@values));
            if ($work->{starts}) {
                $counts = median(values_of($rounds, $of, $name));
                $counts /= median(values_of($rounds, $goal->{to}, $name)) if $goal->{to};
                @range = (distribution(@values))[1, 3];
            }
            $verdict{measured} = figure($counts);
            $verdict{measured} .= sprintf ' (%s to %s)', map { figure($_) } @range if @values > 1;
            $verdict{verdict} = ($sign eq '≤' ? $counts <= $bound : $counts >= $bound) ? 'reached' : 'missed';
        }
        push @verdicts, \%verdict;
    }
    return @verdicts;
}

1;
