package Bus::One;

# One nginx on a bus, without a network of its own, and a publisher that does not give up.

use v5.36;
use Exporter 'import';
use SSE::Nginx;
use SSE::Process;
our @EXPORT = qw(nginx_for is_well wait_well publish freeze_reader);

# Options: bus (options of sse_bus), and those of SSE::Nginx; http is more text there.
sub nginx_for ($addresses, %option) {
    my ($bus, $http) = map { $_ // '' } delete @option{qw(bus http)};
    my %usual = SSE::Nginx::usual(locations => 'location = /health { sse_health; }', subscribe => 'sse_heartbeat 1s;');
    my $server = SSE::Nginx->start(
        workers => 2,
        %usual,
        http => "$usual{http} $http sse_bus events redis://$addresses $bus;",
        %option
    );
    wait_well($server);
    return $server;
}

sub is_well   ($server) { return $server->get('/health')->status == 200 }
sub wait_well ($server) { wait_until(sub { is_well($server) }, 'the machine to be well') }

# Publishes until it is acknowledged. With a key it repeats the request after any answer, and without one only if it is known that
# nothing has been published. Options: key (1: with one).
sub publish ($server, $data, %option) {
    wait_until(
        sub {
            my @key    = $option{key} ? (headers => ['Idempotency-Key' => $data]) : ();
            my $answer = $server->publish('/pub?channel=c', $data, @key);
            die "nobody knows whether \"$data\" was published\n"
                if !$option{key} && ($answer->json->{published} // '') eq 'unknown';
            return $answer->status =~ /\A20[012]\z/;
        },
        "\"$data\" to be published"
    );
}

# Stops the worker that reads from Redis while Redis holds its XREAD back, and so will answer it with the next entry alone.
# Otherwise it may be stopped with the answer that brings the probe of each second.
sub freeze_reader ($worker, $redis) {
    wait_until(
        sub {
            freeze($worker);
            return 1 if $redis->command('CLIENT', 'LIST') =~ /flags=b\b.* cmd=xread\b/;
            thaw($worker);
            return 0;
        },
        'the worker to wait for an entry'
    );
}

1;
