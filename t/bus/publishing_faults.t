# Redis dies, stands still, refuses events or is away while clients publish. Every event with a 201 is in the stream once, every 503
# says what is known, and a request with a key can be repeated.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Parallel;
use SSE::Redis;
use SSE::RedisProxy;

sub machine ($addresses, $bus = '', %option) {
    my %usual = SSE::Nginx::usual(
        zone      => '8m',
        locations => <<'END');
location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /atomic { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; }
        location = /health { sse_health; }
END
    return SSE::Nginx->start(%usual, workers => 2, http => "$usual{http} sse_bus events redis://$addresses stream=s $bus;", %option);
}

# Waits until the machine is well and each of its workers publishes.
sub wait_well ($machine) {
    wait_until(sub { $machine->get('/health')->status == 200 }, 'the machine to be well');
    for my $worker ($machine->workers) {
        wait_until(
            sub { $machine->publish('/pub?channel=ready', 'ready', on => $machine->connect_to($worker))->status =~ /\A20[12]\z/ },
            'a worker to publish'
        );
    }
}

# The id of the newest entry, and how often each text is in the stream after it.
sub newest ($redis) { return $redis->command(XREVRANGE => 's', '+', '-', COUNT => 1)->[0][0] // '0-0' }
sub count_after ($redis, $id) {
    my %count;
    ++$count{ $_->[1]{data} // '' } for grep { ($_->[1]{channel} // '') ne 'ready' } $redis->entries('s', "($id");
    return \%count;
}

# Publishes repeatedly until the time is over and the file `done` exists. Returns [text, status, what is known, when to
# come again] of each request.
sub publish_for ($machine, $seconds, $name, %option) {
    my ($end, @results) = time + $seconds;
    my $connection = $machine->connect;
    for (my $n = 1; time < $end || !-e $option{done} && getppid == $option{parent}; ++$n) {
        my $text = "$name-$n";
        my $answer = eval {
            $machine->publish('/pub?channel=c', $text, on => $connection,
                $option{keyed} ? (headers => ['Idempotency-Key' => $text]) : ());
        } // do { $connection = $machine->connect; next };
        push @results, [$text, $answer->status, $answer->json->{published} // '', $answer->header('retry-after') // ''];
        $connection = $machine->connect if $answer->closed;
        sleep($answer->status == 201 ? 0.003 : 0.02);
    }
    return \@results;
}

# Calls $harm while clients publish, and then checks all results.
sub under_harm ($what, $redis, $machine, $seconds, $harm) {
    subtest $what => sub {
        my $newest     = newest($redis);
        my %until      = (done => $machine->prefix . "/$what.done", parent => $$);
        my $publish    = sub ($n) { return publish_for($machine, $seconds, "$what-$n", keyed => $n % 2, %until) };
        my @publishers = map { SSE::Parallel::start($publish, $_) } 1 .. 6;
        wait_until(sub { count_after($redis, $newest)->%* > 20 }, 'them to be at it');
        $harm->();
        $machine->write_file("$what.done", '');
        my @all = map { @{ SSE::Parallel::collect(@$_) } } @publishers;
        wait_well($machine);
        my %status;
        ++$status{"$_->[1] $_->[2]"} for @all;
        note join ', ', map {"$_: $status{$_}"} sort keys %status;
        cmp_ok $status{'201 '}, '>', 100, 'many were published';
        is_deeply [grep { !/\A(201 |503 |503 unknown)\z/ } keys %status], [], 'all others are told that they were not, or that nobody knows';
        is_deeply [grep { $_->[1] == 503 && $_->[3] !~ /\A\d+\z/ } @all], [], 'and when to come again';
        my @keyed = grep { $_->[2] eq 'unknown' && $_->[0] =~ /-[135]-\d+\z/ } @all;
        for my $again (@keyed) {
            my $answer = $machine->publish('/pub?channel=c', $again->[0], headers => ['Idempotency-Key' => $again->[0]]);
            like $answer->status, qr/\A20[01]\z/, "$again->[0] comes again";
        }
        my $count = count_after($redis, $newest);
        is_deeply [grep { ($count->{ $_->[0] } // 0) != 1 } grep { $_->[1] == 201 } @all, @keyed], [], 'what is acknowledged is there once';
        is_deeply [map { $_->[0] } grep { $count->{ $_->[0] } } grep { "$_->[1] $_->[2]" eq '503 ' } @all], [], 'what is refused is not';
        is_deeply [grep { $count->{$_} > 1 } keys %$count], [], 'nothing is there twice';
    };
}

my $redis   = SSE::Redis->start(aof => 1, config => ['appendfsync always']);
my $machine = machine($redis->address);
wait_well($machine);

under_harm 'killed', $redis, $machine, 6, sub {
    for (1 .. 3) {
        $redis->kill9;
        sleep 0.3;
        $redis->launch;
        my $newest = newest($redis);
        wait_until(sub { newest($redis) ne $newest }, 'them to be at it again');
    }
};

under_harm 'standing for a second', $redis, $machine, 4, sub {
    $redis->freeze;
    sleep 1.2;
    $redis->thaw;
};

# Longer than a silent connection is kept: a new one is made, and commands that are left in the old one must not be executed.
under_harm 'standing for four seconds', $redis, $machine, 7, sub {
    $redis->freeze;
    sleep 4;
    $redis->thaw;
};

# Longer than any request waits.
under_harm 'standing for seven seconds', $redis, $machine, 9, sub {
    $redis->freeze;
    sleep 7;
    $redis->thaw;
};

under_harm 'out of memory', $redis, $machine, 4, sub {
    $redis->command(qw(CONFIG SET maxmemory 1));
    sleep 1;
    $redis->command(qw(CONFIG SET maxmemory 0));
};

under_harm 'connections that end', $redis, $machine, 5, sub {
    for (1 .. 30) {
        $redis->command(qw(CLIENT KILL TYPE normal));
        sleep 0.1;
    }
};

subtest 'away' => sub {
    my $published = sub { return $machine->get('/status')->json->{zones}{events}{bus}{published} };
    my $before    = $published->();
    my $open = $machine->stream('/lines?channel=away');
    $open->feed("one\n");
    my $listener = $machine->subscribe('/sub?channel=away', cursor => '0-0');
    is $listener->next_event->{data}, 'one', 'an open body';
    wait_until(sub { $published->() > $before }, 'the answer of Redis'); # it may come after the event
    $redis->kill9;
    my $start = time;
    my $first = $machine->publish('/pub?channel=away', 'early');
    is $first->status, 503, 'a request waits for a moment';
    cmp_ok time - $start, '<', 4, 'and is refused then';
    my ($worst, $sum) = (0, 0);
    for (1 .. 50) {
        $start = time;
        my $answer = $machine->publish('/pub?channel=away', 'late', $_ % 2 ? (headers => ['Idempotency-Key' => $_]) : ());
        my $took = time - $start;
        $sum += $took;
        $worst = $took if $took > $worst;
        is_deeply [$answer->status, $answer->header('retry-after'), $answer->json],
            [503, 1, { error => 'Redis cannot be reached' }], 'the others are refused at once' or last;
    }
    note sprintf 'in %.2f ms, at worst %.1f', $sum / 50 * 1000, $worst * 1000;
    cmp_ok $sum / 50, '<', 0.3, 'within milliseconds';
    is $machine->request(DELETE => '/pub?channel=away')->finish->status, 503, 'also a DELETE';
    $open->feed("two\n");
    $open->end;
    my $answer = $open->finish;
    is $answer->status, 503, 'the open body';
    is $answer->json->{events}, 1, 'learns how many of its events there are' or diag $answer->body;
    $redis->launch;
    wait_well($machine);
    is $machine->publish('/pub?channel=away', 'back')->status, 201, 'when it is back, events are published';
    is $listener->next_event->{data}, 'back', 'and come';
};

# Redis does not answer, and the worker has as much on its way as it may.
subtest 'waiting for room while Redis is away' => sub {
    $redis->freeze;
    my $start   = time;
    my @waiting = map { $machine->request(POST => '/pub?channel=room', body => 'x' x 60_000) } 1 .. 250;
    my @late    = splice @waiting, -20;
    $_->finish for @late;
    cmp_ok time - $start, '<', 4, 'ends as soon as that is known';
    is_deeply [grep { !/\A503 Redis cannot be reached\z/ } map { $_->status . ' ' . $_->json->{error} } @late], [],
        'and nothing has been published';
    $_->finish for @waiting;
    $redis->thaw;
    wait_well($machine);
};

subtest 'clients that leave, and workers' => sub {
    my $newest = newest($redis);
    $redis->freeze;
    $_->close for map { $machine->request(POST => '/pub?channel=gone', body => "gone $_") } 1 .. 20;
    my $old    = join ' ', sort $machine->workers;
    my @waiting = map { $machine->request(POST => '/pub?channel=gone', body => "stays $_") } 1 .. 4;
    sleep 0.3;
    $machine->signal('HUP');
    wait_until(sub { join(' ', sort $machine->workers) ne $old }, 'a new worker');
    $redis->thaw;
    is $_->finish->status, 201, 'who waits is answered by a worker that leaves' or diag $_->body for @waiting;
    my $count = count_after($redis, $newest);
    is_deeply [map { $count->{"stays $_"} } 1 .. 4], [(1) x 4], 'each is there';
    is_deeply [grep { ($count->{"gone $_"} // 0) > 1 } 1 .. 20], [], 'nothing of those that have gone is there twice';
};

$machine->allow(qr/sse: bus/);
is_deeply [$machine->stop], [], 'no trouble';

# Commands that Redis executes, but whose answers are lost.
subtest 'lost answers' => sub {
    my $proxy = SSE::RedisProxy->start(to => $redis);
    my $behind = machine($proxy->address);
    wait_well($behind);
    my $newest = newest($redis);
    for my $bytes (0, 7) {
        $proxy->rule(match => '^XADD s \\*', cut => $bytes, times => 1);
        is $behind->publish('/pub?channel=c', "event $bytes")->status, 201, "of an event, after $bytes bytes";
        $proxy->rule(match => '^EVALSHA', cut => $bytes, times => 1);
        my $answer = $behind->publish('/pub?channel=c', "keyed $bytes", headers => ['Idempotency-Key' => "lost $bytes"]);
        is $answer->status, 201, 'of an event with a key';
        is $behind->publish('/pub?channel=c', "keyed $bytes", headers => ['Idempotency-Key' => "lost $bytes"])->json->{id},
            $answer->json->{id}, 'which comes again with the same id';
        $proxy->rule(match => '^EVALSHA', cut => $bytes, times => 1);
        $answer = $behind->publish('/atomic?channel=c', "batch $bytes a\nbatch $bytes b\n");
        is $answer->status, 201, 'of a batch';
        is $answer->json->{events}, 2, 'with all its events';
        $proxy->rule(match => '^XADD s .*line 40 ', cut => $bytes, times => 1);
        $answer = $behind->publish('/lines?channel=lines', join '', map {"line $_ of $bytes\n"} 1 .. 100);
        is $answer->json->{events}, 100, 'in the middle of a body';
        $proxy->clear;
    }
    my $count = count_after($redis, $newest);
    is_deeply [grep { $count->{$_} != 1 } map { my $n = $_; "event $n", "keyed $n", "batch $n a", "batch $n b", map {"line $_ of $n"} 1 .. 100 } 0, 7],
        [], 'all of it is there once';
    my @lines = map { $_->{data} } $behind->subscribe('/sub?channel=lines', cursor => '0-0')->events(200);
    is_deeply \@lines, [map { my $n = $_; map {"line $_ of $n"} 1 .. 100 } 0, 7], 'in order';
    $behind->allow(qr/sse: bus/);
    is_deeply [$behind->stop], [], 'no trouble';
};

# A client may rely on the health, although a connection for publishing takes longer to set up than one for reading.
subtest 'all workers publish as soon as the machine is well' => sub {
    my $proxy  = SSE::RedisProxy->start(to => $redis);
    my $behind = machine($proxy->address);
    wait_well($behind);
    my @workers = map { $behind->connect_to($_) } $behind->workers;
    $proxy->rule(match => '^CLIENT INFO', delay => 0.3);
    $redis->kill9;
    wait_until(sub { $behind->get('/health')->status == 503 }, 'the machine to be ill');
    $redis->launch;
    wait_until(sub { $behind->get('/health')->status == 200 }, 'the machine to be well');
    is_deeply [map { $behind->publish('/pub?channel=c', 'well', on => $_)->status } @workers], [(201) x @workers], 'each of them';
    $behind->allow(qr/sse: bus/);
    is_deeply [$behind->stop], [], 'no trouble';
};

subtest 'a user that may not end connections' => sub {
    my $careful = SSE::Redis->start(users => ['nginx on nopass ~s* +@all -client|kill']);
    my $proxy   = SSE::RedisProxy->start(to => $careful);
    my $behind  = machine($proxy->address =~ s/\A/nginx:x\@/r);
    wait_well($behind);
    $proxy->rule(match => '^XADD s \\*', cut => 0, times => 1);
    is $behind->publish('/pub?channel=c', 'found')->status, 201, 'what is in the stream is known';
    $proxy->rule(match => '^XADD s \\*', cut => 0, times => 1, answer => '');
    my $lost = $behind->publish('/pub?channel=c', 'lost');
    is $lost->status, 503, 'what is not, may still come';
    is $lost->json->{published}, 'unknown', 'so nobody knows';
    $behind->allow(qr/sse: bus/);
    is_deeply [$behind->stop], [], 'no trouble';
};

subtest 'the stream is trimmed before the outcome is known' => sub {
    my $busy   = SSE::Redis->start;
    my $proxy  = SSE::RedisProxy->start(to => $busy);
    my $behind = machine($proxy->address);
    wait_well($behind);
    $proxy->rule(match => '^XADD s \\*', hang => 0, times => 1);
    my $waits = $behind->request(POST => '/pub?channel=c', body => 'trimmed');
    wait_until(sub { grep { ($_->[1]{data} // '') eq 'trimmed' } $busy->entries('s') }, 'the event to be there');
    $busy->command(EVAL => 'for i = 1, 300 do redis.call("XADD", KEYS[1], "*", "channel", "other", "data", i) end
        return redis.call("XTRIM", KEYS[1], "MAXLEN", "=", 10)', 1, 's');
    my $answer = $waits->finish;
    is_deeply [$answer->status, $answer->json->{published}], [503, 'unknown'], 'nobody knows';
    is_deeply [grep { ($_->[1]{data} // '') eq 'trimmed' } $busy->entries('s')], [], 'and it is not sent again';
    $behind->allow(qr/sse: bus/);
    is_deeply [$behind->stop], [], 'no trouble';
};

subtest 'the newest entry is larger than a page' => sub {
    my $large  = SSE::Redis->start;
    my $behind = machine($large->address);
    wait_well($behind);
    $large->command(EVAL => 'return redis.call("XADD", KEYS[1], "*", "channel", "c", "data", string.rep("y", 20000000))', 1, 's');
    $large->command(qw(CLIENT KILL TYPE normal SKIPME yes));
    wait_until(sub { $behind->publish('/pub?channel=c', 'x')->status == 201 }, 'publishing to go on');
    $behind->allow(qr/sse: bus/);
    is_deeply [$behind->stop], [], 'no trouble';
};

subtest 'replicas' => sub {
    my $master  = SSE::Redis->start;
    my $replica = SSE::Redis->start(replica_of => $master)->wait_synchronous;
    my $with    = machine($master->address, 'acks=1');
    my $more    = machine($master->address, 'acks=2 timeout=1s');
    wait_well($_) for $with, $more;
    wait_until(sub { $master->command(qw(WAIT 1 10)) == 1 }, 'the replica');
    my $answer = $with->publish('/pub?channel=c', 'one');
    is_deeply [$answer->status, $answer->json->{replicas}], [201, 1], 'as many as wanted';
    $answer = $more->publish('/lines?channel=c', "a\nb\n");
    is_deeply [$answer->status, @{ $answer->json }{qw(replicas events)}], [202, 1, 2], 'fewer';
    $answer = $with->publish('/atomic?channel=c', "a\nb\n");
    is_deeply [$answer->status, $answer->json->{replicas}], [201, 1], 'of a batch';
    my @keyed = map { $with->publish('/pub?channel=c', 'k', headers => ['Idempotency-Key' => 'k']) } 1 .. 2;
    is_deeply [map { $_->status, $_->json->{replicas} } @keyed], [201, 1, 200, undef], 'with a key';
    $replica->freeze;
    my $start = time;
    my @answers = parallel(sub ($n) { my $a = $with->publish('/pub?channel=c', $n); return [$a->status, $a->json->{replicas}] }, 1 .. 20);
    is_deeply \@answers, [map { [202, 0] } 1 .. 20], 'none, for many at once';
    cmp_ok time - $start, '<', 10, 'within the time for one or two waits, not for twenty';
    $replica->thaw;
    wait_until(sub { $with->publish('/pub?channel=c', 'x')->status == 201 }, 'the replica to be back');
    $_->allow(qr/sse: bus/) for $with, $more;
    is_deeply [$_->stop], [], 'no trouble' for $with, $more;
};

done_testing;
