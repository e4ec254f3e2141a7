# An upgrade of the binary: for a while there are two masters, each with a zone of its own. A client that changes from one to the other
# gets a gap, whatever position its id would have in the other zone.
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    daemon    => 1,
    locations => 'location = /close { sse_channel $arg_channel; sse_gap close; }',
);

# Publishes in a later millisecond than that of $id; returns the new id.
sub publish_after ($id, $connection, $data) {
    my ($milliseconds) = split /-/, $id;
    wait_until(sub { time * 1000 >= $milliseconds + 1 }, 'the next millisecond');
    return $server->publish('/pub?channel=a', $data, on => $connection)->json->{id};
}

# Tests that the next two events are a gap for that id, and an event with this data.
sub is_told ($subscriber, $id, $data, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $gap = $subscriber->next_event;
    is $gap->{type}, 'gap', "$what is a gap" or return;
    is_deeply decode_json($gap->{data}), { reason => 'unknown', requested => $id, start => $gap->{id} }, 'for that reason';
    is $subscriber->next_event->{data}, $data, 'and all that is there follows';
    return $gap->{id};
}

my ($old_worker) = $server->workers;
my $to_old = $server->connect_to($old_worker);
my $early  = $server->subscribe('/sub?channel=a')->ready->last_event_id; # before there was any event
my $stays  = $server->subscribe('/sub?channel=a')->ready;
my $before = publish_after($early, $to_old, 'old 1');
is $stays->next_event->{data}, 'old 1', 'a stream of the old nginx';

my $old_master   = $server->upgrade;
my ($new_worker) = $server->workers;
my $to_new = $server->connect_to($new_worker);
my $ready  = $server->subscribe_on($new_worker, '/sub?channel=a')->ready->last_event_id;
my @id     = publish_after($ready, $to_new, 'new 1');
push @id, publish_after($id[-1], $to_old, 'old 2');
push @id, publish_after($id[-1], $to_new, 'new 2');
is_ascending([$before, $ready, @id], 'ids of both by the clock');
is $stays->next_event->{data}, 'old 2', 'the old stream goes on, and has what the old nginx is sent';

subtest 'the way back' => sub {
    for my $id ($ready, $id[0]) {
        is_told($server->subscribe_on($old_worker, '/sub?channel=a', cursor => $id), $id, 'old 1', 'an id of the new nginx');
    }
    my $same = $server->subscribe_on($old_worker, '/sub?channel=a', cursor => $before);
    is $same->next_event->{data}, 'old 2', 'its own is not';
};

kill QUIT => $old_master or die "kill $old_master: $!";
is $stays->wait_closed, 'abort', 'the old stream ends';
wait_until(sub { !SSE::Nginx::is_running($old_master) }, 'the end of the old master');

subtest 'the way on' => sub {
    is $stays->last_event_id, $id[1], 'the last that it was sent';
    for my $id ($early, $before, $id[1]) {
        my $start = is_told($server->subscribe('/sub?channel=a', cursor => $id), $id, 'new 1', 'an id of the old nginx');
        is_deeply [$server->subscribe('/sub?channel=a', cursor => $start)->data(2)], ['new 1', 'new 2'],
            'the position that was told is no gap any more';
    }
    is_deeply [$server->subscribe('/sub?channel=a', cursor => $ready)->data(2)], ['new 1', 'new 2'], 'nor is an id of the new one';
    is $server->get('/close?channel=a', cursor => $id[1])->status, 410, 'with sse_gap close it is a 410';
    my ($milliseconds) = split /-/, $id[1];
    is $server->subscribe('/sub?channel=a', cursor => "$milliseconds-0")->next_event->{data}, 'new 2',
        'a moment is one in any life';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
