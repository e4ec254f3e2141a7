# A reload changes the size of a large zone. While the master copies the events, the old workers publish and serve files.
# needs: module quiet
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;

my $events = $ENV{TEST_NGINX_EVENTS} // 1_000_000;
my $size   = int($events * 180 / 2**20) + 16; # megabytes

my $server = SSE::Nginx->start(
    zone      => "${size}m",
    drain     => '5s',
    locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /file { root .; try_files /file =404; }',
);
$server->write_file('file', 'static');

# Starts a process that repeats this request until the worker leaves. For each answer it writes the time of the request, the
# milliseconds that the answer took, and the status.
sub start_prober ($name, $worker, @request) {
    my $connection = $server->connect_to($worker);
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open my $file, '>', $server->prefix . "/$name" or POSIX::_exit(1);
    $file->autoflush(1);
    eval {
        while (1) {
            my $start  = time;
            my $answer = $server->request(@request, on => $connection)->finish;
            last if $answer->{ended} ne 'clean';
            printf $file "%.6f %.3f %d\n", $start, 1000 * (time - $start), $answer->status;
            sleep 0.001;
        }
    };
    close $file;
    POSIX::_exit(0);
}

my $answer = $server->publish('/lines?channel=many', join '', map {"$_\n"} 1 .. $events);
is $answer->json->{events}, $events, "$events events";
my $last = $answer->json->{id};

my ($worker) = $server->workers;
my %prober = (
    publish => start_prober('publish', $worker, POST => '/pub?channel=other', body => 'x'),
    file    => start_prober('file', $worker, GET => '/file'),
);
for my $name (sort keys %prober) {
    wait_until(sub { ($server->read_file($name) // '') =~ tr/\n// > 60 }, "probes to compare with: $name");
}
my $mark  = $server->log_mark;
my $start = time;
$server->reload(http => 'sse_zone events ' . ($size + 16) . 'm;');
my $reload = 1000 * (time - $start);
note sprintf 'the new workers were there after %.0f ms', $reload;
like $server->log_since($mark), qr/has taken over the events of its old size/, 'the events are taken over';
$server->wait_gone($worker);
waitpid $_, 0 for values %prober;

# Copying takes most of the time of a reload, also on a busy machine.
my $limit = max 40, $reload / 3;

for my $name (sort keys %prober) {
    my @probe  = map { [split] } split /\n/, $server->read_file($name);
    my @before = grep { $_->[0] < $start } @probe;
    my @during = grep { $_->[0] >= $start } @probe;
    cmp_ok scalar @before, '>', 50, "$name: probes before the reload";
    cmp_ok scalar @during, '>', 10, 'and during it';
    my ($usual, $longest) = map { max map { $_->[1] } @$_ } \@before, \@during;
    note sprintf '%s: longest pause %.1f ms, before the reload %.1f ms', $name, $longest, $usual;
    cmp_ok $longest, '<', $limit, 'no long pause';
    is_deeply [grep { !/^(?:200|201|503)$/ } map { $_->[2] } @probe], [], 'nothing fails';
}

my $status = $server->get('/status')->json->{zones}{events};
my @taken  = grep {/ 201$/} split /\n/, $server->read_file('publish');
is $status->{published}, $events + @taken, 'each event that was acknowledged has been taken over';
is $status->{evicted}, 0, 'and all of them are there';
is $server->subscribe('/sub?channel=other', cursor => $last)->next_event->{data}, 'x', 'also what came meanwhile';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
