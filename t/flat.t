# Flat for ever: with many subscribers, heartbeats and events, the private memory of the workers does not grow.
#
# TEST_NGINX_FLAT_SUBSCRIBERS and TEST_NGINX_FLAT_SECONDS make it as long as one likes.
use v5.36;
use lib 't/lib';
use IO::Select;
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;

my $count   = $ENV{TEST_NGINX_FLAT_SUBSCRIBERS} // 300;
my $seconds = $ENV{TEST_NGINX_FLAT_SECONDS}     // 8;
my $server  = SSE::Nginx->start(
    workers   => 2,
    events    => 'worker_connections ' . ($count + 200) . ';',
    zone      => '1m',
    subscribe => 'sse_heartbeat 50ms;',
);

sub memory { return private_memory($server->workers) }

defined memory() or plan skip_all => 'this kernel has no smaps_rollup';

# One half gets nothing but heartbeats, the other half an event every now and then.
my @subscribers = map { $server->subscribe('/sub?channel=' . ($_ % 2 ? 'busy' : 'silent'))->ready } 1 .. $count;
my $publisher = $server->connect;
my @sockets   = map { $_->{socket} } @subscribers;
my $select    = IO::Select->new(@sockets);
my ($heartbeats, $events, $published) = (0, 0, 0);

# Goes on for so many seconds: an event every 20 ms, and everybody reads. What came is only counted.
sub go_on ($time) {
    my $end = time + $time;
    my $next = time;
    while (time < $end) {
        if (time >= $next) {
            $server->publish('/pub?channel=busy', 'an event', on => $publisher)->status == 201 and $published++;
            $next = time + 0.02;
        }
        for my $socket ($select->can_read(0.02)) {
            sysread $socket, my $bytes, 65536 or die "a stream has ended\n";
            $heartbeats += () = $bytes =~ /^:$/mg;
            $events     += () = $bytes =~ /^data: an event$/mg;
        }
    }
}

go_on($seconds / 3);
$heartbeats = $events = 0;
my $start  = time;
my @sample = ([0, memory()]);
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
my $told  = $heartbeats + $events;
my $leak  = 8 * $told / $sample[-1][0];
note sprintf '%d subscribers, %d heartbeats and %d deliveries in %.1f s', $count, $heartbeats, $events, $sample[-1][0];
note sprintf 'private memory: %s KB', join ' ', map { $_->[1] / 1024 } @sample;
note sprintf 'slope: %.0f bytes a second; a leak of 8 bytes each would be %.0f', $slope, $leak;
cmp_ok $heartbeats, '>', $count * 10, 'there were heartbeats';
cmp_ok $events,     '>', $count * 10, 'and events';
SKIP: {
    skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
    cmp_ok $slope, '<', $leak / 2, 'and memory stays as it is';
}
$_->close for @subscribers;
wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
