package Bench::Works::Idle;

# Subscribers who come, and wait.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count cpu_of idle_crowd);
use Bench::TlsCrowd;
use List::Util qw(max);
use Time::HiRes qw(sleep time);

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

# Subscribers of two channels, one of which all have in common: what a thousand cost when there are none yet, and when there are
# three thousand.
sub joins ($server, $scale) {
    my $others = Bench::Load->start($server);
    $others->order('subscribe', count => 1000, channels => 1000);
    my $load = Bench::Load->start({ %$server, subscribe => '/joined?channel=%c' });
    my $count = count(1000, $scale);
    my @cpu = map { (cpu_of($server, $load, 'subscribe', count => $count, channels => 4 * $count))[0] } 1 .. 4;
    my ($first, $last) = map { $_ / $count / 1e3 } @cpu[0, -1];
    return { first => $first, last => $last, growth => $last / $first };
}

# The index of channels when it is full, when nobody may have an entry, and when a million of those that could be had live again:
# what a call takes at the most, with the lock of the zone held. The program is a unit test.
sub index_work ($server, $scale) {
    my $program = 'build/unit/index_work ' . join ' ', map { count($_, $scale) } 524_288, 1_048_576;
    my $output  = `$program 2>&1`;
    die "$program:\n$output" if $?;
    return { map { my $call = $_; $call => max($output =~ /^# $call with .* ([\d.]+) us$/mg) / 1e3 } qw(listen unlisten append) };
}

sub works () {
    return (
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
            name        => 'joins',
            title       => 'a channel that is joined with 4000 others, each subscriber with another one',
            contestants => [qw(nchan push-stream sse)],
            options     => {
                locations => {
                    nchan => 'location = /joined { nchan_subscriber eventsource; nchan_channel_id common $arg_channel; }',
                    'push-stream' =>
                        'location = /joined { push_stream_subscriber eventsource; push_stream_channels_path common/$arg_channel; }',
                    sse => 'location = /joined { sse_channel common $arg_channel; }',
                },
            },
            run   => \&joins,
            shows => [['first', 'CPU each, the first thousand', 'µs'], ['last', 'CPU each, the last thousand', 'µs'], ['growth', 'the last to the first', '']],
            goals => [{ figure => 'growth', at_most => 1.2 }],
        },
        {
            name        => 'index',
            title       => 'the index of channels, full, of a zone of 1 GB, and with 1,000,000 channels that live again',
            contestants => [qw(sse)],
            tree        => 1,
            run         => \&index_work,
            shows       => [map { [$_, "$_(), slowest", 'ms'] } qw(listen unlisten append)],
            goals       => [{ figure => 'listen', at_most => 1 }],
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
                { figure => 'idle',       at_most => 6 * 1024 },
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
            name        => 'browser',
            title       => 'an idle subscriber that sends what a browser sends',
            contestants => [qw(nchan push-stream sse)],
            run         => sub ($server, $scale) {
                my $load = Bench::Load->start($server);
                return {
                    map { ($_ => (idle_crowd($server, count(5000, $scale), $load, client => $_))[1]) } qw(browser cookies)
                };
            },
            shows => [['browser', 'twelve headers: memory each', 'B'], ['cookies', '2 KB of cookies as well: memory each', 'B']],
            goals => [{ figure => 'browser', at_most => 7.5 * 1024 }, { figure => 'cookies', at_most => 8.5 * 1024 }],
        },
        {
            name        => 'idle',
            title       => '10,000 subscribers with a heartbeat every 15 s',
            contestants => [qw(floor nchan push-stream sse)],
            options     => { heartbeat => 15 },
            run         => sub ($server, $scale) {
                my ($load) = idle_crowd($server, 10_000);
                my ($cpu, $start) = ($server->cpu, time);
                sleep 15 * count(2, $scale);
                return { share => ($server->cpu - $cpu) / 1e7 / (time - $start) };
            },
            shows => [['share', 'of a core', '%']],
            goals => [{ figure => 'share', to => 'floor', at_most => 1.10 }],
        },
    );
}

1;
