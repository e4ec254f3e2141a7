# A worker is stopped, but alive, while it holds the lock of a zone. The others go on with everything that needs no lock, answer 503 to
# what needs it, and report the holder. When the holder goes on or dies, they catch up.
# needs: module faults
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers      => 2,
    listen_flags => 'sndbuf=16k',
    subscribe    => 'sse_heartbeat 1s;',
    locations    => 'location = /stop { sse_publish $arg_channel; sse_test_crash_at stop1; }
        location = /pause { sse_publish $arg_channel; sse_test_crash_at pause1; }
        location = /hang { sse_publish $arg_channel; sse_test_crash_at hang1; }
        location = /file { root .; try_files /file =404; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }',
);
$server->write_file('file', 'static');

# The reports: the waiting worker, the holder, and for how many milliseconds.
my $pattern = qr/\[alert\] (\d+)#\d+: (?:\*\d+ )?sse: zone "events" is locked by (\d+), which has not let go for (\d+) ms/;
sub reports ($mark) { return map { [/$pattern/] } grep {/$pattern/} split /\n/, $server->log_since($mark) }

my $slowest = 0;   # answer of the worker that is not stopped, in seconds
my $long = 0.9;    # seconds: less than a worker waits for the lock

# A slow request is repeated: if it was slow because the machine is busy, it will hardly be so twice.
sub ask ($connection, $method, $path, $status, $what, %option) {
    my ($answer, $time);
    for my $attempt (1, 2) {
        my $start = time;
        $answer = $server->request($method, $path, %option, on => $connection)->finish;
        $time   = time - $start;
        last if $time < $long || $status == 201;
    }
    is $answer->status, $status, "$what: $status";
    $slowest = max $slowest, $time;
    return $answer;
}

# Stops a worker that holds the lock, checks what another one does meanwhile, and then calls $end.
sub stop_one ($how, $end) {
    subtest $how => sub {
        my $mark = $server->log_mark;
        my ($holder, $other) = $server->workers;
        my $first_id = $server->publish('/pub?channel=a', 'before')->json->{id};
        my ($stays, $leaves) = map { $server->subscribe_on($other, '/sub?channel=a')->ready } 1 .. 2;
        my $rare  = $server->subscribe_on($other, '/sub?channel=rare')->ready;
        my $slow  = $server->subscribe_on($other, '/sub?channel=big', rcvbuf => 8192)->ready->stall;
        $server->publish('/pub?channel=big', $_ x 900_000) for 1 .. 3;    # it receives only a part of this
        my $lines = $server->connect_to($other)->send(method => 'POST', path => '/lines?channel=b', stream => 1);
        $lines->feed("one\n");
        wait_until(sub { $server->get('/pub?channel=b')->json->{last_id} }, 'a line');
        my @connection = map { $server->connect_to($_) } $holder, $other, $other;

        my $first = $server->request(POST => '/stop?channel=a', body => 'first', on => $connection[0]);
        wait_stopped($holder);
        $server->allow(qr/is locked by $holder, which has not let go/);
        my $on = $connection[1];
        $slowest = 0;
        my $refused = ask($on, POST => '/pub?channel=a', 503, 'a publish', body => 'second');
        is $refused->header('Retry-After'), 1, 'it is told when to come again';
        like $refused->json->{error}, qr/locked/, 'and why';
        ask($on, GET => '/file', 200, 'a static file');
        ask($on, GET => '/pub?channel=a', 503, 'a look at a channel');
        ask($on, DELETE => '/pub?channel=a', 503, 'the end of a channel');
        ask($on, GET => '/sub?channel=a', 503, 'a subscriber');
        ask($on, GET => '/sub?channel=a', 503, 'one with a cursor', cursor => $first_id);
        ask($on, GET => '/sub?channel=new', 503, 'one of a new channel');
        ask($on, GET => '/status', 200, 'the status');
        $lines->feed("two\n");
        my $cut = $lines->finish;
        is $cut->status, 503, 'an open publisher: 503';
        is $cut->json->{events}, 1, 'with the number of events that are there';
        $leaves->close;
        $rare->close;
        $slow->resume;
        is substr($slow->next_event->{data}, 0, 1), 1, 'who reads on gets what it was being sent';
        my $wire = length $stays->poll->raw;
        wait_until(sub { length $stays->poll->raw > $wire }, 'a heartbeat');
        pass 'a stream goes on';
        for (1 .. 20) {
            ask($on, POST => '/pub?channel=a', 503, 'another publish', body => 'x');
            ask($connection[2], GET => '/file', 200, 'another file');
        }
        cmp_ok $slowest, '<', $long, 'nothing takes long';
        note sprintf 'the slowest answer took %.0f ms', 1000 * $slowest;
        wait_until(sub { reports($mark) >= 3 }, 'three reports');
        is_deeply [grep { $_->[0] != $other || $_->[1] != $holder } reports($mark)], [], 'it is who waits that reports';
        my @time = map { $_->[2] } reports($mark);
        cmp_ok $time[0], '<', 1000, 'at once';
        is_deeply [grep { $time[$_] - $time[$_ - 1] < 1000 } 1 .. $#time], [], 'and then no more than once a second';
        note "@time";

        my $data = $end->($holder, $first);
        is $stays->next_event->{data}, $_, 'the stream has it' for @$data;
        ask($on, POST => '/pub?channel=a', 201, 'a publish', body => 'after');
        is $stays->next_event->{data}, 'after', 'and its event arrives';
        my $count = sub ($channel) { $server->get("/pub?channel=$channel", on => $on)->json->{subscribers} };
        is_deeply [map { substr $_, 0, 1 } $slow->data(2)], [2, 3], 'who was behind has the rest';
        ok eval { wait_until(sub { $count->('a') == 1 && $count->('rare') == 0 }, 'true counts') }, 'those who left have left';
        is $server->subscribe_on($other, '/sub?channel=new')->ready->status, 200, 'a new subscriber';
        $_->close for $stays, $slow;
    };
}

stop_one 'it goes on', sub ($holder, $first) {
    thaw($holder);
    is $first->finish->status, 201, 'the holder has lost nothing';
    unlike $server->log, qr/was locked by/, 'nobody has taken the lock from the living';
    return ['first'];
};

stop_one 'it dies', sub ($holder, $first) {
    $server->allow(qr/exited on signal 9/, qr/was locked by $holder/);
    my $mark = $server->log_mark;
    $server->kill9($holder);
    return [];
};

# A holder that is slow but not stopped, as on a machine that is short of processors or waits for a disk.
sub slow_one ($path, $while) {
    subtest $path => sub {
        my ($holder, $other) = $server->workers;
        my ($on, $slow) = map { $server->connect_to($_) } $other, $holder;
        my $mark  = $server->log_mark;
        my $first = $server->request(POST => "$path?channel=$path", body => 'first', on => $slow);
        $server->wait_for_log(qr/sse: fault at/, $mark);
        $while->($on, $holder);
        is $first->finish->status, 201, 'the holder has lost nothing';
        is ask($on, POST => "/pub?channel=$path", 201, 'a publish', body => 'last')->json->{events}, 1, 'afterwards';
    };
}

slow_one '/pause', sub ($on, $holder) {
    ask($on, POST => '/pub?channel=a', 201, 'a publish waits', body => 'x');
};

slow_one '/hang', sub ($on, $holder) {
    $server->allow(qr/is locked by $holder, which has not let go/);
    ask($on, POST => '/pub?channel=a', 503, 'a publish, after a second', body => 'x');
    $slowest = 0;
    ask($on, POST => '/pub?channel=a', 503, 'another one', body => 'x');
    ask($on, GET => '/file', 200, 'a file');
    cmp_ok $slowest, '<', $long, 'neither waits again';
};

is_deeply [$server->stop], [], 'no other trouble';
done_testing;
