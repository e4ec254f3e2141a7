# A break in the stream, or a new stream, reaches all connected clients: each gets the events before it, one report that something may
# be missing, and then the events after it.
# needs: module redis
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Redis;
use SSE::Util;

my $redis  = SSE::Redis->start;
my $server = SSE::Nginx->start(
    workers => 2,
    http    => "sse_zone events 8m; sse_bus events redis://@{[$redis->address]};",
    server  => <<'END',
location = /sub   { sse_channel $arg_channel separator=,; }
        location = /close { sse_channel $arg_channel; sse_gap close; }
        location = /off   { sse_channel $arg_channel; sse_gap off; }
        location = /new   { sse_channel $arg_channel; sse_start earliest; }
        location = /health { sse_health; }
        location = /status { sse_status; }
END
);
wait_until(sub { $server->get('/health')->status == 200 }, 'the machine to be well');
my $lineage = $redis->command(GET => 'sse:events:lineage');

sub add (%fields) {
    my ($time, $number) = split /-/, $redis->command(XADD => 'sse:events', '*', %fields);
    return "$time-" . ($number * 65536 + $lineage);
}
sub publish ($channel, @data) { return map { add(channel => $channel, data => $_) } @data }
sub events (@events) {
    return [map {"$_->{type} $_->{data}"} @events];
}

# The next event, which must be a gap.
sub gap_of ($client, $reason, $after = undef) {
    my $gap = $client->next_event;
    is $gap->{type}, 'gap', 'a gap comes';
    my $told = decode_json $gap->{data};
    is $told->{reason}, $reason, 'with its reason';
    is $told->{start},  $gap->{id}, 'and where it goes on';
    cmp_ok compare_ids($gap->{id}, $after), '>=', 0, 'which is not before it' if defined $after;
    ok !exists $told->{missed}, 'nobody knows how many are missing';
    return $gap;
}

sub wait_subscribers ($count) {
    wait_until(sub { $server->get('/status')->json->{subscribers} == $count }, "$count subscribers");
}

my @first = publish(news => 1 .. 3);
my $live  = $server->subscribe('/sub?channel=news', cursor => $first[0]);
my $both  = $server->subscribe('/sub?channel=news,quiet', cursor => $first[1]);
my $quiet = $server->subscribe('/sub?channel=quiet')->ready;
my $off   = $server->subscribe('/off?channel=news', cursor => $first[2]);
my $shut  = $server->subscribe('/close?channel=news', cursor => $first[2]);
my $slow  = $server->subscribe('/sub?channel=large', rcvbuf => 4096)->ready;
my $poll  = $server->subscribe('/sub?channel=quiet&poll&wait=60');
is_deeply events($live->events(2)), ['message 2', 'message 3'], 'a stream';
wait_subscribers(7);

# More than the client that does not read can take: its stream falls behind.
my $large = 'x' x 20_000;
publish(large => map {"before $_ $large"} 1 .. 100);
my ($before) = publish(news => 4);
my $break = add(break => 1);
publish(large => map {"after $_ $large"} 1 .. 100);
publish(news => 5);

subtest 'a live stream' => sub {
    is_deeply events($live->events(1)), ['message 4'], 'has what came before';
    my $gap = gap_of($live, 'lost', $break);
    is_deeply events($live->events(1)), ['message 5'], 'and then what follows';
    my $again = $server->subscribe('/sub?channel=news', cursor => $gap->{id});
    is_deeply events($again->events(1)), ['message 5'], 'which is told once';
    $again = $server->subscribe('/sub?channel=news', cursor => $before);
    gap_of($again, 'lost', $break);
    is_deeply events($again->events(1)), ['message 5'], 'and to who comes back from before';
    is $server->subscribe('/new?channel=quiet')->next_event->{type}, 'ready', 'who comes without an id misses nothing';
};

subtest 'one of several channels' => sub {
    is_deeply events($both->events(2)), ['message 3', 'message 4'], 'has what came before';
    gap_of($both, 'lost', $break);
    is_deeply events($both->events(1)), ['message 5'], 'and then what follows';
};

subtest 'one that was silent' => sub {
    gap_of($quiet, 'lost', $break);
    publish(quiet => 'here');
    is_deeply events($quiet->events(1)), ['message here'], 'goes on';
};

subtest 'one that reads slowly' => sub {
    my @events = $slow->events(100);
    is_deeply [map { (split / /, $_->{data})[0, 1] } @events], [map { ('before', $_) } 1 .. 100], 'has all that came before';
    gap_of($slow, 'lost', $break);
    is_deeply [map { (split / /, $_->{data})[0, 1] } $slow->events(100)], [map { ('after', $_) } 1 .. 100], 'and all that follows';
};

subtest 'as configured' => sub {
    is_deeply events($off->events(2)), ['message 4', 'message 5'], 'a gap that is not told';
    is_deeply events($shut->events(1)), ['message 4'], 'one that closes the stream';
    isnt $shut->wait_closed, '', 'does so';
    is $server->get('/close?channel=news', cursor => $before)->status, 410, 'and refuses';
};

subtest 'polls' => sub {
    my $answer = $poll->finish->json;
    is $answer->{gap}{reason}, 'lost', 'one that waits is told';
    my $next = $server->get('/sub?channel=quiet&poll', cursor => $answer->{gap}{start})->json;
    ok !exists $next->{gap}, 'once';
    my $behind = $server->get('/sub?channel=news&poll', cursor => $first[2])->json;
    is_deeply [(map { $_->{data} } @{ $behind->{events} }), exists $behind->{gap}, $behind->{more}], [4, '', JSON::PP::true],
        'one from before gets what is left, and there is more';
    $behind = $server->get('/sub?channel=news&poll', cursor => $behind->{cursor})->json;
    is_deeply [$behind->{gap}{reason}, map { $_->{data} } @{ $behind->{events} }], ['lost', 5], 'a gap, and the rest';
};

subtest 'another life' => sub {
    wait_subscribers(5);
    $poll = $server->subscribe('/sub?channel=none&poll&wait=60');
    wait_subscribers(6);
    $redis->command('FLUSHALL');
    is_deeply events($both->events(1)), ['message here'], 'what was there';
    for my $client ($live, $both, $quiet) {
        gap_of($client, 'unknown');
    }
    is $poll->finish->json->{gap}{reason}, 'unknown', 'the same to a poll';
    wait_until(sub { $server->get('/health')->status == 200 }, 'the machine to be well');
    $lineage = $redis->command(GET => 'sse:events:lineage');
    my ($id) = publish(news => 'new');
    for my $client ($live, $both) {
        my $event = $client->next_event;
        is_deeply [@$event{qw(data id)}], ['new', $id], 'what comes then comes to all';
    }
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
