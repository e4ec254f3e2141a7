# More feeds share a channel than one slice can notify of a record, as when each user has a channel besides the common one. Every
# subscriber gets everything, once and in order, while others come, leave and catch up.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(
    events => 'worker_connections 4096;',
    http   => 'sse_zone events 32m;',
    server => <<'END',
location = /sub { sse_channel $arg_channel separator=,; }
        location = /pub { sse_publish $arg_channel; }
END
);
my ($worker)   = $server->workers;
my @stream     = map { $server->subscribe("/sub?channel=all,own$_")->ready } 1 .. 1200; # a slice tells 1024
my @connection = map { $server->connect } 1 .. 12;
my $number     = 0;
my @expected;

for my $round (1 .. 4) {
    my $cursor = $stream[0]->last_event_id;
    my @now;
    freeze($worker);
    my @publisher = @connection;
    my @answer = map {
        my ($channel, $size) = @$_;
        push @now, ++$number if $channel eq 'all';
        $server->request(POST => "/pub?channel=$channel", on => shift @publisher, body => ($channel eq 'all' ? $number : 'own') . ' ' . 'x' x $size);
    } ['all', 10], ['own7', 10], ['all', 2000], ['own1100', 10], (['all', 9000]) x 7, ['all', 10]; # more than a batch
    $_->close for splice @stream, 40, 3;
    my @late = map { $server->subscribe("/sub?channel=all,own$_", cursor => $cursor) } 7, 300, 1100, 1199;
    thaw($worker);
    push @late, map { $server->subscribe("/sub?channel=all,own$_", cursor => $cursor) } 20, 1150, 5000 + $round;
    is scalar(grep { $_->finish->status == 201 } @answer), 12, "round $round: published";
    push @expected, @now;
    is_deeply [common(@late)], [("@now") x @late], 'who comes with a cursor gets all after it';
    $_->close for @late;
    is_deeply [common(@stream)], [("@now") x @stream], 'who was there gets all';
}

is $server->request(DELETE => "/pub?channel=own$_")->finish->status, 200, "channel own$_ ends" for 7, 1100, 1200;
is $server->publish('/pub?channel=all&end', 'last ')->status, 201, 'and the common one, with an event';
is_deeply [(common_until($_, 'last'))[-1], $_->wait_closed], ['last', 'clean'], 'a stream of which all has ended ends after it'
    for @stream[6, -101, -1];
is_deeply [(common_until($stream[100], 'last'))[-1], $stream[100]->closed], ['last', ''], 'another one goes on';

$_->close for @stream, @connection;
is_deeply [$server->stop], [], 'no trouble';
done_testing;

# What each of these clients gets of the common channel, up to the newest event.
sub common (@client) {
    return map { join ' ', common_until($_, $number) } @client;
}

sub common_until ($client, $last) {
    my @got;
    while (my $event = $client->next_event) {
        my ($word) = split / /, $event->{data};
        push @got, $word unless $word eq 'own';
        last if $word eq $last;
    }
    return @got;
}
