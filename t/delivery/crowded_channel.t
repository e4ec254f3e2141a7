# Many feeds share a channel, as when each user has a channel besides the common one. While they are being served, others do not
# have to wait: neither subscribers of another channel, nor one of these feeds that gets an event of its own channel.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

plan skip_all => 'needs nginx with --with-debug' unless SSE::Nginx::has('debug');

my $crowd  = 400;
my $server = SSE::Nginx->start(
    events => 'worker_connections 1024;',
    http   => 'sse_zone events 8m; sse_heartbeat off;',
    server => <<'END',
location = /sub { sse_channel $arg_channel separator=,; error_log sent.log debug; }
        location = /pub { sse_publish $arg_channel; }
END
);
my ($worker)  = $server->workers;
my @crowd     = map { $server->subscribe("/sub?channel=all,own$_")->ready } 1 .. $crowd;
my $other     = $server->subscribe('/sub?channel=other')->ready;
my @publisher = map { $server->connect } 1, 2;

# How many bytes the worker has sent to subscribers since the last call, send by send, in their order.
sub sent {
    state $seen = 0;
    my $log = substr $server->read_file('sent.log'), $seen;
    $seen += length $log;
    return $log =~ / send: fd:\d+ (\d+) of \d+$/mg;
}

for my $case (['other', $other], ["own$crowd", $crowd[-1]]) {
    my ($channel, $client) = @$case;
    sent();
    freeze($worker);
    my @answer = map { $server->request(POST => "/pub?channel=$_->[0]", on => $_->[1], body => $_->[2]) }
        ['all', $publisher[0], 'common'], [$channel, $publisher[1], 'x' x 1000];
    thaw($worker);
    is scalar(grep { $_->finish->status == 201 } @answer), 2, "$channel: published right after the common one";
    is scalar(grep { $_->next_event->{data} eq 'common' } @crowd), $crowd, 'all have got that';
    is length $client->next_event->{data}, 1000, 'and this is there';
    my @sent = sent();
    my ($place) = ((grep { $sent[$_] > 1000 } 0 .. $#sent), scalar @sent); # the line of what is sent last may not be there yet
    note "$place of $crowd were served before";
    cmp_ok $place, '<', $crowd / 2, 'without having come last';
}

$_->close for @crowd, $other, @publisher;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
