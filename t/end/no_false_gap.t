# The end of a channel is no event: a client that has all events before it has missed nothing, even if the end itself is not in the
# ring any more.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(zone => '256k');
my $last   = $server->publish('/pub?channel=one', 'the last')->json->{id};
$server->request(DELETE => '/pub?channel=one')->finish;
$server->publish('/pub?channel=noise', 'x' x 20_000) for 1 .. 40;
$server->publish('/pub?channel=one', 'of a new life');

my $event = $server->subscribe('/sub?channel=one', cursor => $last)->next_event;
is "$event->{type}: $event->{data}", 'message: of a new life', 'no gap is told';
# But a client that has missed events gets a gap before it gets a 204.
$server->publish('/pub?channel=two', "event $_") for 1 .. 2;
my ($first, $second) = map { $_->{id} } $server->subscribe('/sub?channel=two', cursor => '0-0')->events(2);
$server->publish('/pub?channel=noise', 'x' x 20_000) for 1 .. 6;
$server->request(DELETE => '/pub?channel=two')->finish;
$server->publish('/pub?channel=noise', 'x' x 20_000) for 1 .. 9;
my $late = $server->get('/sub?channel=two', cursor => $first);
is $late->status, 200, 'a gap is told';
is_deeply [map { $_->{type} } $late->events(9, 0)], ['gap'], 'and nothing else';
is $late->closed, 'clean', 'then comes the end';
is $late->last_event_id, $second, 'with the id of the last event that was lost';
is $server->get("/sub?channel=two", cursor => $_)->status, 204, 'and nothing more is to be had' for $second, $late->last_event_id;

is_deeply [$server->stop], [], 'no trouble';
done_testing;
