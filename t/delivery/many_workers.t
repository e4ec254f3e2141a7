# More workers than the index has marks for: some share a mark, without harm to any of them.
use v5.36;
use lib 't/lib';
use List::Util qw(first);
use Test::More;
use Time::HiRes qw(time);
use SSE::Metrics;
use SSE::Nginx;

my $own = 126; # marks that are no other's

sub status ($server) { return $server->get('/status')->json }
sub channels ($server) { return status($server)->{zones}{events}{channels} }

# The workers that share a mark, which the status names last.
sub sharing ($server) {
    my @pid = map { $_->{pid} } @{ status($server)->{workers} };
    return @pid[$own .. $#pid];
}

# Subscribes on any of those workers; undef if that worker refuses.
sub subscribe_on_any ($server, $pids, $path) {
    my %wanted = map { $_ => 1 } @$pids;
    for (1 .. 5000) {
        my $client = $server->subscribe($path);
        return $client->status == 200 ? $client->ready : undef if $wanted{ $client->header('X-Worker') };
        $client->close;
    }
    die "none of @$pids ever answers";
}

# Half a request to each worker, which does not leave before it has seen the rest. A second connection to the same worker
# shows that it has read the first half.
sub begin_requests ($server) {
    my (%connections, @half);
    for (1 .. 5000) {
        my $connection = $server->connect;
        my $pid = $server->get('/pub?channel=stays', on => $connection)->header('X-Worker');
        push @{ $connections{$pid} }, $connection if @{ $connections{$pid} // [] } < 2;
        last if $server->{workers} == grep { @$_ == 2 } values %connections;
    }
    for my $pid ($server->workers) {
        my ($first, $second) = @{ $connections{$pid} } or die "worker $pid never answers";
        push @half, $first->send_raw('GET /pub');
        $server->get('/pub?channel=stays', on => $second) for 1 .. 2;
    }
    return @half;
}

sub worker_of ($client) { return $client->header('X-Worker') }

# Without a wake-up, each event would wait until the worker looks at the log anyway, once a second.
sub is_woken ($server, $subscriber, $channel, $what) {
    my $publisher = $server->connect;
    my $start     = time;
    for my $number (1 .. 20) {
        $server->publish("/pub?channel=$channel", $number, on => $publisher);
        $subscriber->next_event;
    }
    my $mean = (time - $start) / 20;
    note sprintf '%s in %.1f ms', $what, 1000 * $mean;
    cmp_ok $mean, '<', 0.4, $what;
}

subtest 'all the time' => sub {
    my $server = SSE::Nginx->start(workers => $own + 4, events => 'worker_connections 64;', zone => '256k channels=16');
    $server->allow(qr/exited on signal 9/);
    is_deeply [sort { $a <=> $b } map { $_->{pid} } @{ status($server)->{workers} }], [$server->workers], 'all are in the status';
    my @sharing = sharing($server);
    is scalar @sharing, 4, 'some share a mark';

    my $stays = subscribe_on_any($server, \@sharing, '/sub?channel=stays');
    my ($its) = grep { $_->{pid} == worker_of($stays) } @{ status($server)->{workers} };
    is $its->{subscribers}, 1, 'a subscriber of theirs is counted';
    is_woken($server, $stays, 'stays', 'and its worker is woken');

    my $start = time;
    for my $number (1 .. 24) {
        my $client;
        ok eval { wait_until(sub { $client = subscribe_on_any($server, \@sharing, "/sub?channel=c$number") }, 'a place'); 1 },
            "channel $number finds a place";
        $client->close if $client;
    }
    note sprintf '24 channels after one another in an index of 16: %.1f s', time - $start;
    is_woken($server, $stays, 'stays', 'who stayed is still woken');

    my $dying = first { worker_of($_) ne worker_of($stays) } map { subscribe_on_any($server, \@sharing, '/sub?channel=stays') } 1 .. 20;
    $server->kill9(worker_of($dying));
    my $count = sub { $server->get('/pub?channel=stays')->json->{subscribers} };
    my $total = sub { status($server)->{subscribers} };
    ok eval { wait_until(sub { $count->() == $total->() }, 'true counts'); 1 }, 'one of them dies, and nobody counts its subscribers'
        or diag $count->(), ' in the channel, ', $total->(), ' in the status';
    is scalar @{ [sharing($server)] }, 4, 'its successor shares the mark';
    $stays->close;

    my @old = $server->reload(workers => 2);
    $server->wait_gone(@old);
    ok eval { wait_until(sub { channels($server) == 1 }, 'an empty index'); 1 }, 'with fewer workers all is given back, but for a channel with events'
        or diag channels($server), ' channels are left';
    is_deeply [$server->stop], [], 'no trouble but that';
};

subtest 'while those before a reload are still there' => sub {
    my $server = SSE::Nginx->start(workers => 70, events => 'worker_connections 64;', zone => '1m channels=64',
        locations => 'location = /metrics { sse_status format=prometheus; }');
    $server->allow(qr/exited on signal 9/);
    my @request = begin_requests($server);
    my @old     = $server->reload;
    is scalar @{ [$server->leaving_workers] }, 70, 'the old workers are';
    my @sharing = sharing($server);
    is scalar @sharing, 140 - $own, 'some share a mark';

    my $stays = subscribe_on_any($server, \@sharing, '/sub?channel=stays');
    is_woken($server, $stays, 'stays', 'a worker that shares its mark is woken');
    subscribe_on_any($server, \@sharing, "/sub?channel=left$_")->close for 1 .. 10;
    cmp_ok channels($server), '>', 2, 'what it had takes room';
    my $dying = first { worker_of($_) ne worker_of($stays) } map { subscribe_on_any($server, \@sharing, '/sub?channel=dies') } 1 .. 20;
    $server->kill9(worker_of($dying));
    my $before = SSE::Metrics->of($server);

    $_->close for @request;
    $server->wait_gone(@old);
    ok eval { wait_until(sub { channels($server) == 1 }, 'all but one channel to go'); 1 }, 'room that is given back when they have gone'
        or diag channels($server), ' channels are left';
    is status($server)->{subscribers}, 1, 'who stayed is counted once';
    my $after = SSE::Metrics->of($server);
    is $after->value('sse_subscribers', zone => 'events', kind => 'stream'), 1, 'in the metrics, too, although its worker has another place';
    is_deeply [$after->gone_back($before), $after->does_not_add_up('events')], [], 'which have not gone back, and add up';
    is_woken($server, $stays, 'stays', 'and woken by a mark of its own');
    my $short = $server->subscribe_on(worker_of($stays), '/sub?channel=short')->ready;
    is channels($server), 2, 'another channel';
    $short->close;
    ok eval { wait_until(sub { channels($server) == 1 }, 'one channel'); 1 }, 'goes with its subscriber';
    is_deeply [$server->stop], [], 'no trouble but that';
};

done_testing;
