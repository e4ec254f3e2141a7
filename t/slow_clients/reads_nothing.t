# A client that does not read delays no other client, loses nothing that is still there, and is closed in the end.
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen       => [qw(h1 tls h2c h2)],
    listen_flags => 'sndbuf=16k',
    http         => 'sse_zone small 512k; sse_zone large 64m; log_format reason "$sse_channel $sse_close_reason $sse_events";'
        . ' ssl_buffer_size 4k;',
    server => <<'END',
access_log reasons.log reason;
        location = /small       { sse_channel $arg_channel zone=small; }
        location = /small/close { sse_channel $arg_channel zone=small; sse_gap close; }
        location = /small/pub   { sse_publish $arg_channel zone=small; access_log off; }
        location = /large       { sse_channel $arg_channel zone=large; }
        location = /large/brief { sse_channel $arg_channel zone=large; sse_send_timeout 1s; }
        location = /large/plain { sse_channel $arg_channel zone=large; send_timeout 1s; }
        location = /large/pub   { sse_publish $arg_channel zone=large; access_log off; }
        location = /status      { sse_status; access_log off; }
END
);

my $publisher = $server->connect;

# Publishes numbered events of so many bytes; returns their ids.
sub flood ($path, $count, $size, $first = 1) {
    return map {
        my $answer = $server->publish($path, "$_ " . 'x' x $size, on => $publisher);
        $answer->status == 201 or die 'not published: ' . $answer->body;
        $answer->json->{id};
    } $first .. $first + $count - 1;
}

sub number ($event) { return ($event->{data} =~ /\A(\d+) x+\z/)[0] // "$event->{type}: $event->{data}" }

for my $via (qw(h1 tls h2c h2)) {
    subtest "a pause, over $via" => sub {
        my $stalled = $server->subscribe("/large?channel=pause$via", via => $via, rcvbuf => 8192)->ready->stall;
        my $other   = $server->subscribe("/large?channel=pause$via")->ready;
        my $witness = $server->subscribe("/large?channel=other$via")->ready;
        for my $burst (0 .. 3) {
            flood("/large/pub?channel=pause$via", 300, 8000, 1 + 300 * $burst);
            is number(($other->events(300))[-1]), 300 + 300 * $burst, 'the others have it all meanwhile';
        }
        $server->publish("/large/pub?channel=other$via", 'x');
        is $witness->next_event->{data}, 'x', 'on other channels, too';
        $stalled->resume;
        is_deeply [map { number($_) } $stalled->events(1200)], [1 .. 1200], 'and so has the one that has paused, in the end';
        flood("/large/pub?channel=pause$via", 1, 10);
        is number($stalled->next_event), 1, 'live again';
        unlike $stalled->body, qr/other/, 'nothing of other channels';
        $_->close for $stalled, $other, $witness;
    };
}

for my $via (qw(h1 tls h2c h2)) {
    subtest "too long a pause, over $via" => sub {
        my $stalled = $server->subscribe("/small?channel=long$via", via => $via, rcvbuf => 8192)->ready->stall;
        flood("/small/pub?channel=long$via", 1500, 4000);
        $stalled->resume;
        my ($previous, @gap) = (0);
        while ($previous ne '1500') {
            my $event = $stalled->next_event or last;
            if ($event->{type} eq 'gap') {
                push @gap, decode_json($event->{data});
                $previous = 'gap';
                next;
            }
            my $number = number($event);
            fail "$number after $previous" if $previous eq 'gap' ? 0 : $number != $previous + 1;
            $previous = $number;
        }
        is $previous, 1500, 'it ends with the newest';
        cmp_ok scalar @gap, '>=', 1, 'what was missed is told';
        is $gap[0]{reason}, 'evicted', 'and why';
        $stalled->close;
    };
}

sub slow_closes { return $server->get('/status')->json->{slow_closes} }

sub reasons { return [sort grep {/\S/} split /\n/, $server->read_file('reasons.log')] }

subtest 'sse_gap close' => sub {
    my $stalled = $server->subscribe('/small/close?channel=strict', rcvbuf => 8192)->ready->stall;
    flood('/small/pub?channel=strict', 1500, 4000);
    $stalled->resume;
    is $stalled->wait_closed, 'abort', 'the stream is cut off after a whole event';
    ok !$stalled->pending, 'not inside an event';
    my @events = $stalled->events(1500, 0);
    is_deeply [map { number($_) } @events], [1 .. @events], 'nothing is missing before the end';
    isnt scalar @events, 1500, 'but not all of them were there';
    wait_until(sub { grep {/^strict gap /} @{ reasons() } }, 'the reason in the log');
};

for my $via (qw(h1 tls h2c h2)) {
    subtest "no progress, over $via" => sub {
        my $channel = "stuck$via";
        my $stalled = $server->subscribe("/large/brief?channel=$channel", via => $via, rcvbuf => 8192)->ready;
        my $other   = $server->subscribe("/large?channel=$channel")->ready;
        $stalled->stall;
        my $before = slow_closes();
        my @id = flood("/large/pub?channel=$channel", 1000, 8000);
        # The timer goes on although new events keep coming.
        wait_until(
            sub {
                push @id, flood("/large/pub?channel=$channel", 1, 100, @id + 1);
                return slow_closes() > $before;
            },
            'it to be let go'
        );
        is_deeply [map { number($_) } $other->events(scalar @id)], [1 .. @id], 'the other has missed nothing';
        # Over HTTP/2, nginx keeps a request until the frame in progress has been sent, so read first, then look.
        $stalled->resume->wait_closed;
        wait_until(sub { grep {/^$channel slow /} @{ reasons() } }, 'the reason in the log');
        my @seen = grep { $_->{type} ne 'gap' } $stalled->events(scalar @id, 0);
        my $last = $stalled->last_event_id;
        is_deeply [map { number($_) } @seen], [1 .. @seen], 'what it has got is in order';
        my $back = $server->subscribe("/large?channel=$channel", cursor => $last);
        is_deeply [map { number($_) } $back->events(@id - @seen)], [@seen + 1 .. @id], 'it comes back and gets the rest';
        $_->close for $other, $back;
    };
}

subtest 'without sse_send_timeout' => sub {
    my $stalled = $server->subscribe('/large/plain?channel=plain', rcvbuf => 8192)->ready->stall;
    my $before  = slow_closes();
    flood('/large/pub?channel=plain', 1000, 8000);
    ok wait_until(sub { slow_closes() > $before }, 'it to be let go'), 'the "send_timeout" of the location counts';
    $stalled->close;
};

my $status = $server->get('/status')->json;
cmp_ok $status->{slow_closes}, '>=', 4, 'counted';
cmp_ok $status->{gaps},        '>=', 4, 'as are the gaps';
done_testing;
