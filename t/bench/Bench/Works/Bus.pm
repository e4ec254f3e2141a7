package Bench::Works::Bus;

# What it costs that many machines share a Redis Stream. All of them, and Redis, are on this machine.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(broadcast count);
use Bench::Server;
use SSE::Nginx qw(wait_until);

# Processor time of the server and of its Redis for what the load does meanwhile, in nanoseconds, and what the load has answered.
sub cpu_of_both ($server, $load, $order, %option) {
    my @before = ($server->cpu, $server->redis_cpu);
    my $answer = $load->order($order, %option);
    return ($server->cpu - $before[0], $server->redis_cpu - $before[1], $answer);
}

# As one upload, of lines of 100 B: what is measured is the bus, not HTTP.
sub upload ($server, $scale) {
    my $load = Bench::Load->start($server);
    my $count = count(1_000_000, $scale);
    $load->order('lines', path => $server->{lines}, count => 20_000);
    my ($cpu, $redis, $answer) = cpu_of_both($server, $load, 'lines', path => $server->{lines}, count => $count);
    return {
        rate  => $count / $answer->{nanoseconds} * 1e9,
        cpu   => $cpu / $count / 1e3,
        redis => $redis / $count / 1e3,
    };
}

# One request an event.
sub requests ($server, $scale) {
    my $load = Bench::Load->start($server);
    my %publish = (connections => 64);
    $load->order('publish', %publish, count => 2000);
    my ($cpu, $redis, $answer) = cpu_of_both($server, $load, 'publish', %publish, count => count(60_000, $scale));
    return {
        rate  => $answer->{published} / $answer->{nanoseconds} * 1e9,
        cpu   => $cpu / $answer->{published} / 1e3,
        redis => $redis / $answer->{published} / 1e3,
    };
}

# The time from the request until 100 subscribers have the event, and what is added to that of a machine without a bus.
sub latency ($server, $scale) {
    my %load = (
        subscribers => 100,
        size        => 100,
        publish     => { count => count(500, $scale), rate => 50, wait => 1 },
        warm        => { count => 20 },
    );
    my $with  = broadcast($server, %load);
    my $plain = Bench::Server->start('sse');
    my $without = broadcast($plain, %load);
    $plain->stop;
    return {
        %$with{qw(p50 p99)},
        added50 => $with->{p50} - $without->{p50},
        added99 => $with->{p99} - $without->{p99},
    };
}

# A second machine that only follows: nobody publishes there, and nobody listens.
sub following ($server, $scale) {
    my $load = Bench::Load->start($server);
    my $count = count(1_000_000, $scale);
    my $second = Bench::Server->start('sse-bus', redis => $server->{redis}->port);
    $load->order('lines', path => $server->{lines}, count => 20_000);
    await($second, 20_000);
    my $before = $second->cpu;
    $load->order('lines', path => $server->{lines}, count => $count);
    await($second, 20_000 + $count);
    my $cpu = $second->cpu - $before;
    $second->stop;
    return { cpu => $cpu / $count / 1e3 };
}

# Until so many events have come to that machine.
sub await ($server, $count) {
    my $nginx = $server->{nginx};
    wait_until(sub { ($nginx->get('/status')->json->{zones}{events}{published} // 0) >= $count }, "$count events", 60);
}

sub works () {
    return (
        {
            name        => 'bus-lines',
            title       => 'streaming publish of lines of 100 B through a Redis Stream, nobody listening',
            contestants => [qw(sse-bus)],
            run         => \&upload,
            shows       => [['rate', 'events a second', ''], ['cpu', 'CPU per event, publishing and following', 'µs'], ['redis', "Redis' CPU per event", 'µs']],
            goals       => [{ of => 'sse-bus', figure => 'rate', at_least => 100_000 }],
        },
        {
            name        => 'bus-publish',
            title       => 'publish through Redis, a request an event, nobody listening; 64 in flight',
            contestants => [qw(nchan-redis sse-bus)],
            run         => \&requests,
            shows       => [['rate', 'publishes a second', ''], ['cpu', 'CPU per publish', 'µs'], ['redis', "Redis' CPU per publish", 'µs']],
            goals       => [{ of => 'sse-bus', figure => 'rate', to => 'nchan-redis', at_least => 1 }],
        },
        {
            name        => 'bus-latency',
            title       => '100 subscribers, 50 events a second: what a bus adds until all have an event',
            contestants => [qw(sse-bus)],
            run         => \&latency,
            shows       => [['p50', 'until all have it, p50', 'ms'], ['p99', 'until all have it, p99', 'ms'], ['added50', 'added, p50', 'ms'], ['added99', 'added, p99', 'ms']],
            goals       => [{ of => 'sse-bus', figure => 'added50', at_most => 1 }, { of => 'sse-bus', figure => 'added99', at_most => 5 }],
        },
        {
            name        => 'bus-following',
            title       => 'a machine that follows the stream, nobody listening there',
            contestants => [qw(sse-bus)],
            run         => \&following,
            shows       => [['cpu', 'CPU per event', 'µs']],
            goals       => [],
        },
    );
}

1;
