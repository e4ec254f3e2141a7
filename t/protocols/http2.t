# HTTP/2 with another client: many streams on one connection, and very small windows.
# needs: module nghttp
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use SSE::Nginx;

plan skip_all => 'no nghttp (nghttp2-client)' if system('command -v nghttp >/dev/null') != 0;

my $server = SSE::Nginx->start(
    listen  => [qw(h1 h2c h2)],
    events  => 'worker_connections 512;',
    zone    => '8m',
    servers => 'http2_max_concurrent_streams 256;',
);

# Runs nghttp until the server ends its streams. Returns its output.
sub nghttp ($name, $count, $publish, @option) {
    my ($scheme, $port) = $name =~ /tls/ ? ('https', $server->port('h2')) : ('http', $server->port('h2c'));
    my $output = $server->prefix . "/$name.out";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', $output;
        open STDERR, '>&', \*STDOUT;
        exec 'nghttp', '-y', @option, '-m', $count, "$scheme://127.0.0.1:$port/sub?channel=$name" or POSIX::_exit(127);
    }
    my $got = eval {
        wait_until(sub { $server->get("/pub?channel=$name")->json->{subscribers} == $count }, "$count streams");
        $publish->();
        # With a very small window, a client takes long on a busy machine. A worker that leaves would cut it off. The end of a
        # channel does not.
        $server->publish("/pub?channel=$name", '', method => 'DELETE');
        wait_until(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 'the client to end');
        undef $pid;
        1;
    };
    my $error = $@;
    if ($pid) {
        kill KILL => $pid;
        waitpid $pid, 0;
    }
    ok $got, 'comes to its end' or diag $error;
    return $server->read_file("$name.out");
}

for my $case ([plain => 200], [tls => 200], [frame => 10, '-w', 14, '-W', 16], [narrow => 1, '-w', 1], [small => 100, '-w', 8]) {
    my ($name, $count, @option) = @$case;
    subtest "$name: $count streams on one connection @option" => sub {
        my $publisher = $server->connect;
        my $output = nghttp($name, $count, sub {
            $server->publish("/pub?channel=$name", $_ x 30, on => $publisher) for 'A' .. 'T';
        }, @option);
        # The streams are interleaved, and cut where the windows end. So this counts the letters, which occur nowhere else.
        my %times;
        $times{$_}++ for $output =~ /[A-Z]/g;
        is_deeply \%times, { map { $_ => 30 * $count } 'A' .. 'T' }, 'each event arrives once on each stream'
            or diag substr $output, 0, 2000;
    };
}

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
