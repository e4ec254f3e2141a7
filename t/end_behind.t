# A worker that has not looked at the newest records yet still tells the truth about the end of a channel.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

sub finish_channel ($server, $channel) { $server->request(DELETE => "/pub?channel=$channel")->finish }

subtest 'what is left comes before the end' => sub {
    my $server = SSE::Nginx->start(subscribe => 'sse_start earliest;');
    # With something to listen to the worker has a place in the log, and nobody wakes it for the rest.
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
    # One that is blocked when the channel ends keeps it in the worker's table.
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
done_testing;
