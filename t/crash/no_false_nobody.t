# After the death of a worker all others count their subscribers again. Until they have, no answer says that a channel has none.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

# One socket for both workers, so that a stopped worker gets no connections.
my $server = SSE::Nginx->start(workers => 2, reuseport => 0);
$server->allow(qr/exited on signal 9/);
my ($stays, $dies) = $server->workers;
my @channel = map {"c$_"} 1 .. 20;
my $subscribe = sub ($worker, $channel) {
    return $server->subscribe("/sub?channel=$channel", on => $server->connect_to($worker))->ready;
};
my @subscriber = map { $subscribe->($stays, $_) } @channel, @channel;
my @lost       = map { $subscribe->($dies, $_) } @channel, 'only';

sub count ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }
sub counts { return [map { count($_) } @channel] }

is_deeply counts(), [(3) x 20], 'all are counted';

freeze($stays); # it cannot report its subscribers
$server->kill9($dies);
wait_until(sub { count('only') == 0 }, 'the dead not to be counted any more');
is scalar(grep { $_ == 0 } @{ counts() }), 0, 'but those whose worker says nothing are not nobody';
is scalar(grep { $server->publish("/pub?channel=$_", 'x')->json->{subscribers} == 0 } @channel), 0, 'nor for who publishes';
is $server->get("/pub?channel=$channel[2]&wait=1&subscribers=0")->json->{subscribers}, 1, 'nor for who waits for that';
is $server->request(DELETE => "/pub?channel=$channel[0]")->finish->status, 200, 'a channel that has them can be ended';
my $here = $server->subscribe("/sub?channel=$channel[1]")->ready;
$here->close;
wait_until(sub { $server->get('/status')->json->{subscribers} == @subscriber }, 'the one here to be gone');
is scalar(grep { $_ == 0 } @{ counts() }), 0, 'who comes and goes takes nobody along';

thaw($stays);
wait_until(sub { !grep { $_ != 2 } @{ counts() }[1 .. 19] }, 'true counts');
$_->close for @subscriber;
wait_until(sub { !grep { $_ != 0 } @{ counts() } }, 'nobody');

is_deeply [$server->stop], [], 'no trouble';
done_testing;
