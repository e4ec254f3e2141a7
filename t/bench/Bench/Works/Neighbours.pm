package Bench::Works::Neighbours;

# What others of the same worker notice.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count);


# A small channel while a large one is broadcast to, with small events and with large ones, and while lines are uploaded for
# a third: how long its own events take.
sub neighbour ($server, $scale) {
    my ($crowd, $small) = (Bench::Load->start($server), Bench::Load->start($server, 'small'));
    my $seconds = 5 * $scale;
    $crowd->order('subscribe', count => 10_000);
    $small->order('subscribe');
    $small->order('hurry');
    my %figure;
    for (['small', 100], ['large', 40_000]) {
        my ($name, $size) = @$_;
        my %publish = (size => $size, wait => 1);
        $crowd->order('publish', %publish, count => 2);
        $crowd->give('publish', %publish, seconds => $seconds);
        add_times(\%figure, $name, $small, $seconds);
        $crowd->answer;
    }
    flooded($server, \%figure, $small, $scale) if $server->{lines};
    return \%figure;
}

sub flooded ($server, $figure, $small, $scale) {
    my ($publisher, $subscriber) = map { Bench::Load->start($server, 'flood') } 1 .. 2;
    my $count = count(5_000_000, $scale);
    $subscriber->order('follow');
    $subscriber->give('read', events => $count);
    $publisher->give('lines', path => $server->{lines} =~ s/%c/floodc0/r, count => $count);
    add_times($figure, 'flood', $small, 2 * $scale);
    $_->answer for $publisher, $subscriber;
}

sub add_times ($figure, $name, $small, $seconds) {
    my $times = $small->order('publish', rate => 200, connections => 8, count => count(200, $seconds));
    $figure->{"${name}_$_"} = $times->{$_} / 1e6 for qw(p50 p99 max);
}

sub works () {
    return (
        {
            name        => 'static',
            title       => '10,000 subscribers, one broadcast after another; a static file from the same worker',
            contestants => [qw(nchan push-stream sse)],
            run         => sub ($server, $scale) {
                my ($crowd, $visitor) = map { Bench::Load->start($server) } 1 .. 2;
                my $seconds = 5 * $scale;
                $crowd->order('subscribe', count => 10_000);
                $crowd->order('publish', count => 3, wait => 1);
                $visitor->order('hurry');
                $visitor->give('probe', path => '/file.txt', rate => 100, seconds => $seconds);
                my $answer = $crowd->order('publish', seconds => $seconds, wait => 1);
                my $times = $visitor->answer;
                return {
                    p50  => $times->{p50} / 1e6,
                    p99  => $times->{p99} / 1e6,
                    max  => $times->{max} / 1e6,
                    rate => $answer->{delivered} / $answer->{nanoseconds} * 1e9,
                };
            },
            shows => [['p50', 'file, p50', 'ms'], ['p99', 'file, p99', 'ms'], ['max', 'file, slowest', 'ms'], ['rate', 'events a second meanwhile', '']],
            goals => [{ figure => 'p99', at_most => 5 }],
        },
        {
            name        => 'neighbour',
            title       => 'an event of a small channel while one with 10,000 subscribers is broadcast to without pause',
            contestants => [qw(nchan push-stream sse)],
            run         => \&neighbour,
            shows       => [
                map { my ($name, $title) = @$_; map { ["${name}_$_", "$title, $_", 'ms'] } qw(p50 p99 max) }
                    ['small', '100 B'], ['large', '40 KB'], ['flood', 'lines uploaded instead']
            ],
            goals => [
                map { ({ figure => "${_}_p50", at_most => 1 }, { figure => "${_}_p99", at_most => 3 }) } qw(small large flood)
            ],
        },
    );
}

1;
