# A body that comes in as fast as the network can bring it does not outrun those who read as fast: the worker takes turns.
# needs: module quiet
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $lines = 500_000;

my $server = SSE::Nginx->start(zone => '32m', locations => <<'END');
location = /ingest {
            sse_publish $arg_channel;
            sse_framing lines;
            sse_max_events 0;
            client_max_body_size 0;
        }
END

my $body = $server->write_file('lines.txt', join '', map { sprintf "%0100d\n", $_ } 1 .. $lines);
my $base = 'http://127.0.0.1:' . $server->port;

# A program that does nothing but read.
my $received = $server->prefix . '/received.txt';
defined(my $reader = fork) or die "fork: $!";
if (!$reader) {
    exec 'curl', '-sN', '-o', $received, "$base/sub?channel=a" or die "curl: $!";
}
wait_until(sub { $server->get('/pub?channel=a')->json->{subscribers} == 1 }, 'the subscriber');

my $file = $server->prefix . '/lines.txt';
my $answer = qx{curl -s -T $file -H 'Expect:' "$base/ingest?channel=a"};
like $answer, qr/"events":$lines\b/, 'all of it is published';
$server->publish('/pub?channel=a', 'the end');
wait_until(sub { ($server->read_file('received.txt') // '') =~ /the end\n\n\z/ }, 'the last event', 30);
kill TERM => $reader;
waitpid $reader, 0;

my $text  = $server->read_file('received.txt');
my $gaps  = () = $text =~ /^event: gap$/mg;
my @order = $text =~ /^data: 0*(\d+)$/mg;
is $gaps, 0, 'no gap';
is scalar @order, $lines, 'each line arrives';
ok !(grep { $order[$_] != $_ + 1 } 0 .. $#order), 'in their order';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
