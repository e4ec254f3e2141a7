package Bench::Works;

# What is measured: the rows of the table.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Report qw(median);
use Bench::Server;
use Bench::TlsCrowd;
use Exporter 'import';
use List::Util qw(max);
use POSIX qw(ceil);
use Time::HiRes qw(sleep time);
our @EXPORT_OK = qw(works);

# Processor time of the server for what the load does meanwhile, in nanoseconds, and what the load has answered.
sub cpu_of ($server, $load, $order, %option) {
    my $before = $server->cpu;
    my $answer = $load->order($order, %option);
    return ($server->cpu - $before, $answer);
}

# Events to subscribers, and what one costs: (figures, the load).
sub broadcast ($server, %option) {
    my $load = Bench::Load->start($server);
    my %publish = (%option{qw(size)}, $option{publish}->%*);
    $load->order('subscribe', count => $option{subscribers}, channels => $publish{channels} // 1);
    $load->order('publish', %publish, %{ $option{warm} });
    my ($cpu, $answer) = cpu_of($server, $load, 'publish', %publish);
    $load->order('settle');
    return {
        cpu     => $cpu / $answer->{delivered} / 1e3,
        publish => $cpu / $answer->{published} / 1e3,
        rate    => $answer->{delivered} / $answer->{nanoseconds} * 1e9,
        p50     => $answer->{p50} / 1e6,
        p99     => $answer->{p99} / 1e6,
    };
}

sub one_by_one ($server, $scale, %more) {
    return broadcast($server,
        subscribers => $more{subscribers} // 1000,
        size    => $more{size} // 100,
        publish => { count => count($more{count} // 300, $scale), wait => $more{wait} // 1 },
        warm    => { count => 20 },
    );
}

sub count ($full, $scale) { return ceil($full * $scale) }

sub channels ($server, $scale) {
    return broadcast($server,
        subscribers => 5000,
        size    => 100,
        publish => { channels => 5000, connections => 16, count => 5000 * count(6, $scale) },
        warm    => { count => 5000 },
    );
}

# Many who only wait: (the load, memory of the server for each, in bytes, and its CPU for each, in microseconds).
sub idle_crowd ($server, $count, $load = Bench::Load->start($server)) {
    $load->order('subscribe', count => 100);
    my $before = $server->memory;
    my $cpu    = $server->cpu;
    $load->order('subscribe', count => $count);
    return ($load, ($server->memory - $before) / $count, ($server->cpu - $cpu) / $count / 1e3);
}

# What an idle subscriber costs, and whether it goes on growing. The server sends a heartbeat every second.
sub memory ($server, $count, $crowd, $publisher) {
    my (undef, $idle) = idle_crowd($server, $count, $crowd);
    my $before = $server->memory;
    $publisher->order('publish', count => 50, wait => 1);
    $crowd->order('await', count => 50) if $crowd != $publisher;
    my $events = $server->memory;
    sleep 5.5;
    return {
        idle       => $idle,
        events     => ($events - $before) / $count,
        heartbeats => ($server->memory - $events) / $count,
    };
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

# Each: name, title, contestants (name of a server, @ how many workers), options of the servers, run (the server and a scale
# for how much is done in; a hash of figures out), shows (figure, label, unit), goals. A goal: figure, of (the contestant that
# has it; default sse), to (what it is compared with; default: nothing) and at_most or at_least.
my @works = (
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
        goals       => [{ figure => 'publish', to => 'nchan', at_most => 0.40 }],
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
        name        => 'lines',
        title       => 'streaming publish (sse_framing lines) of lines of 100 B, nobody listening',
        contestants => [qw(sse)],
        run         => sub ($server, $scale) {
            my $load = Bench::Load->start($server);
            my $count = count(4_000_000, $scale);
            $load->order('lines', path => '/ingest?channel=%c', count => 100_000);
            my ($cpu, $answer) = cpu_of($server, $load, 'lines', path => '/ingest?channel=%c', count => $count);
            return { rate => $count / $answer->{nanoseconds} * 1e9, cpu_rate => $count / $cpu * 1e9, cpu => $cpu / $count };
        },
        shows => [['rate', 'events a second', ''], ['cpu_rate', 'events a second of CPU', ''], ['cpu', 'CPU per event', 'ns']],
        goals => [{ figure => 'cpu_rate', at_least => 1_000_000 }],
    },
    {
        name        => 'accept',
        title       => 'accepting a subscriber',
        contestants => [qw(nginx floor nchan push-stream sse)],
        run         => sub ($server, $scale) {
            my (undef, undef, $cpu) = idle_crowd($server, count(10_000, $scale));
            return { cpu => $cpu };
        },
        shows => [['cpu', 'CPU per subscriber', 'µs']],
        goals => [{ figure => 'cpu', to => 'nginx', at_most => 1.15 }],
    },
    {
        name        => 'memory',
        title       => 'an idle subscriber over HTTP/1; then 50 events, then 5 heartbeats',
        contestants => [qw(nchan push-stream sse)],
        options     => { heartbeat => 1 },
        run         => sub ($server, $scale) {
            my $load = Bench::Load->start($server);
            return memory($server, count(10_000, $scale), $load, $load);
        },
        shows => [['idle', 'memory each', 'B'], ['events', 'more after 50 events', 'B'], ['heartbeats', 'more after 5 heartbeats', 'B']],
        goals => [
            { figure => 'idle',       at_most => 6.5 * 1024 },
            { figure => 'events',     at_most => 32 },
            { figure => 'heartbeats', at_most => 32 },
        ],
    },
    {
        name        => 'memory-tls',
        title       => 'the same over TLS',
        contestants => [qw(nchan push-stream sse)],
        options     => { heartbeat => 1, tls => 1 },
        run         => sub ($server, $scale) {
            return memory($server, count(1000, $scale), Bench::TlsCrowd->new($server), Bench::Load->start($server));
        },
        shows => [['idle', 'memory each', 'B'], ['events', 'more after 50 events', 'B'], ['heartbeats', 'more after 5 heartbeats', 'B']],
        goals => [
            { figure => 'idle',       at_most => 12 * 1024 },
            { figure => 'events',     at_most => 32 },
            { figure => 'heartbeats', at_most => 32 },
        ],
    },
    {
        name        => 'static',
        title       => '10,000 subscribers, one broadcast after another; a static file from the same worker',
        contestants => [qw(nchan push-stream sse)],
        run         => sub ($server, $scale) {
            my ($crowd, $visitor) = map { Bench::Load->start($server) } 1 .. 2;
            my $seconds = 5 * $scale;
            $crowd->order('subscribe', count => 10_000);
            $crowd->order('publish', count => 3, wait => 1);
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
        name        => 'herd',
        title       => '5000 clients reconnect at once, 100 missed events each; until all have caught up',
        contestants => [qw(nchan push-stream sse)],
        run         => sub ($server, $scale) {
            my $load = Bench::Load->start($server);
            my $clients = count(5000, $scale);
            $load->order('subscribe', count => $clients);
            $load->order('publish', count => 1);
            $load->order('disconnect');
            $load->order('publish', count => 100);
            my ($cpu, $answer) = cpu_of($server, $load, 'reconnect', window => 4000);
            $load->order('settle');
            return { time => $answer->{nanoseconds} / 1e6, cpu => $cpu / $clients / 1e3 };
        },
        shows => [['time', 'time', 'ms'], ['cpu', 'CPU per client', 'µs']],
        goals => [{ figure => 'time', to => 'nchan', at_most => 0.2 }],
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
        name        => 'idle',
        title       => '10,000 subscribers with a heartbeat every 15 s',
        contestants => [qw(nchan push-stream sse)],
        options     => { heartbeat => 15 },
        run         => sub ($server, $scale) {
            my ($load) = idle_crowd($server, 10_000);
            my ($cpu, $start) = ($server->cpu, time);
            sleep 15 * count(2, $scale);
            return { share => ($server->cpu - $cpu) / 1e7 / (time - $start) };
        },
        shows => [['share', 'of a core', '%']],
        goals => [{ figure => 'share', at_most => 0.3 }],
    },
    {
        name        => 'latency',
        title       => 'one event for one subscriber, idle server of 2 workers',
        contestants => [qw(nchan@2 sse@2)],
        options     => { header => 1 },
        run         => sub ($server, $scale) {
            my %figure;
            for my $worker (qw(same other)) {
                my $load = Bench::Load->start($server, $worker);
                my %publish = (wait => 1, rate => 200, worker => $worker);
                $load->order('subscribe');
                $load->order('publish', %publish, count => 50);
                my $answer = $load->order('publish', %publish, count => count(1000, $scale));
                $figure{"$worker$_"} = $answer->{"p$_"} / 1e3 for 50, 99;
            }
            return \%figure;
        },
        shows => [map { my $worker = $_; map { ["$worker$_", "$worker worker, p$_", 'µs'] } 50, 99 } qw(same other)],
        goals => [map { { figure => $_, of => 'sse@2', to => 'nchan@2', at_most => 1 } } qw(same50 same99 other50 other99)],
    },
);

# Option: subscribers (of the work "many").
sub works (%option) {
    my $count   = $option{subscribers} // 100_000;
    my $workers = ceil($count / 16_000);
    return @works, {
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
    };
}

1;
