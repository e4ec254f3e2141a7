# Every limited resource is used up: connections, descriptors, places in the index. What does not fit is refused properly, and when
# others leave there is as much room as at the start.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Pipeline;
use SSE::Process;

# Subscribes until there is no room left, but $most times at most; returns the number of refusals, and the subscribers.
sub crowd ($server, $most) {
    my (@in, $refused);
    for (1 .. $most) {
        my $client = eval { $server->subscribe('/sub?channel=c') } or $refused++, next;
        $client->pump_until(sub { defined $client->{status} && @{ $client->{events} } || $client->{ended} }, 1);
        if (($client->{status} // 0) == 200) { push @in, $client->ready }
        else                                 { $refused++; $client->close }
        last if ($refused // 0) >= 5;
    }
    return ($refused // 0, @in);
}

for my $case (
    ['worker_connections', { events => 'worker_connections 64;' }, qr/worker_connections are not enough/],
    ['worker_rlimit_nofile', { main => 'worker_rlimit_nofile 64;', events => 'worker_connections 512;' }, qr/Too many open files/],
    )
{
    my ($name, $options, $message) = @$case;
    subtest "$name used up" => sub {
        my $server = SSE::Nginx->start(%$options);
        $server->allow($message);
        for my $round (1 .. 3) {
            my ($refused, @in) = crowd($server, 200);
            note scalar @in, ' were let in';
            cmp_ok $refused, '>', 0, 'there is an end';
            cmp_ok scalar @in, '>', 20, 'not too early';
            is scalar(grep { $_->closed } @in), 0, 'those that are in stay';
            (pop @in)->close for 1 .. 5;
            my $answer;
            wait_until(sub { $answer = eval { $server->request(POST => '/pub?channel=c', body => "round $round") };
                $answer && $answer->pump_until(sub { $answer->{ended} }, 1) && ($answer->{status} // 0) == 201 }, 'room for a publisher');
            is $answer->json->{subscribers}, scalar @in, 'all of them are counted';
            is scalar(grep { ($_->next_event // {})->{data} eq "round $round" } @in), scalar @in, 'and reached';
            $_->close for @in;
            wait_until(sub { (eval { $server->get('/status')->json->{subscribers} } // 1) == 0 }, 'all to be gone');
        }
        is_deeply [$server->stop], [], 'no trouble but that';
    };
}

subtest 'names' => sub {
    my $server = SSE::Nginx->start;
    for my $name ('a', '/', 'z' x 255) {
        my $subscriber = $server->subscribe("/sub?channel=$name")->ready;
        is $server->publish("/pub?channel=$name", 'x')->json->{channel}, $name, length($name) . ' bytes';
        is $subscriber->next_event->{data}, 'x', 'heard';
        is $server->subscribe("/sub?channel=$name", cursor => '0-0')->next_event->{data}, 'x', 'and kept';
    }
    is $server->publish('/pub?channel=' . 'z' x 254, 'y')->json->{subscribers}, 0, 'one byte less is another channel';
    is $server->publish('/pub?channel=' . 'z' x 256, 'y')->status, 400, 'one byte more is none';
};

subtest 'ten times the zone' => sub {
    my $server   = SSE::Nginx->start(workers => 2, zone => '2m channels=4096', subscribe => 'sse_start earliest;');
    my $pipeline = SSE::Pipeline->new($server);
    my $size     = 1000;
    my $count    = 10 * 2 * 1024 * 1024 / $size;
    my (@time, %status);
    # In groups of 20, whose times can be compared.
    for (my $number = 1; $number <= $count; $number += 20) {
        my $start = time;
        $status{$_}++ for $pipeline->publish(map { ["/pub?channel=c$_", "$_ " . 'x' x $size] } $number .. $number + 19);
        push @time, 1e6 * (time - $start) / 20;
    }
    is_deeply [keys %status], [201], 'all are taken';
    my $figures = $server->get('/status')->json->{zones}{events};
    is $figures->{published}, $status{201}, 'and counted';
    cmp_ok $figures->{used}, '>', 0.9 * $figures->{capacity}, 'the zone is full';
    # Each event has a channel of its own, so the channels that exist are those of the newest events.
    my $first = $figures->{evicted} + 1;
    cmp_ok $figures->{evicted}, '>', 0.85 * $status{201}, 'most had to go';
    my $has = sub ($number) { return $server->subscribe("/sub?channel=c$number")->next_event->{data} =~ /\A$number x/ };
    ok $has->($_), "$_ is there" for $first, $status{201};
    ok !$has->($_), "$_ is not" for 1, $first - 1;

    my $tenth = int @time / 10;
    my ($early, $late) = map { (sort { $a <=> $b } @$_)[$tenth / 2] } [@time[0 .. $tenth - 1]], [@time[-$tenth .. -1]];
    note sprintf '%d publishes; the median of the first tenth is %.1f us, of the last tenth %.1f us, ratio %.2f', $status{201},
        $early, $late, $late / $early;
    cmp_ok $late, '<', 5 * $early, 'it takes as long as at first';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'the index' => sub {
    my $server = SSE::Nginx->start(http => 'sse_zone events 1m channels=16;');
    my %id = map { $_ => $server->publish("/pub?channel=c$_", $_)->json->{id} } 1 .. 40;
    is scalar(keys %id), 40, 'all were published';
    my $figures = $server->get('/status')->json->{zones}{events};
    is $figures->{channels}, $figures->{channel_capacity}, 'the index is full';
    cmp_ok $figures->{forgotten_channels}, '>=', 20, 'the stalest had to go';
    is $server->subscribe('/sub?channel=c40', cursor => '0-0')->next_event->{data}, 40, 'the newest has not';
    my $subscriber = $server->subscribe('/sub?channel=c1', cursor => ($id{1} =~ /(\d+)/)[0] - 1 . '-0');
    is $subscriber->next_event->{type}, 'gap', 'what was forgotten is told';
    $subscriber->close;
    wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be left');

    my @in = map { $server->subscribe("/sub?channel=busy$_")->ready } 1 .. $figures->{channel_capacity};
    my $answer = $server->get('/sub?channel=onemore');
    is $answer->status, 503, 'when all are listened to there is no room for one more';
    ok $answer->json->{error}, 'and that is said';
    my $status = $server->publish('/pub?channel=onemore', 'x')->status;
    like $status, qr/\A(?:201|503)\z/, "publishing to one more is answered ($status)";
    $server->publish("/pub?channel=busy$_", $_) for 1 .. @in;
    is scalar(grep { $in[$_ - 1]->next_event->{data} eq $_ } 1 .. @in), scalar @in, 'the others hear everything';
    (pop @in)->close;
    wait_until(sub { my $next = $server->subscribe('/sub?channel=onemore'); $next->status == 200 }, 'room again');
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'come and go' => sub {
    my $total  = $ENV{TEST_NGINX_CONNECTS} // 10_000;
    my $batch  = 500;
    my $server = SSE::Nginx->start(events => 'worker_connections 1024;');
    my ($pid)  = $server->workers;
    my $memory = sub { return (private_memory($pid) // 0) / 1024 };
    my $gone = sub { wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted') };
    my $round = sub ($number) {
        my @in = map { $server->subscribe("/sub?channel=c$_") } 1 .. $batch;
        $_->ready for @in;
        $server->publish('/pub?channel=c1', $number);
        $_ % 2 ? $in[$_]->close : $in[$_]->reset for 0 .. $#in;
        $gone->();
    };
    $round->($_) for 1, 2;
    my ($kilobytes, $open) = ($memory->(), descriptors($pid));
    $round->($_) for 3 .. $total / $batch;
    my ($later, $open_later) = ($memory->(), descriptors($pid));
    note "$total connections: private memory $kilobytes KB, then $later KB; descriptors $open, then $open_later";
    SKIP: {
        skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
        cmp_ok $later - $kilobytes, '<', 300, 'memory is as it was';
    }
    cmp_ok $open_later, '<=', $open + 2, 'as are the descriptors';
    my $status = $server->get('/status')->json;
    is $status->{subscribers}, 0, 'nobody is counted';
    is $server->publish('/pub?channel=c2', 'x')->json->{subscribers}, 0, 'nowhere';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
