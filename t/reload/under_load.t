# Reloads under load: the history stays, streams end after whole events, and clients that come back have missed nothing.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Load;
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers => 2,
    listen  => [qw(h1 unchunked tls h2c h2)],
    zone    => '16m',
    drain   => '2s',
    locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }',
);

# Reloads with each of these options in turn, while clients publish to a channel and subscribe to it. $allowed: the statuses that
# publishers may get.
sub under_fire ($channel, $allowed, @reload) {
    my $load = SSE::Load->start($server, channel => $channel, via => [qw(h1 h1.0 unchunked tls h2c h2 h1 h2c h1 tls)]);
    my $round = 0;
    for my $option (@reload) {
        $round++;
        $load->reach(100 * $round);
        my $start = time;
        my @old = $server->reload(%$option);
        $load->follow_until(
            sub {
                my $child = $server->children;
                return !grep { exists $child->{$_} } @old;
            },
            'the old workers to leave'
        );
        note sprintf 'reload %d: the old workers were gone after %.1f s', $round, time - $start;
        cmp_ok time - $start, '<', 12, 'the old workers leave in time';
    }
    $load->judge($allowed);
}

subtest 'with the same module' => sub {
    my $mark = $server->log_mark;
    under_fire('c', qr/^201$/, map { {} } 1 .. 5);
    unlike $server->log_since($mark), qr/has taken over/, 'the zone is used on';
};

subtest 'with a copy of it at another path' => sub {
    my $mark = $server->log_mark;
    my @copy = map { $server->copy_module } 1 .. 2;
    under_fire('copies', qr/^(?:201|503)$/, map { { module => $_ } } @copy, $copy[0], $copy[0], 1);
    my $times = () = $server->log_since($mark) =~ /has taken over the events of another copy of the module/g;
    is $times, 4, 'each time that it was another the events were taken over';
};

subtest 'the history is still there' => sub {
    my $subscriber = $server->subscribe('/sub?channel=c', cursor => '0-0');
    my $event = $subscriber->next_event;
    is $event->{data}, 1, 'from the first event on';
};

subtest 'a reload that fails changes nothing' => sub {
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    my $mark = $server->log_mark;
    $server->allow(qr/unknown directive "rubbish"/);
    $server->write_file('nginx.conf', $server->configuration =~ s/(?=http \{)/rubbish;\n/r);
    $server->signal('HUP');
    $server->wait_for_log(qr/unknown directive "rubbish"/, $mark);
    $server->publish('/pub?channel=c', 'as before');
    is $subscriber->next_event->{data}, 'as before', 'the stream goes on';
};

# Publishes the numbers from 1 on; returns the last id.
sub publish_many ($channel, $count) {
    my $answer = $server->publish("/pub?channel=$channel", stream_of(1 .. $count), type => 'text/event-stream');
    is $answer->json->{events}, $count, "$count events";
    return $answer->json->{id};
}

subtest 'a zone that grows takes all over' => sub {
    my $old = $server->subscribe('/sub?channel=grows')->ready;
    my $id  = $old->last_event_id;
    publish_many('grows', 1000);
    is_deeply [$old->data(1000)], [1 .. 1000], 'seen by who was there';
    my $published = $server->get('/status')->json->{zones}{events}{published};
    $server->reload(http => 'sse_zone events 32m;');
    is $old->wait_closed, 'abort', 'the old stream ends';
    my $new = $server->subscribe('/sub?channel=grows', cursor => $id);
    is_deeply [$new->data(1000)], [1 .. 1000], 'who comes back gets all, and is told of no gap';
    is $server->subscribe('/sub?channel=c', cursor => '0-0')->next_event->{data}, 1, 'the oldest event is there, too';
    is $server->get('/status')->json->{zones}{events}{published}, $published, 'the count goes on';
    my $told = $server->publish('/pub?channel=grows', '1001')->json->{id};
    cmp_ok compare_ids($told, $old->last_event_id), '>', 0, 'ids grow';
    is $new->next_event->{data}, 1001, 'and it goes on';
};

subtest 'a zone that shrinks keeps the newest' => sub {
    my $first = $server->subscribe('/sub?channel=shrinks')->ready->last_event_id;
    publish_many('shrinks', 10_000);
    $server->reload(http => 'sse_zone events 512k;');
    my $new = $server->subscribe('/sub?channel=shrinks', cursor => $first);
    is $new->next_event->{type}, 'gap', 'what did not fit is told as a gap';
    my $number = $new->next_event->{data};
    cmp_ok $number, '>', 1, 'the oldest are gone';
    is_deeply [$new->data(10_000 - $number)], [$number + 1 .. 10_000], 'the rest is there';
    my $inside = $server->subscribe('/sub?channel=shrinks', cursor => $new->last_event_id);
    $server->publish('/pub?channel=shrinks', 'x');
    is $inside->next_event->{data}, 'x', 'who has had it all misses nothing';
    $server->reload(http => 'sse_zone events 1m;');
    my $again = $server->subscribe('/sub?channel=shrinks', cursor => $first);
    is $again->next_event->{type}, 'gap', 'the gap is still told when the zone has grown again';
};

# The worker does not read the second line before everything is in the new zone.
subtest 'an old worker loses nothing in the old zone' => sub {
    my $publisher = $server->stream('/lines?channel=late');
    $publisher->feed("before\n");
    wait_until(sub { $server->get('/pub?channel=late')->json->{last_id} }, 'the first line');
    my $mark = $server->log_mark;
    my @old  = $server->workers;
    $server->{http} = 'sse_zone events 2m;';
    $server->write_configuration;
    freeze($_) for @old;
    $server->signal('HUP');
    $server->wait_for_log(qr/has taken over/, $mark);
    $publisher->feed("after\n");
    thaw($_) for @old;
    my $answer = $publisher->end->finish;
    is $answer->status, 503, 'a publisher in the old zone is turned away';
    is $answer->json->{events}, 1, 'it is told how many lines have been taken';
    $server->wait_gone(@old);
    $server->publish('/pub?channel=late', 'by another');
    my @lines = $server->subscribe('/sub?channel=late', cursor => '0-0')->data(2);
    is_deeply \@lines, ['before', 'by another'], 'and these are there';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
