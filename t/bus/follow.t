# What any program adds to the stream reaches the subscribers of all machines with the same ids, and a machine that starts gets the
# history.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep);
use SSE::Nginx;
use SSE::Redis;

my $redis = SSE::Redis->start;

sub machine (%option) {
    return SSE::Nginx->start(
        workers => 2,
        http    => "sse_zone events @{[ $option{zone} // '4m' ]};"
            . "sse_bus events redis://127.0.0.1:@{[ $redis->port ]} @{[ $option{bus} // '' ]};",
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
    );
}

sub add (@fields) { return $redis->command(XADD => 'sse:events', '*', @fields) }

sub state_of ($server) { return $server->get('/status')->json->{zones}{events}{bus} }
sub filled ($server) {
    wait_until(sub { $server->log =~ /the zone has caught up with the stream/ }, 'a zone that is filled');
    return $server;
}

# Converts an id of the log to that of the stream entry.
sub stream_id ($id) {
    my ($time, $sequence) = $id =~ /\A(\d+)-(\d+)/ or return "no id: $id";
    return "$time-" . int($sequence / 65536);
}

my @machines = map { filled(machine()) } 1 .. 2;

subtest 'the same events with the same ids' => sub {
    my @subscribers = map { $_->subscribe('/sub?channel=news')->ready } @machines;
    my @ids = map { add(channel => 'news', data => "event $_", event => 'told', id => "p$_") } 1 .. 20;
    my @received = map { [$_->events(20)] } @subscribers;
    is_deeply $received[0], $received[1], 'both machines tell the same';
    is_deeply [map { stream_id($_->{id}) } @{ $received[0] }], \@ids, 'with the ids of the stream';
    is_deeply [map { $_->{data} } @{ $received[0] }], [map {"event $_"} 1 .. 20], 'in its order';
    is_deeply [map { $_->{type} } @{ $received[0] }], [('told') x 20], 'with their types';
    is_deeply [map { $_->{id} =~ /~(.*)/ } @{ $received[0] }], [map {"p$_"} 1 .. 20], 'and the ids of their publisher';
};

subtest 'another machine knows the cursor' => sub {
    my @witnesses = map { $_->subscribe('/sub?channel=hop')->ready } @machines;
    add(channel => 'hop', data => $_) for 1 .. 5;
    $_->events(5) for @witnesses; # otherwise the first event of a stream may be a `ready`
    my $first = $machines[0]->subscribe('/all?channel=hop');
    my ($third) = ($first->events(3))[2];
    my $hopped = $machines[1]->subscribe('/sub?channel=hop', cursor => $third->{id});
    is_deeply [$hopped->data(2)], [4, 5], 'and goes on after it';
};

subtest 'an end' => sub {
    my @subscribers = map { $_->subscribe('/sub?channel=run')->ready } @machines;
    add(channel => 'run', data => 'last', end => 1);
    is_deeply [map { $_->data(1) } @subscribers], ['last', 'last'], 'the last event';
    is_deeply [map { $_->wait_closed } @subscribers], ['clean', 'clean'], 'ends the streams of all machines';
    @subscribers = map { $_->subscribe('/sub?channel=other')->ready } @machines;
    add(channel => 'other', end => 'true');
    is_deeply [map { $_->wait_closed } @subscribers], ['clean', 'clean'], 'an end alone, too';
};

subtest 'entries that no event can be made of' => sub {
    my $subscriber = $machines[0]->subscribe('/sub?channel=good')->ready;
    my $before = state_of($machines[0])->{skipped};
    my @bad = (
        [data => 'no channel'],
        [channel => "a\nb",  data  => 'a bad one'],
        [channel => 'good',  event => "a\nb", data => 'a bad type'],
        [channel => 'good',  event => 'error', data => 'a reserved type'],
        [channel => 'good',  retry => 'soon', data => 'a bad time'],
        [channel => 'good',  end   => 'perhaps', data => 'a bad flag'],
        [channel => 'good',  event => 'alone'],
        [channel => 'good',  data => 'once', data => 'twice'],
        [channel => 'good',  data => 'x' x 1_100_000],
        ["\x00\xff" => "\xfe"],
    );
    add(@$_) for @bad;
    my $raised = $redis->command(XADD => 'sse:events', '*', raise => 1, comment => 'none, and not bad');
    add(channel => 'good', data => "replaced \xff", unknown => 'ignored');
    is_deeply [$subscriber->data(1)], ["replaced \x{ef}\x{bf}\x{bd}"], 'the next event comes';
    wait_until(sub { state_of($machines[0])->{skipped} == $before + @bad }, 'those that are skipped to be counted');
    like $machines[0]->log, qr/sse: bus "events": entry \d+-\d+ is skipped: /, 'and they are logged';
};

subtest 'an id that does not fit' => sub {
    my $subscriber = $machines[0]->subscribe('/sub?channel=fits')->ready;
    my $time = 1 + (split /-/, add(channel => 'fits', data => 'before'))[0];
    $redis->command(XADD => 'sse:events', "$time-281474976710656", channel => 'fits', data => 'too large');
    my $after = $redis->command(XADD => 'sse:events', '*', channel => 'fits', data => 'after');
    is_deeply [$subscriber->data(1)], ['before'], 'what comes before';
    # Until its clock has passed that time, Redis issues sequence numbers that do not fit.
    wait_until(sub { add(channel => 'fits', data => 'later') =~ /-\d{1,14}\z/ }, 'an id that fits');
    my $next = $subscriber->next_event;
    like $next->{data}, qr/\A(?:after|later)\z/, 'and what comes after';
};

subtest 'a break' => sub {
    my @subscribers = map { $_->subscribe('/sub?channel=news')->ready } @machines;
    my $break = $redis->command(XADD => 'sse:events', '*', break => 1);
    for my $subscriber (@subscribers) {
        my $event = $subscriber->next_event;
        is $event->{type}, 'gap', 'everybody gets a gap';
        like $event->{data}, qr/"lost"/, 'with its reason';
    }
    my $id = add(channel => 'news', data => 'after the break');
    is_deeply [map { $_->data(1) } @subscribers], [('after the break') x 2], 'and what follows';
};

subtest 'a machine that starts' => sub {
    my $third = filled(machine());
    my $subscriber = $third->subscribe('/all?channel=hop');
    is_deeply [$subscriber->data(5)], [1 .. 5], 'has the history';
    is_deeply [$third->stop], [], 'no trouble';
};

subtest 'a machine that starts with a small zone' => sub {
    my $publisher = $machines[0]->subscribe('/sub?channel=bulk')->ready;
    my $first;
    for my $number (1 .. 1500) {
        add(channel => 'bulk', data => "$number " . 'x' x 1000);
        $first //= $publisher->next_event->{id};
    }
    my $small = filled(machine(zone => '1m'));
    my ($gap, @rest) = $small->subscribe('/sub?channel=bulk', cursor => $first)->events(300);
    is $gap->{type}, 'gap', 'what does not fit is a gap';
    my ($number) = $rest[0]{data} =~ /\A(\d+)/;
    is_deeply [map { $_->{data} =~ /\A(\d+)/ } @rest[0 .. 298]], [$number .. $number + 298], 'the rest is complete';
    cmp_ok $number, '<', 1500 - 400, 'and is as much as fits';
    my $newest = $small->subscribe('/sub?channel=bulk', cursor => $rest[100]{id});
    like $newest->next_event->{data}, qr/\A@{[ $number + 101 ]} /, 'with ids that others know';
    is_deeply [$small->stop], [], 'no trouble';
};

subtest 'a machine that starts with large entries' => sub {
    $redis->command(EVAL => 'for i = 1, 120 do redis.call("XADD", KEYS[1], "*", "channel", "heavy", "data", i .. string.rep("x", 200000)) end', 1, 'sse:events');
    my $large = filled(machine(zone => '64m'));
    is $large->subscribe('/all?channel=heavy')->next_event->{data} =~ s/x.*//r, 1, 'has all that its zone holds';
    is_deeply [$large->stop], [], 'no trouble';
};

subtest 'more than a reply takes' => sub {
    my $subscriber = $machines[0]->subscribe('/sub?channel=large')->ready;
    # One XREAD could return all of these entries. Each of them is valid, but together they have 40 MB.
    my $id = $redis->command(EVAL => 'for i = 1, 60 do redis.call("XADD", KEYS[1], "*", "channel", "large", "data", i .. string.rep("x", 700000)) end
        return redis.call("XADD", KEYS[1], "*", "channel", "large", "data", string.rep("y", 30000000))', 1, 'sse:events');
    add(channel => 'large', data => 'the last');
    my @seen;
    while (my $event = $subscriber->next_event) {
        push @seen, $event->{data} =~ /\A(\d+)x/ ? $1 : $event->{type} eq 'gap' ? 'gap' : substr $event->{data}, 0, 20;
        last if $event->{data} eq 'the last';
    }
    is $seen[-1], 'the last', 'one that no reply takes is skipped, and it goes on';
    my @numbers = grep {/\A\d+\z/} @seen;
    is_deeply \@numbers, [sort { $a <=> $b } @numbers], 'in order';
    is $numbers[-1], 60, 'up to the one before it';
    # If the answer to XINFO was too large before, larger replies are accepted, and then it is the event that is too large.
    like $machines[0]->log, qr/entry \S+ is skipped: (?:too large|the data is too long)/, 'which is logged';
};

subtest 'more than a reply takes, when the stream is looked at' => sub {
    my $subscriber = $machines[0]->subscribe('/sub?channel=look')->ready;
    sleep 1.2; # so that the next XINFO comes between the first entries and the large one, which is the last
    $redis->command(EVAL => 'for i = 1, 1500 do redis.call("XADD", KEYS[1], "*", "channel", "look", "data", i) end
        return redis.call("XADD", KEYS[1], "*", "channel", "look", "data", string.rep("z", 30000000))', 1, 'sse:events');
    is_deeply [$subscriber->data(1500)], [1 .. 1500], 'what precedes it comes';
    wait_until(sub { state_of($machines[0])->{up} }, 'the bus to be up');
    add(channel => 'look', data => 'after it');
    is_deeply [$subscriber->data(1)], ['after it'], 'and so does what follows';
};

is_deeply [map { $_->stop } @machines], [], 'no trouble';

done_testing;
