package Bench::Works::Resume;

# Clients who come back with a cursor.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count cpu_of fill);
use Bench::Report qw(median);
use List::Util qw(max);
use Time::HiRes qw(sleep);


# Resumes with an id that no event has: what one costs, and what a hundred at once do to others.
sub unknown_id ($server, $scale) {
    my ($load, $crowd, $visitor) = map { Bench::Load->start($server) } 1 .. 3;
    fill($server, $load, count(100_000, $scale));
    my %bogus = (cursor => 'bogus');
    # What is answered to a GET is the start of a replay, which is not what is asked for.
    my ($cpu, $heads) = cpu_of($server, $load, 'probe',
        %bogus, method => 'HEAD', path => $server->{subscribe}, rate => 50, seconds => 4 * $scale);
    $visitor->order('hurry');
    $visitor->give('probe', path => '/file.txt', rate => 200, seconds => 1.5);
    sleep 0.2;
    $crowd->order('follow', %bogus, count => 100);
    return { cpu => $cpu / $heads->{requests} / 1e3, max => $visitor->answer->{max} / 1e6 };
}

# How much longer the first event takes where a million are to be passed.
sub far_seek ($server, $scale) {
    my ($far, $near) = (Bench::Load->start($server), Bench::Load->start($server, 'near'));
    fill($server, $far, count(1_000_000, $scale));
    $near->order('publish', count => 10);
    my %first;
    for (1 .. 20) {
        push $first{far}->@*,  $far->order('follow', cursor => $server->{old}, events => 1)->{p50} / 1e3;
        push $first{near}->@*, $near->order('follow', cursor => $server->{old}, events => 1)->{p50} / 1e3;
    }
    my %median = map { ($_ => median($first{$_}->@*)) } keys %first;
    return { %median, more => $median{far} - $median{near} };
}

# One client after the other. What the others take for an event grows with the number of events.
sub replay ($server, $scale) {
    my $load = Bench::Load->start($server);
    my ($count, $clients) = (20_000, count(20, $scale));
    fill($server, $load, $count);
    my ($bytes, $time, $cpu) = (0, 0, $server->cpu);
    for (1 .. $clients) {
        my $answer = $load->order('follow', cursor => $server->{old}, events => $count);
        die "$answer->{events} of $count events came\n" if $answer->{events} != $count;
        $bytes += $answer->{bytes};
        $time  += $answer->{nanoseconds};
    }
    return { rate => $bytes / $time * 1e3, cpu => ($server->cpu - $cpu) / $count / $clients };
}

# So many at once, with so much missed each, that they are busy for seconds.
sub herd_static ($server, $scale) {
    my ($crowd, $visitor) = map { Bench::Load->start($server) } 1 .. 2;
    my $seconds = 5 * $scale;
    my $before = my $most = $server->private_memory;
    $crowd->order('subscribe', count => count(2000, $scale));
    $crowd->order('publish', count => 1);
    $crowd->order('disconnect');
    $crowd->order('publish', connections => 16, count => 20_000);
    $visitor->order('hurry');
    $visitor->give('probe', path => '/file.txt', rate => 100, seconds => $seconds);
    $crowd->give('reconnect', window => 4000, seconds => $seconds);
    $most = max($most, $server->private_memory) until $crowd->has_answered(0.02);
    my ($answer, $times) = ($crowd->answer, $visitor->answer);
    return {
        p99    => $times->{p99} / 1e6,
        max    => $times->{max} / 1e6,
        memory => ($most - $before) / 1e6,
        rate   => $answer->{delivered} / $answer->{nanoseconds} * 1e9,
    };
}

sub works () {
    return (
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
            name        => 'herd-static',
            title       => '2000 clients reconnect at once, 20,000 missed events each; a static file from the same worker',
            contestants => [qw(sse)], # nchan does not answer for half a minute
            options     => { history => 20_100 },
            run         => \&herd_static,
            shows       => [
                ['p99', 'file, p99', 'ms'], ['max', 'file, slowest', 'ms'], ['memory', 'memory, at most', 'MB'],
                ['rate', 'events a second', ''],
            ],
            goals => [{ figure => 'p99', at_most => 5 }],
        },
        {
            name        => 'unknown-id',
            title       => 'clients come back with an id that no event has; a channel with 100,000 events',
            contestants => [qw(sse)], # the others do not know ids of publishers
            options     => { history => 100_100 },
            run         => \&unknown_id,
            shows       => [['cpu', 'CPU each', 'µs'], ['max', '100 at once: a static file, slowest', 'ms']],
            goals       => [{ figure => 'cpu', at_most => 50 }, { figure => 'max', at_most => 5 }],
        },
        {
            name        => 'far-seek',
            title       => 'a client comes back with an old id; until the first event, a channel with 1,000,000 events',
            contestants => [qw(push-stream sse)], # nchan does not answer for half a minute
            options     => { history => 1_000_100, zone => '1024m' },
            run         => \&far_seek,
            shows       => [['far', '1,000,000 events, p50', 'µs'], ['near', '10 events, p50', 'µs'], ['more', 'difference', 'µs']],
            goals       => [{ figure => 'more', at_most => 100 }],
        },
        {
            name        => 'replay',
            title       => 'a client comes back and has missed 20,000 events of 100 B',
            contestants => [qw(nchan push-stream sse)],
            options     => { history => 20_100 },
            run         => \&replay,
            shows       => [['rate', 'text a second', 'MB'], ['cpu', 'CPU per event', 'ns']],
            goals       => [{ figure => 'rate', to => 'nchan', at_least => 5 }],
        },
    );
}

1;
