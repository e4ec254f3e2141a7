# When the worker that follows the stream is killed, stands still or leaves, another worker takes over, and nothing is lost or doubled.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;
use SSE::Redis;
use Time::HiRes qw(time);

my $redis = SSE::Redis->start;

sub machine (%option) {
    return SSE::Nginx->start(
        workers => 3,
        http    => "sse_zone events 4m; sse_bus events redis://127.0.0.1:@{[ $redis->port ]};",
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
        %option,
    );
}

# A follower that neither dies nor gives up its role is replaced after three seconds.
my $soon = 2.5;

my $sent = 0;
sub add ($count) {
    $redis->command(XADD => 'sse:events', '*', channel => 'news', data => ++$sent) for 1 .. $count;
}

# The workers that have become the follower, in order.
sub followers ($server) { return $server->log =~ / (\d+)#\d+: sse: bus "events": this worker follows/g }
sub readings ($server) { return scalar(() = $server->log =~ /sse: bus "events": follows/g) }

sub await_reading ($server, $count) {
    wait_until(sub { readings($server) >= $count }, "the stream to be followed for the ${count}th time");
}

# Everything that was sent, in order, each event once.
sub has_all ($subscriber, $name) {
    state %seen;
    my $seen = $seen{$subscriber} //= [];
    while (@$seen < $sent) {
        my $event = $subscriber->next_event or last;
        push @$seen, $event->{data} if $event->{type} ne 'ready';
    }
    is_deeply $seen, [1 .. $sent], $name;
}

subtest 'killed' => sub {
    my $server = machine(allow => [qr/exited on signal 9/, qr/was locked by/]);
    await_reading($server, 1);
    my $times = 0;
    for my $round (1 .. 5) {
        my $pid = (followers($server))[-1];
        my ($other) = grep { $_ != $pid } $server->workers;
        my $subscriber = $server->subscribe_on($other, '/all?channel=news');
        add(50);
        my $start = time;
        kill KILL => $pid;
        add(50);
        await_reading($server, 1 + $round);
        my $took = time - $start;
        cmp_ok $took, '<', $soon, sprintf 'another one follows after %.2f s', $took;
        isnt +(followers($server))[-1], $pid, 'which is another process';
        add(50);
        has_all($subscriber, 'everything has come, once');
    }
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'stopped' => sub {
    $sent = 0;
    $redis->command('FLUSHALL');
    my $server = machine();
    await_reading($server, 1);
    my $pid = (followers($server))[-1];
    my ($other) = grep { $_ != $pid } $server->workers;
    my $subscriber = $server->subscribe_on($other, '/all?channel=news');
    add(50);
    has_all($subscriber, 'before');
    SSE::Process::freeze($pid);
    add(50);
    await_reading($server, 2);
    isnt +(followers($server))[-1], $pid, 'another one follows';
    has_all($subscriber, 'everything has come, once');
    SSE::Process::thaw($pid);
    wait_until(sub { $server->log =~ /$pid#\d+: sse: bus "events": this worker does not follow any more/ }, 'the first one to notice');
    add(50);
    has_all($subscriber, 'and nothing twice when it goes on');
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'reloaded' => sub {
    $sent = 0;
    $redis->command('FLUSHALL');
    my $server = machine(drain => '3s');
    await_reading($server, 1);
    my $subscriber = $server->subscribe('/all?channel=news');
    for my $round (1 .. 4) {
        add(20);
        my $start = time;
        $server->signal('HUP');
        await_reading($server, 1 + $round);
        cmp_ok time - $start, '<', $soon, 'a new worker follows';
        add(20);
    }
    is_deeply [map { my $pid = $_; scalar grep { $_ == $pid } followers($server) } followers($server)], [(1) x 5],
        'each time another one';
    # The old workers close the stream, and the subscriber reconnects to the new ones.
    my @seen;
    while (@seen < $sent) {
        my @events = grep { $_->{type} eq 'message' } $subscriber->events(1, 1);
        push @seen, map { $_->{data} } @events;
        state $cursor = '';
        $cursor = $events[-1]{id} if @events;
        $subscriber = $server->subscribe('/all?channel=news', cursor => $cursor) if $subscriber->closed;
    }
    is_deeply \@seen, [1 .. $sent], 'everything has come, once';
    wait_until(sub { !$server->leaving_workers }, 'the old workers to leave');
    is $server->log =~ /open socket/, '', 'with nothing left behind';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a worker that leaves gives it up at once' => sub {
    my $server = machine(drain => '20s');
    await_reading($server, 1);
    my $subscriber = $server->subscribe_on((followers($server))[-1], '/all?channel=news'); # this keeps it alive while it leaves
    my $start = time;
    $server->signal('HUP');
    await_reading($server, 2);
    cmp_ok time - $start, '<', $soon, 'another one follows before it has gone';
    ok scalar($server->leaving_workers), 'and it is still there';
    $subscriber->close;
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'one process' => sub {
    $sent = 0;
    $redis->command('FLUSHALL');
    my $server = machine(master => 0, workers => 1);
    await_reading($server, 1);
    my $subscriber = $server->subscribe('/all?channel=news');
    add(50);
    has_all($subscriber, 'is enough');
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'nothing to follow' => sub {
    my $server = SSE::Nginx->start(workers => 2);
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    is $server->publish('/pub?channel=a', 'local')->status, 201, 'a zone without a bus';
    is_deeply [$subscriber->data(1)], ['local'], 'works as ever';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
