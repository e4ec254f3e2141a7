# Coming back: where a subscriber goes on, by header, by argument, by a publisher's own id, or by sse_start.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c h2)],
    publish   => 'sse_event_id $arg_id;',
    locations => <<'END',
location = /earliest { sse_channel $arg_channel; sse_start earliest; }
        location = /new      { sse_channel $arg_channel; sse_start new; }
        location = /last     { sse_channel $arg_channel; sse_start last=3; }
        location = /since    { sse_channel $arg_channel; sse_start $arg_since; }
        location = /token    { sse_channel $arg_channel; sse_cursor $http_x_cursor $cookie_cursor; }
END
);
my $count = 0;

# Publishes ten events on a new channel; then a subscriber begins where $where says, which gets their ids. Returns which of them
# it receives. One more event marks the end of the replay.
sub replayed ($path, $where = sub { }, %option) {
    my $channel   = 'c' . ++$count;
    my $publisher = $server->connect;
    my @id = map { $server->publish("/pub?channel=$channel&id=order.$_", $_, on => $publisher)->json->{id} } 1 .. 10;
    my %where      = $where->(@id);
    my $query      = delete $where{query};
    my $subscriber = $server->subscribe("$path?channel=$channel" . (defined $query ? "&$query" : ''), %where, %option);
    return $subscriber->status unless $subscriber->status == 200;
    $server->publish("/pub?channel=$channel", 'end', on => $publisher);
    my @seen;
    while (my $event = $subscriber->next_event) {
        last if $event->{data} eq 'end';
        push @seen, $event->{type} eq 'message' ? $event->{data} : $event->{type};
    }
    $subscriber->close;
    return @seen;
}

sub replays ($path, $where, $expected, $what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [replayed($path, $where, %option)], $expected, $what;
}

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    replays('/sub', sub (@id) { cursor => $id[6] }, [8, 9, 10], "$via: exactly what follows the cursor", via => $via);
}

subtest 'cursors' => sub {
    replays('/sub', sub (@id) { cursor => $id[$_] }, [$_ + 2 .. 10], "after the event number $_") for 0 .. 9;
    replays('/sub', sub (@id) { cursor => $id[7] =~ s/~.*//r }, [9, 10], 'only our half of an id');
    replays('/sub', sub (@id) { cursor => '0-0' }, [1 .. 10], '0-0 is the beginning, and no gap');
    replays('/sub', sub (@id) { cursor => '' }, ['ready'], 'an empty header is none');
    replays('/sub', sub (@id) { query => "$_=$id[7]" }, [9, 10], "$_ as argument")
        for qw(last_event_id lastEventId lastEventID);
    replays('/sub', sub (@id) { query => "last_event_id=$id[3]&last_event_id=$id[7]" }, [9, 10], 'the last one counts');
    replays('/sub', sub (@id) { query => 'last_event_id=' }, ['ready'], 'an empty argument is none');
    replays('/sub', sub (@id) { query => 'last_event_id=' . $id[7] =~ s/-/%2D/r }, [9, 10], 'percent-decoded');
    replays('/sub', sub (@id) { query => "last_event_id=$id[3]", cursor => $id[8] }, [10], 'the header comes first');
    replays('/sub', sub (@id) { query => "last_event_id=$id[8]", cursor => '' }, [10], 'unless it is empty');
};

subtest 'cursors by configuration' => sub {
    replays('/token', sub (@id) { headers => ['X-Cursor' => $id[7]] }, [9, 10], 'the first');
    replays('/token', sub (@id) { headers => [Cookie => "cursor=$id[8]"] }, [10], 'the second');
    replays('/token', sub (@id) { headers => ['X-Cursor' => $id[7], Cookie => "cursor=$id[8]"] }, [9, 10], 'the first of both');
    replays('/token', sub (@id) { cursor => $id[7] }, ['ready'], 'the usual ones no longer');
};

subtest 'a start without cursor' => sub {
    replays('/earliest', sub { }, [1 .. 10], 'earliest');
    replays('/new',      sub { }, ['ready'], 'new');
    replays('/last',     sub { }, [8 .. 10], 'the last three');
    replays('/last', sub (@id) { cursor => $id[4] }, [6 .. 10], 'a cursor counts more');
    $server->publish('/pub?channel=short', $_) for 1, 2;
    is_deeply [$server->subscribe('/last?channel=short')->data(2)], [1, 2], 'no more than there are';
    ok $server->subscribe('/last?channel=fresh')->ready, 'of nothing';
    my %since = ('' => ['ready'], new => ['ready'], earliest => [1 .. 10], 'last=2' => [9, 10], 'last=99' => [1 .. 10]);
    for my $since (sort keys %since) {
        replays('/since', sub (@id) { query => "since=$since" }, $since{$since}, "by variable: \"$since\"");
    }
    replays('/since', sub (@id) { query => 'since=' . $id[7] =~ s/~.*//r }, [9, 10], 'by variable: an id');
    for my $since ('newest', 'last=', 'last=x', 'last=-1', '-1', 'last=99999999999999999999999') {
        replays('/since', sub (@id) { query => "since=$since" }, [400], "by variable: \"$since\" is refused");
    }
};

subtest "a publisher's own id as cursor" => sub {
    replays('/sub', sub (@id) { cursor => 'order.3' }, [4 .. 10], 'by itself');
    replays('/sub', sub (@id) { cursor => $id[2] }, [4 .. 10], 'as sent on the wire');
    replays('/sub', sub (@id) { cursor => 'order.10' }, [], 'the last one');
    replays('/sub', sub (@id) { cursor => 'order.11' }, ['gap', 1 .. 10], 'an unknown one is a gap');
    $server->publish('/pub?channel=elsewhere&id=there.1', 'x');
    replays('/sub', sub (@id) { cursor => 'there.1' }, ['gap', 1 .. 10], 'as is that of another channel');
};

subtest 'a cursor on one channel is good for all' => sub {
    my $id = $server->publish('/pub?channel=x', 'x1')->json->{id};
    $server->publish("/pub?channel=$_->[0]", $_->[1]) for [y => 'y1'], [x => 'x2'], [y => 'y2'];
    is_deeply [$server->subscribe('/sub?channel=y', cursor => $id)->data(2)], ['y1', 'y2'], 'what is newer on the other';
};

done_testing;
