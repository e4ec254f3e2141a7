# From one machine to many as docs/operations.md says: the existing machine keeps its history and its cursors; new ones begin with
# the stream, and report a gap once. And back to one machine.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Redis;
use SSE::Util;

my $redis = SSE::Redis->start(aof => 1);
my $zone  = 'sse_zone events 1m;';
my $bus   = "sse_bus events redis://@{[$redis->address]};";

my $server = <<'END';
location = /sub    { sse_channel $arg_channel; }
        location = /pub    { sse_publish $arg_channel; }
        location = /health { sse_health; }
        location = /status { sse_status; }
END

sub publish ($server, $text) { return $server->publish('/pub?channel=a', $text)->json->{id} // die 'not published' }
sub wait_well ($server) { wait_until(sub { $server->get('/health')->status == 200 }, 'a machine that is well') }
sub replay ($server, $cursor, $count) {
    my $client = $server->subscribe('/sub?channel=a', cursor => $cursor);
    my @events = $client->events($count);
    $client->close;
    return map { $_->{type} eq 'gap' ? 'gap ' . ($_->{data} =~ /"reason":"(\w+)"/)[0] : "$_->{id} $_->{data}" } @events;
}

my $one = SSE::Nginx->start(workers => 2, http => $zone, server => $server, drain => '200ms');
my @id  = map { publish($one, "old $_") } 1 .. 3;
my $subscriber = $one->subscribe('/sub?channel=a')->ready;

subtest 'the first machine' => sub {
    $one->wait_gone($one->reload(http => "$zone $bus"));
    wait_well($one);
    is $subscriber->wait_closed, 'abort', 'its streams end as in any reload';
    is_deeply [replay($one, $id[0], 2)], ["$id[1] old 2", "$id[2] old 3"], 'its history is there, and cursors lead into it';
    push @id, map { publish($one, "new $_") } 1 .. 3;
    is_ascending(\@id, 'ids go on');
    is mark_of($id[-1]), mark_of($id[0]), 'in the same lineage';
    is_deeply [replay($one, $subscriber->last_event_id, 3)], [map {"$id[$_ + 2] new $_"} 1 .. 3], 'who comes back misses nothing';
    is_deeply [replay($one, $id[1], 4)], ["$id[2] old 3", map {"$id[$_ + 2] new $_"} 1 .. 3], 'wherever it was';
};

my $two = SSE::Nginx->start(workers => 2, http => "$zone $bus", server => $server, drain => '200ms');
wait_well($two);

subtest 'the second machine' => sub {
    is_deeply [replay($two, $id[3], 2)], [map {"$id[$_ + 2] new $_"} 2, 3], 'cursors of the stream lead into it';
    is_deeply [replay($two, $id[1], 4)], ['gap lost', map {"$id[$_ + 2] new $_"} 1 .. 3], 'older ones get a gap, and what there is';
    my @client = map { $_->subscribe('/sub?channel=a')->ready } $one, $two;
    push @id, publish($two, 'from there');
    is $_->next_event->{id}, $id[-1], 'what is published reaches both' for @client;
    $_->close for @client;
};

subtest 'back to one machine' => sub {
    is_deeply [$two->stop], [], 'the second one ends';
    $one->wait_gone($one->reload(http => $zone));
    push @id, publish($one, 'alone');
    is_ascending(\@id, 'ids go on');
    is_deeply [replay($one, $id[2], 5)], [(map {"$id[$_ + 2] new $_"} 1 .. 3), "$id[6] from there", "$id[7] alone"], 'and nobody misses anything';
};

is_deeply [$one->stop], [], 'no trouble';
done_testing;
