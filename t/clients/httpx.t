# docs/clients.md with the real httpx and httpx-sse: a heartbeat within the read time-out keeps an idle stream, and without one it
# breaks; the reader of the document receives every event once and in order, over a reload and to the end of the channel.
# needs: module python
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use SSE::Document;
use SSE::Nginx;

$ENV{PYTHONPATH} = abs_path('build/python') // '';
plan skip_all => 'no httpx; `./build.sh test` installs it' if !-d 'build/python/httpx' && !$ENV{CI};

my $reader   = sample('docs/clients.md', 'httpx');
my $location = location('docs/clients.md', '/service');

my $server = SSE::Nginx->start(
    http   => 'sse_zone events 4m; sse_retry 250ms 0%;',
    drain  => '200ms',
    server => "$location
        location = /beats  { sse_channel \$arg_channel; sse_heartbeat 100ms; }
        location = /silent { sse_channel \$arg_channel; sse_heartbeat off; }
        location = /pub    { sse_publish \$arg_channel; allow 127.0.0.1; deny all; }",
);
my $base = 'http://127.0.0.1:' . $server->port;

# A process that runs a program, and what it prints.
sub python ($program) {
    state $number = 0;
    my $file = 'program' . ++$number . '.py';
    $server->write_file($file, $program);
    open my $output, '-|', 'python3', '-u', $server->prefix . "/$file" or die "python3: $!";
    return $output;
}

sub lines_of ($program) {
    my $output = python($program);
    chomp(my @lines = readline $output);
    close $output;
    return @lines;
}

subtest 'the numbers of the document' => sub {
    my ($timeout) = lines_of('import httpx; print(httpx.Client().timeout.read)');
    my ($said)    = slurp('docs/clients.md') =~ /^\| httpx and httpx-sse \(Python\) \| (\d+) s \|/m;
    my ($set)     = $location =~ /sse_heartbeat (\d+)s;/;
    is $timeout, "$said.0", 'the time-out of httpx';
    cmp_ok $set, '<', $timeout, 'the heartbeat comes before';
};

# A client with a time-out of one second; what it prints, up to an event "late".
sub idle ($path) {
    return python(<<"END");
import httpx, time
from httpx_sse import connect_sse
start = time.monotonic()
try:
    with httpx.Client(timeout=1) as client, connect_sse(client, 'GET', '$base$path') as source:
        for event in source.iter_sse():
            print(event.event, event.data if event.event == 'message' else '')
            if event.data == 'late': break
except httpx.TransportError as error:
    print(type(error).__name__)
END
}

subtest 'an idle stream' => sub {
    my $beats = idle('/beats?channel=idle');
    is scalar readline $beats, "ready \n", 'begins';
    for my $number (1, 2) {
        my $silent = idle('/silent?channel=idle');
        is_deeply [readline $silent], ["ready \n", "ReadTimeout\n"], 'without heartbeats it breaks after a second';
    }
    $server->publish('/pub?channel=idle', 'late');
    is scalar readline $beats, "message late\n", 'with heartbeats it is still there, and has seen nothing else';
};

subtest 'the reader of the document' => sub {
    my $output = python($reader =~ s{\Qhttp://127.0.0.1:8080}{$base}r =~ s{time\.sleep\(1\)}{time.sleep(0.1)}r);
    my $here = sub { $server->get('/pub?channel=news')->json->{subscribers} };
    wait_until(sub { $here->() == 1 }, 'the reader');
    $server->publish('/pub?channel=news', $_) for 1 .. 5;
    $server->wait_gone($server->reload);
    $server->publish('/pub?channel=news', $_) for 6 .. 10;
    wait_until(sub { $here->() == 1 }, 'it to come back');
    $server->publish('/pub?channel=news&event=note', $_) for 11 .. 15;
    $server->publish('/pub?channel=news&end', 16);
    chomp(my @lines = readline $output);
    close $output;
    is $?, 0, 'ends with the channel';
    is_deeply [map { (split / /)[2] } @lines], [1 .. 16], 'every event once and in order';
    is_deeply [map { (split / /)[1] } @lines[9, 10]], ['message', 'note'], 'with its type';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
