package Bench::Works::FanOut;

# Events to many subscribers, to many channels, over many workers.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(broadcast count cpu_of one_by_one);
use Bench::Report qw(median);
use List::Util qw(max);
use POSIX qw(ceil);

# In the terms of published tables: subscribers of one channel.
my @crowds = (1, 10, 100, 1000, 2048);

sub tables ($server, $scale) {
    my %publish = (size => 256, rate => 50);
    my %figure;
    for my $crowd (@crowds) {
        my $load = Bench::Load->start($server, "of$crowd"); # its own channel, without a history
        $load->order('subscribe', count => $crowd);
        $load->order('publish', %publish, count => 10);
        my $answer = $load->order('publish', %publish, count => count(500, $scale));
        $figure{"p${_}_$crowd"} = $answer->{"p$_"} / 1e6 for 50, 99;
    }
    return \%figure;
}

sub channels ($server, $scale) {
    return broadcast($server,
        subscribers => 5000,
        size    => 100,
        publish => { channels => 5000, connections => 16, count => 5000 * count(6, $scale) },
        warm    => { count => 5000 },
    );
}

# Several load generators, for a process may not have that many connections.
sub many ($server, $count) {
    my $each = 15_000;
    my $free = available_memory();
    my $before = $server->memory;
    my @loads = map { Bench::Load->start($server) } 1 .. ceil($count / $each);
    for my $i (0 .. $#loads) {
        my $from = $i * $each;
        $loads[$i]->order('subscribe', count => $count - $from < $each ? $count - $from : $each, from => $from);
    }
    my $memory = $server->memory - $before;
    my $used   = $free - available_memory();
    my ($publisher, @others) = @loads;
    my ($cpu, @times) = $server->cpu;
    for my $round (1 .. 6) {
        $_->give('receive', count => 1) for @others;
        my $answer = $publisher->order('publish', count => 1);
        my $last   = max($answer->{start} + $answer->{nanoseconds}, map { $_->answer->{last} } @others);
        push @times, ($last - $answer->{start}) / 1e6;
    }
    return {
        memory => $memory / $count,
        all    => $used / $count,
        time   => median(@times[1 .. $#times]),
        cpu    => ($server->cpu - $cpu) / $count / @times / 1e3,
    };
}

sub available_memory () {
    open my $file, '<', '/proc/meminfo' or die "/proc/meminfo: $!";
    return 1024 * (join('', readline $file) =~ /^MemAvailable:\s+(\d+) kB$/m)[0];
}

sub works (%option) {
    my $count   = $option{subscribers} // 100_000;
    my $workers = ceil($count / 16_000);
    return (
        {
            name        => 'broadcast',
            title       => '1000 subscribers, 1 channel, 100 B; publish, wait for the answer, publish',
            contestants => [qw(floor nchan push-stream sse)],
            run         => sub ($server, $scale) {
                return one_by_one($server, $scale, count => 1000, wait => 0);
            },
            shows       => [['cpu', 'CPU per event', 'µs'], ['p50', 'until all have it, p50', 'ms'], ['p99', 'until all have it, p99', 'ms']],
            goals       => [{ figure => 'cpu', to => 'floor', at_most => 0.70 }, { figure => 'cpu', to => 'nchan', at_most => 0.50 }],
        },
        {
            name        => 'paced',
            title       => 'the same at 50 events a second, so that nothing can be merged',
            contestants => [qw(floor nchan push-stream sse)],
            run         => sub ($server, $scale) {
                return broadcast($server,
                    subscribers => 1000,
                    size    => 100,
                    publish => { count => count(150, $scale), rate => 50, wait => 1 },
                    warm    => { count => 20 },
                );
            },
            shows => [['cpu', 'CPU per event', 'µs'], ['p50', 'until all have it, p50', 'ms'], ['p99', 'until all have it, p99', 'ms']],
            goals => [{ figure => 'cpu', to => 'floor', at_most => 1.05 }],
        },
        {
            name        => 'inflight',
            title       => 'the same with 64 publishes in flight',
            contestants => [qw(floor nchan push-stream sse)],
            run         => sub ($server, $scale) {
                return broadcast($server,
                    subscribers => 1000,
                    size    => 100,
                    publish => { seconds => 2 * $scale, connections => 64 },
                    warm    => { seconds => 0.2 },
                );
            },
            shows => [['rate', 'events a second', ''], ['cpu', 'CPU per event', 'µs']],
            goals => [{ figure => 'rate', to => 'nchan', at_least => 20 }],
        },
        {
            name        => 'channels',
            title       => '5000 channels with one subscriber each; 16 publishes in flight',
            contestants => [qw(floor nchan push-stream sse)],
            run         => \&channels,
            shows       => [['publish', 'CPU per publish', 'µs']],
            goals       => [{ figure => 'publish', to => 'floor', at_most => 1.03 }],
        },
        {
            name        => 'large',
            title       => '200 subscribers, 16 KB events; publish, wait until all have it, publish',
            contestants => [qw(floor nchan push-stream sse)],
            run         => sub ($server, $scale) {
                return one_by_one($server, $scale, subscribers => 200, size => 16_384, count => 500);
            },
            shows => [['cpu', 'CPU per event', 'µs']],
            goals => [{ figure => 'cpu', to => 'floor', at_most => 1.10 }],
        },
        {
            name        => 'workers',
            title       => 'broadcast over 1, 2 and 4 workers',
            contestants => [qw(nchan nchan@2 nchan@4 sse sse@2 sse@4)],
            run         => sub ($server, $scale) { return one_by_one($server, $scale) },
            shows       => [['cpu', 'CPU per event', 'µs']],
            goals       => [map { { figure => 'cpu', of => "sse\@$_", to => 'sse', at_most => 1.10 } } 2, 4],
        },
        {
            name        => 'channels-workers',
            title       => '5000 channels with one subscriber each, over 4 workers',
            contestants => [qw(nchan nchan@4 sse sse@4)],
            run         => \&channels,
            shows       => [['publish', 'CPU per publish', 'µs']],
            goals       => [{ figure => 'publish', of => 'sse@4', to => 'sse', at_most => 1.5 }],
        },
        {
            name        => 'latency',
            title       => 'one event for one subscriber, idle server of 2 workers; server and load on processors of their own',
            contestants => [qw(nchan@2 sse@2)],
            options     => { header => 1, pinned => 1 },
            starts      => 5,
            run         => sub ($server, $scale) {
                my %figure;
                for my $worker (qw(same other)) {
                    my $load = Bench::Load->start($server, $worker);
                    my %publish = (wait => 1, rate => 200, worker => $worker);
                    $load->order('subscribe');
                    $load->order('publish', %publish, count => 50);
                    my $answer = $load->order('publish', %publish, count => count(300, $scale));
                    $figure{"$worker$_"} = $answer->{"p$_"} / 1e3 for 50, 99;
                }
                return \%figure;
            },
            shows => [map { my $worker = $_; map { ["$worker$_", "$worker worker, p$_", 'µs'] } 50, 99 } qw(same other)],
            goals => [map { { figure => $_, of => 'sse@2', to => 'nchan@2', at_most => 1 } } qw(same50 same99 other50 other99)],
        },
        {
            name        => 'tables',
            title       => 'events of 256 B, 50 a second, as in published tables; until all subscribers have it',
            contestants => [qw(floor nchan push-stream sse)],
            run         => \&tables,
            shows       => [
                map { my $crowd = $_; map { ["p${_}_$crowd", "$crowd subscribers, p$_", 'ms'] } 50, 99 } @crowds
            ],
            goals => [map { { figure => "p99_$_", to => 'nchan', at_most => 1 } } 1000, 2048],
        },
        {
            name        => 'many',
            title       => "$count subscribers over $workers workers, 1 channel",
            contestants => ["nchan\@$workers", "sse\@$workers"],
            run         => sub ($server, $scale) { return many($server, count($count, $scale)) },
            shows       => [
                ['memory', 'memory of the server each',                        'B'],
                ['all',    'memory of the machine each, clients included',     'B'],
                ['time',   'time until a broadcast has reached all',           'ms'],
                ['cpu',    'CPU per event',                                    'µs'],
            ],
            goals => [],
        },
    );
}

1;
