# A publisher waits because of sse_max_rate while its worker leaves. It learns what has become of its events, even if Redis answers
# after the wait would have ended.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;

my $redis  = SSE::Redis->start;
my $proxy  = SSE::RedisProxy->start(to => $redis);
my $server = SSE::Nginx->start(
    SSE::Nginx::usual(locations => 'location = /slow { sse_publish $arg_channel; sse_max_rate 1; } location = /health { sse_health; }'),
    drain => '5s',
    http  => "sse_zone events 8m; sse_bus events redis://@{[ $proxy->address ]};",
);
wait_until(sub { $server->get('/health')->status == 200 }, 'the machine to be well');
sub texts () { return [map { $_->[1]{data} } grep { ($_->[1]{channel} // '') eq 'c' } $redis->entries('sse:events')] }

# Streams end in the order in which they were opened, spread over sse_drain. This one is among the first.
my $publisher = $server->stream('/slow?channel=c', type => 'application/x-ndjson');
$publisher->feed("1\n");
wait_until(sub { @{ texts() } == 1 }, 'the first event');
my @other = map { $server->subscribe('/sub?channel=other')->ready } 1 .. 40;

# Two events take two seconds at this rate, one of which may be borrowed.
$proxy->rule(match => '^XADD sse:events .* 3\b', delay => 1.7);
$publisher->feed("2\n3\n");
wait_until(sub { $proxy->hits }, 'the last event to be on its way');
$server->reload;
is_deeply [$publisher->status, $publisher->json->{events}], [201, 3], 'all are there' or diag $publisher->body;
is_deeply texts(), [1, 2, 3], 'once';
$_->close for $publisher, @other;
$server->allow(qr/sse: bus/);
is_deeply [$server->stop], [], 'no trouble';
done_testing;
