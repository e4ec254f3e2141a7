# Two feeds share a channel, {a} and {a,c}; the second one is large and lags. A client that joins the first one at that time,
# with a cursor, misses nothing.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

seed();
my $server = SSE::Nginx->start(
    events => 'worker_connections 4096;',
    http   => 'sse_zone events 16m; sse_send_timeout 10m;',
    server => <<'END',
location = /sub { sse_channel $arg_channel separator=,; }
        location = /crowd { sse_channel $arg_channel separator=,; limit_rate 1; limit_rate_after 1k; }
        location = /pub { sse_publish $arg_channel; sse_framing lines; }
END
);
my ($worker) = $server->workers;
my $first   = $server->subscribe('/sub?channel=a')->ready; # its feed is the first to take an event of the channel
my @crowd   = map { $server->subscribe('/crowd?channel=a,c')->ready } 1 .. 700; # more than are served in one turn
my $witness = $server->subscribe('/sub?channel=a,c')->ready;
my $cursor  = $first->last_event_id;
my @connection = map { $server->connect } 1 .. 70;
my $number  = 0;
my $joined  = 0;
my @hole;

# Notes if a subscriber of {a} has not received the numbers from $from up to the newest one.
sub check ($name, $client, $from) {
    my @got = map { ($_->{data} =~ /\A(\d+) /)[0] // $_->{type} } $client->events($number - $from + 1, 5);
    push @hole, "$name has got @got instead of $from .. $number" if "@got" ne join ' ', $from .. $number;
}

# The channels and bodies of one burst, in order: more than a batch for {a,c}, in which now and then one of {a} is the
# first for which there is no more room, but so little for {a} that a newcomer can be given all of it at once.
sub burst {
    my @burst = map { (['a'], ['c', 'c ' . 'x' x (800 + int rand 800)]) } 1 .. 34;
    for my $event (@burst) {
        $event->[1] //= ++$number . ' ' . 'x' x (1500 + int rand 600);
        $event->[1] = "$event->[1]\n" x 6 if $event->[0] eq 'c';
    }
    return (@burst, ['a', ++$number . ' ']);
}

my $start = time;
my $round = 0;
for (; $round < 100 && ($round < 5 || time - $start < 6) && !@hole; $round++) { # a busy machine takes longer
    my $from = $number + 1;
    freeze($worker);
    my @answer;
    my @free = @connection;
    for my $event (burst()) {
        my ($channel, $body) = @$event;
        push @answer, $server->request(POST => "/pub?channel=$channel", on => shift @free, body => $body);
    }
    # What is sent on a new connection is read one turn later than what is sent on an old one.
    my @late = map { $server->subscribe('/sub?channel=a', cursor => $cursor) } 1 .. 5;
    thaw($worker);
    push @late, map { $server->subscribe('/sub?channel=a', cursor => $cursor) } 1 .. int rand 5;
    $_->finish for @answer;
    $joined += @late;
    check("round $round: newcomer $_", $late[$_], $from) for 0 .. $#late;
    check("round $round: the first", $first, $from);
    $cursor = $first->last_event_id;
    $witness->poll;
    $_->close for @late;
}
note sprintf '%d rounds in %.1f s', $round, time - $start;
is scalar @hole, 0, "no hole for any of $joined newcomers" or diag map {"$_\n"} grep {defined} @hole[0 .. 4];

# The last event for {a,c}.
$server->publish('/pub?channel=c', 'end');
my @both;
while (my $event = $witness->next_event) {
    last if $event->{data} eq 'end';
    push @both, $1 if $event->{data} =~ /\A(\d+) /;
}
is_deeply \@both, [1 .. $number], 'who hears both channels has everything, too';

# nginx would wait for the timeouts of connections that were never used, or that are sent a byte a second.
$_->close for @crowd, @connection;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
