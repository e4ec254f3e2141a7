# Where nginx polls its sockets, an event that is not removed comes again in every turn of the loop: a subscriber that was
# blocked once must not keep its worker busy for ever.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

plan skip_all => 'needs nginx with --with-poll_module and --with-debug'
    unless SSE::Nginx::has('poll_module') && SSE::Nginx::has('debug');

my $server = SSE::Nginx->start(
    listen       => [qw(h1 tls h2c)],
    listen_flags => 'sndbuf=16k',
    events       => 'worker_connections 256; use poll;',
    subscribe    => 'error_log traced.log debug;',
    locations    => 'location = /chain { sse_channel $arg_channel; sse_direct off; error_log traced.log debug; }',
);
my $publisher = $server->connect;

sub handled { return scalar(() = $server->read_file('traced.log') =~ /http run request: /g) }

for my $path ('/sub', '/chain') {
    for my $via (qw(h1 tls h2c)) {
        my $channel    = "$path$via";
        my $publish    = sub ($data) { $server->publish("/pub?channel=$channel", $data, on => $publisher) };
        my $subscriber = $server->subscribe("$path?channel=$channel", via => $via, rcvbuf => 8192)->ready;
        $subscriber->stall;
        $publish->('x' x 50_000) for 1 .. 20;
        my $before = handled();
        is scalar(() = $subscriber->resume->events(20)), 20, "$path over $via: goes on after it was blocked";
        cmp_ok handled(), '>', $before, 'by its write handler' if $via ne 'h2c';

        # Each answer takes a turn of the loop.
        $before = handled();
        $publish->('small') for 1 .. 20;
        is_deeply [$subscriber->data(20)], [('small') x 20], 'and has what follows';
        cmp_ok handled() - $before, '<', 10, 'without a call of its write handler in each turn';
        $subscriber->close;
    }
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
