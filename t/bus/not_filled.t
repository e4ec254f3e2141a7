# Clients that connect before a machine has read its stream get their first bytes and heartbeats, and wait for the rest. Once it is
# read, each starts at the position that it asked for; no gap, end or absent channel is reported that is none.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Redis;

# A stream that is older than this machine, and the ids of its entries as clients get them.
my $redis = SSE::Redis->start(aof => 1, config => ['appendfsync always']);
$redis->command(SET => 'sse:events:lineage', 4711);

sub event_id ($stream_id) {
    my ($time, $number) = split /-/, $stream_id;
    return "$time-" . ($number * 65536 + 4711);
}
sub add (%fields) { return event_id($redis->command(XADD => 'sse:events', '*', %fields)) }

my @id  = map { add(channel => 'news', data => "old $_", id => "theirs-$_") } 1 .. 3;
my $end = add(channel => 'over', data => 'the last', end => 1);
$redis->stop;

my $server = SSE::Nginx->start(
    workers => 2,
    http    => "sse_zone events 1m; sse_bus events redis://@{[$redis->address]};",
    server  => <<'END',
location = /sub      { sse_channel $arg_channel; sse_heartbeat 1s; }
        location = /earliest { sse_channel $arg_channel; sse_start earliest; }
        location = /absent   { sse_channel $arg_channel; sse_absent 404; sse_reject soft; }
        location = /hard     { sse_channel $arg_channel; sse_absent 404; }
        location = /pub      { sse_publish $arg_channel; }
        location = /health   { sse_health; }
END
);

my %client = (
    'that resumes'                     => $server->subscribe('/sub?channel=news', cursor => $id[0]),
    "that knows its publisher's id"    => $server->subscribe('/sub?channel=news', cursor => 'theirs-2'),
    'that wants all'                   => $server->subscribe('/earliest?channel=news'),
    'that wants what is new'           => $server->subscribe('/sub?channel=news'),
    'of an ended channel'              => $server->subscribe('/sub?channel=over', cursor => $id[0]),
    'that has had all of such'         => $server->subscribe('/sub?channel=over', cursor => $end),
    'with an id of another life'       => $server->subscribe('/sub?channel=news', cursor => '5-4712'),
    'that is ahead'                    => $server->subscribe('/sub?channel=news', cursor => '9999999999999-4711'),
    'of a channel that nobody has yet' => $server->subscribe('/sub?channel=none'),
);

sub data (@events) {
    return [map {"$_->{type} $_->{data}"} @events];
}
sub data_of ($answer) {
    return [map { $_->{data} } @{ $answer->json->{events} }];
}

subtest 'before' => sub {
    isnt $server->get('/health')->status, 200, 'nothing is there';
    for my $who (sort keys %client) {
        my $client = $client{$who};
        is $client->status, 200, "one $who is let in";
        is $client->header('Last-Event-ID'), undef, 'and not told where it is';
        $client->pump_until(sub { $client->body =~ /\A:\nretry: \d+\n/ });
    }
    my $new = $client{'that wants what is new'};
    $new->pump_until(sub { $new->body =~ /\n:\n/ });
    like $new->body, qr/\A:\nretry: \d+\n:\n\z/, 'heartbeats go on';

    my $later = $server->get('/absent?channel=news');
    is_deeply [$later->status, $later->body =~ /\A:\nretry: \d+\n\z/], [200, 1], 'where absence would matter it is put off';
    my $hard = $server->get('/hard?channel=news');
    is_deeply [$hard->status, $hard->header('Retry-After')], [503, 1], 'as configured';
    is $server->get('/pub?channel=news')->status, 503, 'and so is who asks for the channel';

    is $server->get('/sub?channel=news&poll', cursor => $id[0])->status, 503, 'a poll that does not wait is put off';
    my $poll = $server->get('/sub?channel=news&poll&wait=1', cursor => $id[0]);
    is_deeply [$poll->status, $poll->json->@{qw(cursor events)}], [200, $id[0], []], 'one that waits in vain keeps its place';
    is $server->get('/sub?channel=news&poll&wait=1')->status, 503, 'unless it has none';
};

my %poll = map { $_ => $server->subscribe("/sub?channel=$_&poll&wait=60", cursor => $id[0]) } qw(news over none);
my $poll_new = $server->subscribe('/sub?channel=news&poll&wait=60');
$redis->launch;
wait_until(sub { $server->get('/health')->status == 200 }, 'the machine to be well');

subtest 'afterwards' => sub {
    is_deeply data($client{'that resumes'}->events(2)), ['message old 2', 'message old 3'], 'one that resumes gets the rest';
    is_deeply data($client{"that knows its publisher's id"}->events(1)), ['message old 3'], "the same by its publisher's id";
    is_deeply data($client{'that wants all'}->events(3)), [map {"message old $_"} 1 .. 3], 'one that wants all gets all';
    my $ready = $client{'that wants what is new'}->next_event;
    is_deeply [@$ready{qw(type id)}], ['ready', $end], 'one that wants what is new learns where it is';
    my ($ended, $had) = @client{'of an ended channel', 'that has had all of such'};
    is_deeply data($ended->events(1)), ['message the last'], 'a channel that has ended has its events';
    is_deeply [$_->wait_closed, $_->body =~ /retry: 86400000\n\z/], ['clean', 1], 'and ends' for $ended, $had;
    my @unknown = $client{'with an id of another life'}->events(4);
    like $unknown[0]{data}, qr/"reason":"unknown"/, 'an id of another life is told so';
    is_deeply data(@unknown[1 .. 3]), [map {"message old $_"} 1 .. 3], 'and gets what is there';

    is_deeply data_of($poll{news}->finish), ['old 2', 'old 3'], 'a poll that has waited is answered';
    my $over = $poll{over}->finish;
    is_deeply [data_of($over), $over->json->{ended}], [['the last'], JSON::PP::true], 'the same at the end of a channel';
    is $server->get('/absent?channel=none')->status, 404, 'what is absent is so';
    is $server->get('/pub?channel=news')->json->{last_id}, $id[2], 'the channel is known';
};

my $new = add(channel => 'news', data => 'new');
subtest 'what comes then' => sub {
    for my $who ('that resumes', 'that wants all', 'that wants what is new', 'with an id of another life') {
        my $event = $client{$who}->next_event;
        is_deeply [@$event{qw(type data id)}], ['message', 'new', $new], "comes to one $who";
    }
    is_deeply data_of($poll_new->finish), ['new'], 'and to a poll that wants what is new';
    my $none = add(channel => 'none', data => 'first');
    is_deeply data($client{'of a channel that nobody has yet'}->events(2)), ['ready {"id":"' . $end . '"}', 'message first'],
        'and to one of a new channel';
    is_deeply data_of($poll{none}->finish), ['first'], 'the same to a poll';
};

# Another machine may be ahead of this one.
subtest 'one that is ahead' => sub {
    my $ahead = $client{'that is ahead'};
    $redis->command(XADD => 'sse:events', '9999999999999-0', channel => 'news', data => 'known to it');
    $redis->command(XADD => 'sse:events', '9999999999999-1', channel => 'news', data => 'not yet');
    is_deeply data($ahead->events(1)), ['message not yet'], 'gets what is newer, and hears of no gap';
    my $more = $server->subscribe('/sub?channel=over', cursor => '9999999999999-' . (65536 + 4711));
    is $more->status, 204, 'one of an ended channel is over when the zone has come so far';
    $more = $server->subscribe('/sub?channel=over', cursor => '9999999999999-' . (5 * 65536 + 4711));
    is $more->status, 200, 'but not before';
    $more = $server->subscribe('/absent?channel=unheard', cursor => '9999999999999-' . (5 * 65536 + 4711));
    is $more->status, 200, 'nor is a channel absent';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
