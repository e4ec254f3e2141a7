# Bodies that arrive as fast as the network allows do not outrun subscribers that read as fast: the worker takes turns. A feed
# that has no room for new events reads on by itself, in the order of the log, even if it has several channels.
# needs: module quiet
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $lines = 400_000;

my $server = SSE::Nginx->start(zone => '64m', locations => <<'END');
location = /ingest {
            sse_publish $arg_channel;
            sse_framing lines;
            sse_max_events 0;
            client_max_body_size 0;
        }
        location = /both { sse_channel $arg_channel $arg_other; }
END

$server->write_file('lines.txt', join '', map { sprintf "%0100d\n", $_ } 1 .. $lines);
my $file = $server->prefix . '/lines.txt';
my $base = 'http://127.0.0.1:' . $server->port;

sub spawn (@command) {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open STDOUT, '>', '/dev/null';
    exec @command or die "$command[0]: $!";
}

# Uploads the lines to each channel at the same time; returns everything that a program received that did nothing but read.
sub received ($path, @channel) {
    my $reader = spawn('curl', '-sN', '-o', $server->prefix . '/received.txt', $base . $path);
    wait_until(sub { $server->get("/pub?channel=$channel[-1]")->json->{subscribers} == 1 }, 'the subscriber');
    my @publisher = map { spawn('curl', '-s', '-T', $file, '-H', 'Expect:', "$base/ingest?channel=$_") } @channel;
    waitpid $_, 0 for @publisher;
    $server->publish("/pub?channel=$channel[-1]", 'the end');
    wait_until(sub { ($server->read_file('received.txt') // '') =~ /the end\n\n\z/ }, 'the last event', 60);
    kill TERM => $reader;
    waitpid $reader, 0;
    return $server->read_file('received.txt');
}

subtest 'one channel' => sub {
    my $text  = received('/sub?channel=a', 'a');
    my $gaps  = () = $text =~ /^event: gap$/mg;
    my @order = $text =~ /^data: 0*(\d+)$/mg;
    is $gaps, 0, 'no gap';
    is scalar @order, $lines, 'each line arrives';
    ok !(grep { $order[$_] != $_ + 1 } 0 .. $#order), 'in their order';
};

subtest 'two channels of one subscriber' => sub {
    my $text = received('/both?channel=b&other=c', 'b', 'c');
    my $gaps = () = $text =~ /^event: gap$/mg;
    my @id   = $text =~ /^id: (\d+-\d+)\ndata: 0/mg;
    my %times;
    $times{$_}++ for $text =~ /^data: 0*(\d+)$/mg;
    is $gaps, 0, 'no gap';
    is scalar(grep { ($times{$_} // 0) == 2 } 1 .. $lines), $lines, 'each line of both arrives';
    my @number = map { my ($time, $sequence) = split /-/; $time * 2**17 + $sequence / 2**16 } @id;
    ok !(grep { $number[$_] < $number[ $_ - 1 ] } 1 .. $#number), 'in the order of the log';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
