# How a bus can be observed: the figures of the status, the health, and $sse_bus in logs and conditions; when all is well, when the zone
# is not filled, when Redis is away, when nothing gets through, and when Redis is back.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;

my $redis  = SSE::Redis->start;
my $cable  = SSE::RedisProxy->start(to => $redis);
my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 1m; sse_zone plain 1m; log_format bus "$uri [$sse_bus]";'
        . "sse_bus events redis://127.0.0.1:9,@{[$cable->address]};",
    server => <<'END',
access_log access.log bus;
        location = /sub     { sse_channel $arg_channel zone=events; }
        location = /pub     { sse_publish $arg_channel zone=events; }
        location = /plain   { sse_publish $arg_channel zone=plain; if ($sse_bus) { return 500; } }
        location = /choosy  { sse_publish $arg_channel zone=events; if ($sse_bus != up) { return 420; } }
        location = /anybody { return 200 "[$sse_bus]"; }
        location = /health  { sse_health; }
        location = /other   { sse_health plain; }
        location = /status  { sse_status; }
END
);

sub bus ()    { return $server->get('/status')->json->{zones}{events}{bus} }
sub word ()   { return $server->get('/anybody')->body }
sub health () { return $server->get('/health') }
sub wait_health ($status) { wait_until(sub { health()->status == $status }, "health $status") }

# The health is bad, for this reason, and since a time in this range.
sub is_bad ($reason, $from, $to) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $health = health();
    is $health->status, 503, 'the health is red';
    like $health->json->{reason}, $reason, 'and why';
    my $since = $health->json->{since} / 1000;
    ok $from - 0.1 <= $since && $since <= $to + 0.1, 'and since when' or diag "$from $since $to";
    is bus()->{dead_since}, $health->json->{since}, 'as in the status';
    is $server->get('/other')->status, 200, 'a zone without a bus is well';
    is word(), '[down]', 'the variable';
    is $server->publish('/choosy?channel=a', 'x')->status, 420, 'in a condition';
}

wait_health(200);

subtest 'all is well' => sub {
    my $id = $server->publish('/pub?channel=a', 'one')->json->{id};
    $server->subscribe('/sub?channel=a', cursor => '0-0')->next_event;
    my $bus = bus();
    is_deeply [map { $bus->{$_} } qw(up connected filled)], [map { JSON::PP::true } 1 .. 3], 'up, connected, filled';
    is $bus->{dead_since}, undef, 'not dead';
    is $bus->{master}, $cable->address, 'the address that is a master';
    is $bus->{lineage}, $redis->command(GET => 'sse:events:lineage'), 'the lineage';
    my ($entry) = $redis->entries('sse:events');
    is $bus->{position}, $entry->[0], 'the position';
    is $id, $entry->[0] =~ s/-.*//r . '-' . $bus->{lineage}, 'which makes the id';
    is_deeply [map { $bus->{$_} } qw(entries skipped breaks reconnects published refused unknown)], [1, 0, 0, 0, 1, 0, 0], 'the counters';
    like $bus->{lives}, qr/\A\d+\z/, 'another';
    cmp_ok $bus->{lag}, '<', 10_000, 'the lag';
    ok !exists $server->get('/status')->json->{zones}{plain}{bus}, 'a zone without a bus has none of it';
    is_deeply health()->json, { healthy => JSON::PP::true }, 'the health';
    is word(), '[up]', 'the variable, where there is no zone';
    is $server->publish('/choosy?channel=a', 'x')->status, 201, 'in a condition';
    is $server->publish('/plain?channel=a', 'x')->status, 201, 'it is empty for a zone without a bus';
    # Two workers write these lines, in any order.
    wait_until(sub { $server->read_file('access.log') =~ $_ }, "the log has $_") for qr{^/pub \[up\]$}m, qr{^/plain \[-\]$}m;
};

subtest 'entries that are no events' => sub {
    $redis->command(XADD => 'sse:events', '*', @$_) for [data => 'no channel'], [channel => 'a', event => 'gap', data => 'x'], [channel => 'a', data => 'good'];
    wait_until(sub { bus()->{entries} == 3 }, 'the good one');
    is bus()->{skipped}, 2, 'are counted';
};

subtest 'Redis is away' => sub {
    my $from = time;
    $redis->kill9;
    wait_health(503);
    is_bad(qr/no connection to Redis/, $from, time);
    my $bus = bus();
    is_deeply [@$bus{qw(up connected master)}], [JSON::PP::false, JSON::PP::false, undef], 'neither up nor connected, to nobody';
    $redis->launch;
    wait_health(200);
    is bus()->{dead_since}, undef, 'back';
    cmp_ok bus()->{reconnects}, '>=', 1, 'connections are counted';
    is bus()->{lives}, $bus->{lives} + 1, 'it has come back without its data: another life';
    is word(), '[up]', 'the variable';
};

subtest 'nothing comes through' => sub {
    my $from = time;
    $cable->divide;
    wait_health(503);
    is_bad(qr/nothing comes through|no connection/, $from, time);
    $cable->clear;
    wait_health(200);
    is word(), '[up]', 'and back';
};

subtest 'a zone that is not filled' => sub {
    $redis->command(XADD => 'sse:events', '*', channel => 'a', data => 'x');
    $cable->rule(match => '^XREAD ', hang => 0);
    my $late = SSE::Nginx->start(
        http   => "sse_zone events 1m; sse_bus events redis://@{[$cable->address]};",
        server => 'location = /health { sse_health; } location = /anybody { return 200 "[$sse_bus]"; }'
    );
    my $health = $late->get('/health');
    is $health->status, 503, 'is not well';
    like $health->json->{reason}, qr/have not been read yet/, 'and why';
    is $late->get('/anybody')->body, '[down]', 'the variable';
    $cable->clear;
    wait_until(sub { $late->get('/health')->status == 200 }, 'it to be filled');
    is $late->get('/anybody')->body, '[up]', 'and well';
    is_deeply [$late->stop], [], 'no trouble';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
