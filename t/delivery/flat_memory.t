# With many subscribers, heartbeats and events, neither the private memory nor the number of descriptors of the workers grows.
#
# These variables make the test larger or longer: TEST_NGINX_FLAT_SUBSCRIBERS, TEST_NGINX_FLAT_SECONDS, TEST_NGINX_FLAT_HEARTBEAT and
# TEST_NGINX_FLAT_PAUSE (seconds between two heartbeats, and between two events).
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Process;

my $count   = $ENV{TEST_NGINX_FLAT_SUBSCRIBERS} // 300;
my $seconds = $ENV{TEST_NGINX_FLAT_SECONDS}     // 8;
my $beat    = $ENV{TEST_NGINX_FLAT_HEARTBEAT}   // 0.05;
my $pause   = $ENV{TEST_NGINX_FLAT_PAUSE}       // 0.02;
my $server  = SSE::Nginx->start(
    workers   => 2,
    events    => 'worker_connections ' . ($count + 200) . ';',
    zone      => '1m',
    subscribe => 'sse_heartbeat ' . 1000 * $beat . 'ms;',
);

sub memory { return private_memory($server->workers) }

defined memory() or plan skip_all => 'this kernel has no smaps_rollup';

# One half gets nothing but heartbeats, the other half an event every now and then.
my @subscribers = map { $server->subscribe('/sub?channel=' . ($_ % 2 ? 'busy' : 'silent'))->ready } 1 .. $count;
my $publisher = $server->connect;
my @sockets   = map { $_->{socket} } @subscribers;
my ($heartbeats, $events) = (0, 0);

# Reads from all subscribers, less often if there are many, so that the test keeps up. What arrives is only counted.
sub read_all {
    for my $socket (@sockets) {
        my $count = sysread $socket, my $bytes, 262_144;
        die "a stream has ended\n" if defined $count && !$count;
        next unless $count;
        $heartbeats += () = $bytes =~ /^:$/mg;
        $events     += () = $bytes =~ /^data: an event$/mg;
    }
}

# Goes on for so many seconds.
sub go_on ($time) {
    my $end = time + $time;
    my ($next_event, $next_read) = (time) x 2;
    while (time < $end) {
        if (time >= $next_event) {
            $server->publish('/pub?channel=busy', 'an event', on => $publisher)->status == 201 or die "not published\n";
            $next_event += $pause;
        }
        if (time >= $next_read) {
            read_all();
            $next_read = time + $count / 10_000;
        }
        my ($next) = sort { $a <=> $b } $next_event, $next_read;
        sleep $next - time if $next > time;
    }
}

go_on($seconds / 3);
$heartbeats = $events = 0;
my $start  = time;
my @sample = ([0, memory()]);
my $open   = descriptors($server->workers);
for (1 .. 10) {
    go_on($seconds / 10);
    push @sample, [time - $start, memory()];
}

# Slope of the line through the samples, in bytes for each second.
my ($x, $y) = (0, 0);
$x += $_->[0] / @sample, $y += $_->[1] / @sample for @sample;
my ($xy, $xx) = (0, 0);
$xy += ($_->[0] - $x) * ($_->[1] - $y), $xx += ($_->[0] - $x)**2 for @sample;
my $slope = $xy / $xx;
my $leak  = 8 * $heartbeats / $sample[-1][0];
note sprintf '%d subscribers, %d heartbeats and %d deliveries in %.1f s', $count, $heartbeats, $events, $sample[-1][0];
note sprintf 'private memory: %s KB', join ' ', map { $_->[1] / 1024 } @sample;
note sprintf 'slope: %.0f bytes a second; a leak of 8 bytes a heartbeat would be %.0f', $slope, $leak;
my $open_later = descriptors($server->workers);
note "descriptors: $open, then $open_later";
cmp_ok $heartbeats, '>', $count * 3, 'there were heartbeats';
cmp_ok $events,     '>', $count * 10, 'and events';
SKIP: {
    skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
    cmp_ok $slope, '<', $leak / 2, 'and memory stays as it is';
}
cmp_ok $open_later, '<=', $open + 2, 'as do the descriptors';
$_->close for @subscribers;
wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
