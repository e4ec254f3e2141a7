# A worker that has not read the newest records yet, or cannot any more, is still right about the end of a channel.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

sub finish_channel ($server, $channel, %option) { return $server->request(DELETE => "/pub?channel=$channel", %option)->finish }

# An end with a record of its own, and one that is part of the last event's record.
my %end = (
    'a DELETE'     => \&finish_channel,
    'a last event' => sub ($server, $channel, %option) { $server->publish("/pub?channel=$channel&end", 'last', %option) },
);

subtest 'what is left comes before the end' => sub {
    my $server = SSE::Nginx->start(subscribe => 'sse_start earliest;');
    # Because of this subscriber the worker has a position in the log, but nothing wakes it for other channels.
    my $other = $server->subscribe('/sub?channel=other')->ready;
    $server->publish('/pub?channel=log', "line $_") for 1 .. 5;
    finish_channel($server, 'log');
    my $late = $server->get('/sub?channel=log');
    is $late->closed, 'clean', 'the stream ends';
    is_deeply [map { $_->{data} } grep { $_->{type} ne 'ready' } $late->events(9, 0)], [map {"line $_"} 1 .. 5],
        'after all that was left';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a channel that lives again is not ended' => sub {
    my $server = SSE::Nginx->start(workers => 2, zone => '16m', listen_flags => 'sndbuf=16k');
    my ($here, $there) = $server->workers;
    # A stream that is blocked when the channel ends keeps the channel in the worker's table.
    my $blocked = $server->subscribe_on($there, '/sub?channel=c', rcvbuf => 8192)->ready->stall;
    $server->publish('/pub?channel=c', 'x' x 60_000) for 1 .. 40;
    finish_channel($server, 'c');
    my $publisher = $server->connect_to($here);
    my $connection = $server->connect_to($there);
    my $gone = $server->get('/sub?channel=c', on => $server->connect_to($there));
    is $gone->status, 204, 'ended';
    freeze($there);
    is $server->publish('/pub?channel=c', 'new life', on => $publisher)->status, 201, 'it lives again';
    my $late = $server->subscribe('/sub?channel=c', on => $connection);
    thaw($there);
    is $late->status, 200, 'who comes after that is not told to stay away for ever';
    is_deeply [$server->stop], [], 'no trouble';
};
subtest 'alive and ended again before the worker has looked' => sub {
    my $server = SSE::Nginx->start(
        workers   => 2,
        locations => 'location = /both { sse_channel c d; }'
    );
    my ($here, $there) = $server->workers;
    # c has ended, but stays in the worker's table because the stream also has d.
    my $both = $server->subscribe_on($there, '/both')->ready;
    $server->publish('/pub?channel=d', 'alive');
    my $first = $server->publish('/pub?channel=c', 'first life')->json->{id};
    finish_channel($server, 'c');
    my $connection = $server->connect_to($there);
    is $server->get('/sub?channel=c', cursor => $first, on => $server->connect_to($there))->status, 204, 'ended';
    my $publisher = $server->connect_to($here);
    freeze($there);
    $server->publish('/pub?channel=c', 'second life', on => $publisher);
    finish_channel($server, 'c', on => $publisher);
    my $late = $server->subscribe('/sub?channel=c', cursor => $first, on => $connection);
    thaw($there);
    is $late->wait_closed, 'clean', 'the stream ends';
    is_deeply [$late->data(9, 0)], ['second life'], 'after what was left';
    is_deeply [$server->stop], [], 'no trouble';
};

for my $way (sort keys %end) {
    subtest "a blocked subscriber, and $way that is overwritten" => sub {
        my $server = SSE::Nginx->start(zone => '512k', listen_flags => 'sndbuf=16k', subscribe => 'sse_heartbeat 1s;');
        my $blocked = $server->subscribe('/sub?channel=c', rcvbuf => 8192)->ready->stall;
        $server->publish('/pub?channel=c', 'x' x 20_000) for 1 .. 10;
        $end{$way}->($server, 'c');
        $server->publish('/pub?channel=other', 'x' x 20_000) for 1 .. 60;
        $blocked->resume;
        is $blocked->wait_closed, 'clean', 'it ends';
        $blocked->close;
        is_deeply [$server->stop], [], 'no trouble';
    };

    subtest "$way, overwritten while the worker stands" => sub {
        my $server = SSE::Nginx->start(workers => 2, zone => '512k', listen_flags => 'sndbuf=16k', subscribe => 'sse_heartbeat 1s;');
        my ($here, $there) = $server->workers;
        my $publisher = $server->connect_to($here);
        my $blocked = $server->subscribe_on($there, '/sub?channel=c', rcvbuf => 8192)->ready->stall;
        $server->publish('/pub?channel=c', 'x' x 20_000, on => $publisher) for 1 .. 10;
        $end{$way}->($server, 'c', on => $publisher);
        is $server->get('/sub?channel=c', on => $server->connect_to($there))->status, 204, 'the worker knows of the end';
        my $tick = $server->subscribe_on($there, '/sub?channel=tick')->ready;
        freeze($there);
        $server->publish('/pub?channel=other', 'x' x 20_000, on => $publisher) for 1 .. 60;
        $server->publish('/pub?channel=tick', 'now', on => $publisher);
        thaw($there);
        ok $tick->next_event, 'the worker has looked at the log';
        $blocked->resume;
        is $blocked->wait_closed, 'clean', 'it ends';
        $blocked->close;
        is_deeply [$server->stop], [], 'no trouble';
    };
}

subtest 'a channel that has ended without an event' => sub {
    my $server = SSE::Nginx->start;
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    is $server->get('/pub?channel=c')->json->{last_id}, undef, 'no event, no id';
    finish_channel($server, 'c');
    is $server->get('/pub?channel=c')->json->{last_id}, undef, 'nor when it has ended';
    is_deeply [$server->stop], [], 'no trouble';
};
done_testing;
