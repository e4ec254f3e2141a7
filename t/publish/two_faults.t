# A body has a fault, and Redis does not accept what comes before it: the answer reports the error of Redis, and no position in the body.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Redis;

my $redis  = SSE::Redis->start;
my $server = SSE::Nginx->start(
    http   => "sse_zone events 4m; sse_bus events redis://@{[ $redis->address ]} stream=s;",
    server => 'location = /json { sse_publish c; sse_framing json; } location = /health { sse_health; }',
);
wait_until(sub { $server->get('/health')->status == 200 }, 'the bus');
my $body = '[{"data":1},{"dat":2}]';

is_deeply delete_error($server->publish('/json', $body)), [400, { field => 'dat', envelope => 1, at => 13, events => 1 }], 'the fault of the body';
$redis->command(qw(CONFIG SET maxmemory 1));
my $refused = $server->publish('/json', $body);
like $refused->json->{error}, qr/Redis refuses/, 'what Redis says comes first';
is_deeply delete_error($refused), [503, { events => 0 }], 'alone';

sub delete_error ($answer) {
    my %json = %{ $answer->json };
    delete $json{error};
    return [$answer->status, \%json];
}

$server->allow(qr/OOM/);
is_deeply [$server->stop], [], 'no trouble';
done_testing;
