# A subscriber gets a gap event if, and only if, it has missed events, and before any other event.
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    zone      => '256k',
    subscribe => 'sse_gap event;',
    locations => <<'END',
location = /close { sse_channel $arg_channel; sse_gap close; }
        location = /off   { sse_channel $arg_channel; sse_gap off; }
        location = /named { sse_channel $arg_channel; sse_gap event=missed; }
        location = /five  { sse_channel $arg_channel separator=,; sse_history 5; }
END
);

# Publishes more events of one channel than the zone holds; returns their ids.
sub flood ($channel, $count = 1000) {
    my $connection = $server->connect;
    return map { $server->publish("/pub?channel=$channel", $_ . 'x' x 1000, on => $connection)->json->{id} } 1 .. $count;
}

sub number ($event) { return $event->{data} =~ /\A(\d+)x/ ? $1 : -1 }

my $quiet = $server->publish('/pub?channel=quiet', 'old')->json->{id};
my $alone = $server->publish('/pub?channel=alone', 'old')->json->{id};
my @id    = flood('busy');

subtest 'a type of its own' => sub {
    my $subscriber = $server->subscribe('/named?channel=busy', cursor => $id[0]);
    my $gap = $subscriber->next_event;
    is $gap->{type}, 'missed', 'is used';
    is decode_json($gap->{data})->{reason}, 'evicted', 'for the same';
    $subscriber->close;
    is $server->publish('/pub?channel=busy&event=missed', 'x')->status, 400, 'and nobody can publish it';
};

subtest 'a cursor that has left the ring' => sub {
    my $subscriber = $server->subscribe('/sub?channel=busy', cursor => $id[0]);
    my $gap = $subscriber->next_event;
    is $gap->{type}, 'gap', 'is told as a gap';
    my $told = decode_json $gap->{data};
    is_deeply $told, { reason => 'evicted', requested => $id[0], start => $gap->{id} }, 'with all about it';
    my $first = $subscriber->next_event;
    my $number = number($first);
    cmp_ok $number, '>', 2, 'then comes the oldest event that is there';
    cmp_ok compare_ids($gap->{id}, $first->{id}), '<', 0, 'after the position that was told';
    is_deeply [map { number($_) } $subscriber->events(1000 - $number)], [$number + 1 .. 1000], 'and all the rest';

    my $again = $server->subscribe('/sub?channel=busy', cursor => $gap->{id});
    my $event = $again->next_event;
    is_deeply [$event->{type}, $event->{id}], ['message', $first->{id}], 'the position is a good cursor';

    $again = $server->subscribe('/sub?channel=busy', cursor => $id[$number - 2]);
    is number($again->next_event), $number, 'the event before the oldest is no gap';
    $again = $server->subscribe('/sub?channel=busy', cursor => $id[$number - 3]);
    is $again->next_event->{type}, 'gap', 'the one before that is';
    $again = $server->subscribe('/sub?channel=busy', cursor => '0-0');
    is number($again->next_event), $number, 'from the beginning is never a gap';
};

subtest 'how many events are missed' => sub {
    my %id;
    for my $number (1 .. 10) {
        push $id{$_}->@*, $server->publish("/pub?channel=$_", $number)->json->{id} for qw(a b);
    }
    my $missed = sub ($cursor, $channel = 'a,b') {
        my $subscriber = $server->subscribe("/five?channel=$channel", cursor => $cursor);
        my $gap = $subscriber->next_event;
        $subscriber->close;
        return $gap->{type} eq 'gap' ? decode_json($gap->{data})->{missed} : $gap->{type};
    };
    is $missed->($id{a}[0]), 9, 'of all channels, if they are beyond the history but still there';
    is $missed->($id{b}[3]), 2, 'only those after the cursor';
    is $missed->($id{a}[4]), 1, 'even if it is one';
    is $missed->($id{b}[4]), 'message', 'none';
    is $missed->($id[-8], 'busy'), 2, 'of a long channel';
    is $missed->($id[0], 'busy'), undef, 'not told if some have been overwritten';
    is $missed->($id[0], 'a,busy'), undef, 'in one of the channels';
};

subtest 'no false gap' => sub {
    my $subscriber = $server->subscribe('/sub?channel=quiet', cursor => $quiet);
    $server->publish('/pub?channel=quiet', 'new');
    is_deeply [map { $_->{data} } grep { $_->{type} ne 'ready' } $subscriber->events(1)], ['new'],
        'the last event of a channel as cursor: nothing was missed although it is gone';
    $subscriber = $server->subscribe('/sub?channel=alone', cursor => $alone);
    $server->publish('/pub?channel=alone', 'new');
    is $subscriber->next_event->{data}, 'new', 'the same for a channel without any event left';
};

subtest 'a cursor that this zone has never given' => sub {
    my $future = (split /-/, $id[-1])[0] + 1_000_000_000;
    for my $cursor ("$future-0", 'garbage', '-1', '1e9', '12345678901234567890', '18446744073709551615-18446744073709551615',
        '99999999999999999999999-1', "x" x 2000, 'a, b', '"quote\\', "\xc3\xa9", '1-2-3', '~', "$id[-1]!")
    {
        my $subscriber = $server->subscribe('/sub?channel=busy', cursor => $cursor);
        my $shown = length $cursor > 40 ? length($cursor) . ' bytes' : $cursor;
        my $status = $subscriber->status;
        is($status, 200, "cursor $shown") or next;
        my $gap = $subscriber->next_event;
        is $gap->{type}, 'gap', 'is a gap';
        my $told = eval { decode_json $gap->{data} };
        ok $told, 'told in good JSON' or diag $gap->{data};
        is $told->{reason}, 'unknown', 'for that reason';
        cmp_ok number($subscriber->next_event), '>', 0, 'and what is there follows';
        $subscriber->close;
    }
};

subtest 'sse_gap close' => sub {
    my $answer = $server->get('/close?channel=busy', cursor => $id[0]);
    is $answer->status, 410, 'gone';
    like $answer->json->{error}, qr/./, 'with a reason';
    is $answer->header('Content-Type'), 'application/json', 'as JSON';
    my $subscriber = $server->subscribe('/close?channel=busy', cursor => $id[-2]);
    is number($subscriber->next_event), 1000, 'without a gap it is a stream like any other';
};

subtest 'sse_gap off' => sub {
    my $subscriber = $server->subscribe('/off?channel=busy', cursor => $id[0]);
    cmp_ok number($subscriber->next_event), '>', 2, 'not told';
};

subtest 'a life of its own' => sub {
    my @problems = $server->stop;
    is_deeply \@problems, [], 'ended';
    $server->launch;
    $server->publish('/pub?channel=busy', '1x');
    my $subscriber = $server->subscribe('/sub?channel=busy', cursor => $id[-1]);
    my $gap = $subscriber->next_event;
    is $gap->{type}, 'gap', 'a cursor from before a restart is a gap';
    is decode_json($gap->{data})->{reason}, 'unknown', 'of another life';
    is number($subscriber->next_event), 1, 'then what is there';
};

done_testing;
