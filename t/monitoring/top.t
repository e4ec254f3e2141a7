# ?top of the status: the channels with the most subscribers and the most events, only on request, only where sse_list permits it, and
# never for Prometheus.
use v5.36;
use lib 't/lib';
use Test::More;
use JSON::PP;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 1m channels=4096; sse_zone other 1m;',
    server  => <<'END',
        location = /sub     { sse_channel $arg_channel zone=events; }
        location = /pub     { sse_publish $arg_channel zone=events; }
        location = /lines   { sse_publish $arg_channel zone=events; sse_framing lines; }
        location = /status  { sse_status; sse_list on; }
        location = /plain   { sse_status; }
        location = /some    { sse_status events; sse_list a-; }
        location = /other   { sse_status other; sse_list on; }
        location = /metrics { sse_status format=prometheus; }
END
);
sub top ($path, $zone = 'events') { return $server->get($path)->json->{zones}{$zone}{top} }
sub named ($list, $key) { return join ' ', map {"$_->{channel}:$_->{$key}"} @$list }

is_deeply top('/status?top=3'), { subscribers => [], events => [], unnamed => 0 }, 'nothing is there';

my %events = ('a-1' => 3, 'a-2' => 9, 'b-1' => 5, 'b-2' => 1, 'c"\\' => 7);
$server->publish("/lines?channel=$_", "x\n" x $events{$_}) for sort keys %events;
my @subscriber = map { my ($channel, $count) = @$_; map { $server->subscribe("/sub?channel=$channel")->ready } 1 .. $count }
    ['a-1', 2], ['b-2', 4], ['a-2', 1], ['quiet', 3];

my $top = top('/status?top=3');
is named($top->{subscribers}, 'subscribers'), 'b-2:4 a-1:2 a-2:1', 'by subscribers';
is named($top->{events}, 'events'), 'a-2:9 c"\\:7 b-1:5', 'by events';
is $top->{subscribers}[0]{events}, 1, 'with both numbers';
is $top->{unnamed}, 1, 'a channel without events has no name';
is named(top('/status?top=100')->{events}, 'events'), 'a-2:9 c"\\:7 b-1:5 a-1:3 b-2:1', 'all that there are';
is named(top('/status?top=1')->{subscribers}, 'subscribers'), 'b-2:4', 'one';
is named(top('/some?top=5')->{events}, 'events'), 'a-2:9 a-1:3', 'those that the location may name';
is_deeply top('/other?top=5', 'other'), { subscribers => [], events => [], unnamed => 0 }, 'another zone has others';
is_deeply [sort keys %{ $server->get('/some?top=1')->json->{zones} }], ['events'], 'the zones are those of the location';

ok !exists $server->get('/status')->json->{zones}{events}{top}, 'not without being asked';
is $server->get('/plain?top=5')->status, 403, 'not without sse_list';
unlike $server->get('/metrics?top=5')->body, qr/a-1|b-2/, 'never for Prometheus';
is $server->get("/status?top=$_")->status, 400, "top=$_" for qw(0 -1 101 x), '';

# The number of events that are still in the ring, not of all that have been published.
$server->publish('/lines?channel=flood', join '', ('x' x 200 . "\n") x 2500) for 1 .. 3;
my $flood = top('/status?top=1')->{events}[0];
my $zone  = $server->get('/status')->json->{zones}{events};
is $flood->{channel}, 'flood', 'one that fills the ring';
is $flood->{events}, $zone->{published} - $zone->{evicted}, 'has as many events as the ring';

# Channels with equal numbers are sorted by name, so every worker returns the same list.
$server->publish("/pub?channel=equal-$_", 'x') for 1 .. 300;
my @lists = map { $server->get('/status?top=100', on => $server->connect_to($_))->body } $server->workers;
is named(decode_json($lists[0])->{zones}{events}{top}{events}, 'events'), named(decode_json($lists[1])->{zones}{events}{top}{events}, 'events'),
    'two workers say the same';

is_deeply [$server->stop], [], 'no trouble';

my $empty = SSE::Nginx->start(http => '', server => 'location = /status { sse_status; sse_list on; }');
is $empty->get('/status?top=5')->status, 200, 'without a zone';
is_deeply [$empty->stop], [], 'no trouble';
done_testing;
