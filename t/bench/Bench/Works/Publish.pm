package Bench::Works::Publish;

# Taking in what is published.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count cpu_of);

sub flood ($server, $scale) {
    my ($publisher, $subscriber) = map { Bench::Load->start($server) } 1 .. 2;
    my $count = count(3_000_000, $scale);
    $subscriber->order('follow');
    $subscriber->give('read', events => $count);
    my $upload   = $publisher->order('lines', path => $server->{lines}, count => $count);
    my $received = $subscriber->answer;
    return {
        arrived => $received->{events} / $count * 100,
        gaps    => $received->{gaps},
        rate    => $count / $upload->{nanoseconds} * 1e9,
    };
}

# With as much under way as a connection holds: what is measured is the server, not the way to it and back.
sub pipelined ($server, $scale) {
    my $load = Bench::Load->start($server);
    my %publish = (pipelined => 200);
    $load->order('publish', %publish, count => 2000);
    my ($cpu, $answer) = cpu_of($server, $load, 'publish', %publish, count => count(100_000, $scale));
    return { rate => $answer->{published} / $answer->{nanoseconds} * 1e9, cpu => $cpu / $answer->{published} / 1e3 };
}

sub works () {
    return (
        {
            name        => 'publish',
            title       => 'publish, nobody listening; 16 in flight',
            contestants => [qw(nginx floor nchan push-stream sse)],
            run         => sub ($server, $scale) {
                my $load = Bench::Load->start($server);
                $load->order('publish', connections => 16, count => 2000);
                my ($cpu, $answer) = cpu_of($server, $load, 'publish', connections => 16, count => count(60_000, $scale));
                return { publish => $cpu / $answer->{published} / 1e3 };
            },
            shows => [['publish', 'CPU per publish', 'µs']],
            goals => [{ figure => 'publish', to => 'nginx', at_most => 1.15 }],
        },
        {
            name        => 'pipelined',
            title       => 'publish on one pipelined connection, nobody listening; server and load on processors of their own',
            contestants => [qw(nginx nchan push-stream sse)],
            options     => { pinned => 1 },
            starts      => 5,
            run         => \&pipelined,
            shows       => [['rate', 'publishes a second', ''], ['cpu', 'CPU per publish', 'µs']],
            goals       => [{ figure => 'rate', to => 'nchan', at_least => 1 }],
        },
        {
            name        => 'lines',
            title       => 'streaming publish (sse_framing lines) of lines of 100 B, nobody listening',
            contestants => [qw(sse)],
            run         => sub ($server, $scale) {
                my $load = Bench::Load->start($server);
                my $count = count(4_000_000, $scale);
                $load->order('lines', path => $server->{lines}, count => 100_000);
                my ($cpu, $answer) = cpu_of($server, $load, 'lines', path => $server->{lines}, count => $count);
                return { rate => $count / $answer->{nanoseconds} * 1e9, cpu_rate => $count / $cpu * 1e9, cpu => $cpu / $count };
            },
            shows => [['rate', 'events a second', ''], ['cpu_rate', 'events a second of CPU', ''], ['cpu', 'CPU per event', 'ns']],
            goals => [{ figure => 'cpu_rate', at_least => 1_000_000 }],
        },
        {
            name        => 'flood',
            title       => '3,000,000 lines of 100 B at full speed, one worker, 64 MB; a subscriber that reads as fast as it can',
            contestants => [qw(sse)],
            run         => \&flood,
            shows       => [['arrived', 'events that arrive', '%'], ['gaps', 'gaps', ''], ['rate', 'events a second taken in', '']],
            goals       => [{ figure => 'arrived', at_least => 100 }, { figure => 'gaps', at_most => 0 }],
        },
    );
}

1;
