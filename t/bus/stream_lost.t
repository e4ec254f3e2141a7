# Redis is killed, emptied, trimmed, or fails over to a replica that lacks the newest entries. No subscriber misses an event without a
# gap, and none gets an event twice.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Redis;

sub machine (@redis) {
    my $addresses = join ',', map {"127.0.0.1:@{[ $_->port ]}"} @redis;
    my $server = SSE::Nginx->start(
        workers => 2,
        http    => "sse_zone events 4m; sse_bus events redis://$addresses;",
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
    );
    await_reading($server, 1);
    return $server;
}

sub await_log ($server, $pattern, $count = 1) {
    wait_until(sub { (() = $server->log =~ /$pattern/g) >= $count }, "line $pattern, $count times");
}
sub await_reading ($server, $count) { await_log($server, qr/sse: bus "events": follows/, $count) }

sub add ($redis, @data) { return map { $redis->command(XADD => 'sse:events', '*', channel => 'news', data => $_) } @data }
sub state_of ($server) { return $server->get('/status')->json->{zones}{events}{bus} }

# What a subscriber sees: data, and gaps with their reasons.
sub wording ($event) {
    return $event->{data} if $event->{type} ne 'gap';
    return $event->{data} =~ /"(lost|unknown|evicted)"/ ? "gap: $1" : "gap: $event->{data}";
}
sub told ($subscriber, $count) {
    my @told;
    while (@told < $count) {
        my $event = $subscriber->next_event or last;
        push @told, wording($event) if $event->{type} ne 'ready';
    }
    return \@told;
}

subtest 'killed and started again, with all that it had' => sub {
    my $redis = SSE::Redis->start(aof => 1, config => ['appendfsync always']);
    my @machines = map { machine($redis) } 1 .. 2;
    my @subscribers = map { $_->subscribe('/all?channel=news') } @machines;
    add($redis, 1 .. 10);
    is_deeply told($_, 10), [1 .. 10], 'before' for @subscribers;
    $redis->kill9;
    await_log($_, qr/sse: bus "events": dead: there is no connection/) for @machines;
    $redis->launch;
    wait_until(sub { !$redis->refusal(XLEN => 'sse:events') }, 'Redis to have loaded');
    add($redis, 11 .. 20);
    is_deeply told($_, 10), [11 .. 20], 'afterwards, without a gap' for @subscribers;
    await_log($_, qr/alive again/) for @machines;
    is_deeply [map { state_of($_)->{lives} } @machines], [state_of($machines[0])->{lives}, 1], 'in the same life';
    is_deeply [map { state_of($_)->{reconnects} } @machines], [1, 1], 'which the status counts';
    is_deeply [map { $_->stop } @machines], [], 'no trouble';
};

subtest 'flushed' => sub {
    my $redis = SSE::Redis->start;
    my @machines = map { machine($redis) } 1 .. 2;
    my @subscribers = map { $_->subscribe('/all?channel=news') } @machines;
    add($redis, 1 .. 10);
    is_deeply told($_, 10), [1 .. 10], 'before' for @subscribers;
    my $cursor = $subscribers[0]->last_event_id;
    my @lives = map { state_of($_)->{lives} } @machines;
    my $before = state_of($machines[0])->{lineage};
    # An entry of the next life is added at once, before any machine has noticed.
    $redis->command(EVAL => 'redis.call("FLUSHALL") return redis.call("XADD", KEYS[1], "*", "channel", "news", "data", "a")', 1, 'sse:events');
    await_reading($_, 2) for @machines;
    wait_until(sub { state_of($machines[0])->{lineage} == state_of($machines[1])->{lineage} }, 'the same life on both');
    isnt state_of($machines[0])->{lineage}, $before, 'which is another one';
    is_deeply [map { state_of($_)->{lives} } @machines], [map { $_ + 1 } @lives], 'and is counted';
    is_deeply told($_, 2), ['gap: unknown', 'a'], 'a gap comes first' for @subscribers;
    add($redis, 'b' .. 'e');
    is_deeply told($_, 4), ['b' .. 'e'], 'and what follows' for @subscribers;
    my $again = $machines[1]->subscribe('/all?channel=news', cursor => $cursor);
    is_deeply told($again, 6), ['gap: unknown', 'a' .. 'e'], 'a cursor of the old life is unknown';
    is_deeply [map { $_->stop } @machines], [], 'no trouble';
};

subtest 'trimmed while a machine was away' => sub {
    my $redis = SSE::Redis->start;
    my $server = machine($redis);
    my $subscriber = $server->subscribe('/all?channel=news');
    add($redis, 1 .. 5);
    is_deeply told($subscriber, 5), [1 .. 5], 'before';
    my $cursor = $subscriber->last_event_id;
    # Only this test still reaches Redis, by the unix socket.
    $redis->command(CONFIG => SET => 'bind', '127.0.0.9');
    $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
    await_log($server, qr/connection to \S+ (?:lost|failed)/);
    add($redis, 6 .. 20);
    $redis->command(XTRIM => 'sse:events', MAXLEN => 5);
    $redis->command(CONFIG => SET => 'bind', '127.0.0.1');
    is_deeply told($subscriber, 6), ['gap: lost', 16 .. 20], 'a gap, and what is left';
    is_deeply told($server->subscribe('/all?channel=news', cursor => $cursor), 6), ['gap: lost', 16 .. 20], 'also for who comes back';
    like $server->log, qr/entries have been trimmed before this machine has read them/, 'which is logged';
    is state_of($server)->{breaks}, 1, 'and counted';
    add($redis, 21);
    is_deeply told($subscriber, 1), [21], 'and what follows';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'away, and nothing trimmed' => sub {
    my $redis = SSE::Redis->start;
    my $server = machine($redis);
    my $subscriber = $server->subscribe('/all?channel=news');
    for my $round (1 .. 3) {
        $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
        add($redis, $round);
        await_reading($server, 1 + $round);
        is_deeply told($subscriber, 1), [$round], 'without a gap';
    }
    $redis->command(XTRIM => 'sse:events', MAXLEN => 0);
    $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
    await_reading($server, 5);
    add($redis, 4);
    is_deeply told($subscriber, 1), [4], 'nor when what it has read has been trimmed';
    is state_of($server)->{breaks}, 0, 'no break';
    is_deeply [$server->stop], [], 'no trouble';
};

# The replica is cut off before the last three entries, and then becomes the master. The ids of its new entries are older than those of
# the lost entries, the same, or newer. The numbers say how many new entries there are.
my %new = ('older' => 2, 'the same' => 3, 'newer' => 2);

for my $ids (sort keys %new) {
    subtest "a failover that loses writes, where new ids are $ids" => sub {
        my $master  = SSE::Redis->start;
        my $replica = SSE::Redis->start(replica_of => $master);
        my @machines = map { machine($master, $replica) } 1 .. 2;
        $replica->wait_synchronous;
        my @subscribers = map { $_->subscribe('/all?channel=news') } @machines;
        my $time = $master->command('TIME')->[0] * 1000;
        my $add = sub ($redis, $number, $data) {
            $redis->command(XADD => 'sse:events', "$time-$number", channel => 'news', data => $data);
        };
        $add->($master, $_, $_) for 1 .. 5;
        $master->command(WAIT => 1, 5000);
        $replica->command(REPLICAOF => '127.0.0.1', 1); # where nobody listens
        $add->($master, $_, $_) for 6 .. 8;
        is_deeply told($_, 8), [1 .. 8], 'before' for @subscribers;
        my $lost = $subscribers[0]->last_event_id;

        $replica->promote;
        my @new = map {"new $_"} 1 .. $new{$ids};
        $ids eq 'newer' ? add($replica, @new) : $add->($replica, 5 + $_, $new[$_ - 1]) for 1 .. ($ids eq 'newer' ? 1 : @new);
        $master->stop;
        await_reading($_, 2) for @machines;
        await_log($_, qr/the stream has lost entries after $time-5/) for @machines;
        wait_until(sub { grep { $_->[1]{break} } $replica->entries('sse:events') }, 'a break in the stream');
        wait_until(sub { !grep { state_of($_)->{breaks} == 0 } @machines }, 'a break on both machines');
        add($replica, 'last');

        for my $subscriber (@subscribers) {
            my @seen;
            while (my $event = $subscriber->next_event) {
                push @seen, wording($event);
                last if $seen[-1] eq 'last';
            }
            is_deeply [grep { !/gap/ } @seen], [@new, 'last'], 'all that is new, once and in order';
            my @gaps = grep {/gap/} @seen;
            ok scalar(@gaps) >= 1 && @gaps <= 2, 'and a gap is told, not more than once for each machine';
            is_deeply [grep { $_ ne 'gap: lost' } @gaps], [], 'with its reason';
        }
        for my $machine (@machines) {
            is_deeply told($machine->subscribe('/all?channel=news', cursor => $lost), @new + 2), [@new, 'gap: lost', 'last'],
                'who comes with the id of a lost event is told';
        }
        my ($id) = add($replica, 'afterwards');
        is_deeply [map { $_->next_event->{id} =~ s/-.*//r } @subscribers], [($id =~ s/-.*//r) x 2], 'new events have the same ids on both';
        is_deeply [map { $_->stop } @machines], [], 'no trouble';
    };
}

subtest 'all of the stream is deleted' => sub {
    my $redis = SSE::Redis->start;
    my $server = machine($redis);
    my $subscriber = $server->subscribe('/all?channel=news');
    add($redis, 1 .. 3);
    is_deeply told($subscriber, 3), [1 .. 3], 'before';
    $redis->command(DEL => 'sse:events');
    $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
    await_reading($server, 2);
    add($redis, 4);
    is_deeply told($subscriber, 2), ['gap: lost', 4], 'a gap, and what follows';
    is_deeply [$server->stop], [], 'no trouble';
};

# Nothing was ever trimmed from the new stream, but it is not the stream that the machine has read.
subtest 'deleted and begun anew while a machine was away' => sub {
    my $redis = SSE::Redis->start;
    my $server = machine($redis);
    my $subscriber = $server->subscribe('/all?channel=news');
    add($redis, 1 .. 3);
    is_deeply told($subscriber, 3), [1 .. 3], 'before';
    $redis->command(CONFIG => SET => 'bind', '127.0.0.9');
    $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
    await_log($server, qr/connection to \S+ (?:lost|failed)/);
    add($redis, 4, 5);
    $redis->command(DEL => 'sse:events');
    add($redis, 6);
    $redis->command(CONFIG => SET => 'bind', '127.0.0.1');
    is_deeply told($subscriber, 2), ['gap: lost', 6], 'a gap, and what is there';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'deleted before a machine has read all' => sub {
    my $redis = SSE::Redis->start;
    $redis->command(EVAL => 'for i = 1, 20000 do redis.call("XADD", KEYS[1], "*", "channel", "other", "data", i) end', 1, 'sse:events');
    my $server = machine($redis);
    my $subscriber = $server->subscribe('/all?channel=news');
    my $looks = sub { $redis->calls->{'xinfo|stream'} // $redis->calls->{xinfo} };
    my $before = $looks->();
    wait_until(sub { add($redis, 'more') && $looks->() > $before + 1 }, 'the machine to look how many there are');
    # A stream that begins anew in the same millisecond would give the second one an id that has been read already.
    $redis->command(EVAL => <<'END', 1, 'sse:events');
local lost = redis.call('XADD', KEYS[1], '*', 'channel', 'news', 'data', 'lost')
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[1], tonumber(lost:match('%d+')) + 1 .. '-0', 'channel', 'news', 'data', 'kept')
END
    my @told;
    my $tell = sub {
        add($redis, 'more'); # the machine asks once a second, before it reads
        push @told, grep { $_ ne 'more' } map { wording($_) } grep { $_->{type} ne 'ready' } $subscriber->next_event;
        return @told >= 2;
    };
    wait_until($tell, 'a gap to be told');
    is_deeply \@told, ['kept', 'gap: lost'], 'a gap is told';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'from one machine to many' => sub {
    my $redis = SSE::Redis->start;
    my $server = SSE::Nginx->start(
        workers => 2, http => 'sse_zone events 4m;',
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
    );
    $server->publish('/pub?channel=news', $_) for 1 .. 5;
    my $subscriber = $server->subscribe('/all?channel=news');
    my @old = $subscriber->events(5);
    $server->reload(http => "sse_zone events 4m; sse_bus events redis://127.0.0.1:@{[ $redis->port ]};");
    await_reading($server, 1);
    add($redis, 6);
    my $again = $server->subscribe('/all?channel=news', cursor => $old[2]{id});
    is_deeply told($again, 3), [4, 5, 6], 'cursors stay as they are';
    my $second = machine($redis);
    my $hopped = $second->subscribe('/all?channel=news', cursor => $again->last_event_id);
    add($redis, 7);
    is_deeply told($hopped, 1), [7], 'and are known to the second machine';
    my $older = $second->subscribe('/all?channel=news', cursor => $old[2]{id});
    is_deeply told($older, 3), ['gap: lost', 6, 7], 'which does not have what was before';
    is_deeply [$server->stop, $second->stop], [], 'no trouble';
};

subtest 'from one machine to many, where programs have added entries already' => sub {
    my $redis = SSE::Redis->start;
    add($redis, 'a' .. 'c');
    my $server = SSE::Nginx->start(
        workers => 2, http => 'sse_zone events 4m;',
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
    );
    $server->publish('/pub?channel=news', $_) for 1 .. 3;
    my @old = $server->subscribe('/all?channel=news')->events(3);
    $server->reload(http => "sse_zone events 4m; sse_bus events redis://127.0.0.1:@{[ $redis->port ]};");
    await_log($server, qr/the stream has lost entries after/);
    wait_until(sub { grep { $_->[1]{break} } $redis->entries('sse:events') }, 'a break in the stream');
    add($redis, 'd');
    my $again = $server->subscribe('/all?channel=news', cursor => $old[1]{id});
    is_deeply told($again, 6), [3, 'a' .. 'c', 'gap: lost', 'd'], 'they come, and a gap since others do not have our own';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
