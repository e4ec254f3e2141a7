# A large body that nginx has put into a file, as it does for a mirror, is published in slices, between which other clients are served.
# needs: module quiet
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my $lines = 1_000_000;

my $server = SSE::Nginx->start(zone => '16m', locations => <<'END');
location = /mirrored {
            client_max_body_size 0;
            mirror /ingest;
        }
        location = /ingest {
            internal;
            sse_publish $arg_channel;
            sse_framing lines;
            sse_max_events 0;
            client_max_body_size 0;
        }
        location = /static { return 200 "static"; }
END
$server->write_file('lines.txt', "0123456789abcdef\n" x $lines);
my $file = $server->prefix . '/lines.txt';
my $url = 'http://127.0.0.1:' . $server->port . '/mirrored?channel=a';

my $published = sub { $server->get('/status')->json->{zones}{events}{published} };
defined(my $publisher = fork) or die "fork: $!";
if (!$publisher) {
    exec 'curl', '-s', '-o', '/dev/null', '-T', $file, $url or die "curl: $!";
}
wait_until(sub { $published->() > 0 }, 'the first event');
my $control = $server->connect('h1');
my @seconds;
while ($published->() < $lines) {
    my $start = time;
    $server->get('/static', on => $control);
    push @seconds, time - $start;
}
waitpid $publisher, 0;

cmp_ok scalar @seconds, '>', 20, 'requests are answered while it is published';
my @sorted = sort { $a <=> $b } @seconds;
note sprintf '%d requests, the middle one takes %.1f ms, the slowest %.1f ms', scalar @seconds, 1000 * $sorted[@sorted / 2], 1000 * $sorted[-1];
cmp_ok $sorted[@sorted / 2], '<', 0.2, 'and soon';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
