# Events from Redis do not wait until each of many clients that catch up has had its turn, because all subscribers wait for them.
# needs: module redis
use v5.36;
use lib qw(t/lib t/bus);
use Test::More;
use Bus::One;
use SSE::Nginx;
use SSE::Process;
use SSE::Redis;
use SSE::Util;

plan skip_all => 'needs nginx with --with-debug' unless SSE::Nginx::has('debug');

my ($crowd, $entries) = (50, 640); # a slice appends 64
my $redis  = SSE::Redis->start;
my $server = SSE::Nginx->start(
    http => "sse_zone events 16m; sse_bus events redis://127.0.0.1:@{[ $redis->port ]};",
    main => 'error_log traced.log debug;',
);
my ($worker) = $server->workers;
wait_until(sub { $server->log =~ /the zone has caught up with the stream/ }, 'a zone that is filled');

# Adds all of them in one transaction.
sub add_live ($count) {
    $redis->command('MULTI');
    $redis->command(XADD => 'sse:events', '*', channel => 'live', data => $_) for 1 .. $count;
    $redis->command('EXEC');
}

# The follower asks for more entries when the last answer brought many.
my $live = $server->subscribe('/sub?channel=live')->ready;
for (1 .. 8) {
    add_live($entries);
    is scalar @{ [$live->events($entries)] }, $entries, 'events from Redis';
}
my $history = stream_of(('x' x 6000) x 200); # some twenty slices
is $server->publish('/pub?channel=history', $history, type => 'text/event-stream')->json->{events}, 200, 'a history';
my @client = map { $server->connect } 1 .. $crowd;

freeze_reader($worker, $redis);
my $before = length $server->read_file('traced.log');
add_live($entries);
$redis->command('PING'); # once this is answered, Redis has written to the follower
$server->request(GET => '/sub?channel=history', on => $_, cursor => '0-0') for @client;
thaw($worker);
is scalar @{ [$live->events($entries)] }, $entries, 'as many while others catch up';
is scalar(grep { @{ [$_->events(200)] } == 200 } @client), $crowd, 'who have their history, too';

my $log       = substr $server->read_file('traced.log'), $before;
my @sent      = $log =~ / send: fd:\d+ (\d+) of \d+$/mg;
my @live_sent = grep { $sent[$_] > 500 && $sent[$_] < 6000 } 0 .. $#sent;
note sprintf '%d of %d pieces of histories were sent before the last of these', $live_sent[-1], scalar @sent;
cmp_ok $live_sent[-1], '<', @sent / 10, 'which has not come late';

$_->close for $live, @client;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
