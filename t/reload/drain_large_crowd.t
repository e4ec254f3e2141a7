# A leaving worker ends as many streams as are due, but not so many in one turn of the event loop that its other connections have to
# wait for all of them. This applies to sse_drain 0, and to streams that are still blocked when sse_drain is over.
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use Test::More;
use SSE::Nginx;

plan skip_all => 'needs nginx with --with-debug' unless SSE::Nginx::has('debug');

my $crowd = 300;

# How many connections a worker has closed in each turn of its event loop.
sub closed_by_turn ($server, $worker) {
    my @turn = split /\Q$worker\E#\d+: worker cycle/, $server->read_file('traced.log');
    return map { scalar(() = /\Q$worker\E#\d+: \*\d+ close http connection: /g) } @turn;
}

for my $case (['sse_drain 0', '0', 0], ['streams that are blocked', '1s', 1]) {
    my ($what, $drain, $isBlocked) = @$case;
    subtest $what => sub {
        my $server = SSE::Nginx->start(
            listen_flags => 'sndbuf=16k',
            main         => 'error_log traced.log debug;',
            events       => 'worker_connections 1024;',
            zone         => '16m',
            drain        => $drain,
        );
        my ($worker) = $server->workers;
        my @client = map { $server->subscribe('/sub?channel=c', rcvbuf => 4096)->ready } 1 .. $crowd;
        if ($isBlocked) {
            $server->publish('/pub?channel=c', 'x' x 500_000)->status == 201 or die;
            wait_until(sub { $server->get('/status')->json->{delivered} == $crowd }, 'all to be blocked');
        }
        $server->signal('QUIT');
        wait_until(sub { !$server->alive }, 'nginx to end');
        is scalar(grep { $_->wait_closed eq 'abort' } @client), $crowd, 'all streams are cut off';
        my @closed = closed_by_turn($server, $worker);
        note join ' ', 'closed in turns:', grep {$_} @closed;
        cmp_ok max(@closed), '<', $crowd / 2, 'in many turns of the event loop';
        is_deeply [$server->problems], [], 'no trouble';
    };
}

done_testing;
