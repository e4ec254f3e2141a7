# A client that has its whole answer, or sees its stream end, has given its place back, and is let in again at once, by any worker.
# On a single processor, a worker of low priority is interrupted in the middle of its work as soon as its client can continue.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    workers => 4,
    http    => 'sse_zone events 4m;',
    server  => <<'END',
        sse_key $arg_key;
        sse_max_subscribers 1 per=key;
        location = /sub    { sse_channel $arg_channel; sse_poll on; }
        location = /absent { sse_channel $arg_channel; sse_absent 404; }
        location = /short  { sse_channel $arg_channel; sse_lifetime 20ms; }
        location = /pub    { sse_publish $arg_channel; }
END
);
my ($processor) = `taskset -cp $$` =~ /: (\d+)/ or die 'no processor';
system("taskset -cp $processor $_ >build/log/taskset.log") == 0 or die "process $_ is not on processor $processor" for $$, $server->workers;
system("renice -n 19 -p $_ >build/log/renice.log") == 0 or die "process $_ has no lower priority" for $server->workers;
$server->publish('/pub?channel=a', 'x');

my %case = (
    'HEAD'                 => [200, 300, sub { $server->request(HEAD => '/sub?channel=a&key=k')->status }],
    'a poll with events'   => [200, 300, sub { $server->get('/sub?channel=a&key=k&poll=1&last=0')->status }],
    'a poll without'       => [200, 300, sub { $server->get('/sub?channel=a&key=k&poll=1')->status }],
    'no such channel'      => [404, 300, sub { $server->get('/absent?channel=nobody&key=k')->status }],
    'the end of its time'  => [200, 50,  sub { stream('/short?channel=a&key=k', sub { }) }],
    'the end of a channel' => [200, 50,  sub { state $n; stream('/sub?key=k&channel=b' . ++$n, sub { $server->request(DELETE => "/pub?channel=b$n") }) }],
);

# Opens a stream and, if it is let in, reads it to its end. Returns the status.
sub stream ($path, $end) {
    my $client = $server->subscribe($path);
    if ($client->status == 200) {
        $client->ready;
        $end->();
        $client->wait_closed;
    }
    return $client->status;
}

for my $name (sort keys %case) {
    my ($status, $times, $ask) = @{ $case{$name} };
    my %got;
    $got{ $ask->() }++ for 1 .. $times;
    is_deeply \%got, { $status => $times }, $name;
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
