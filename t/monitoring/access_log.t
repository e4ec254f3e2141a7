# The variables of the module in access_log, and why each stream has ended.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen => [qw(h1 tls h2c)],
    listen_flags => 'sndbuf=16k',
    zone   => '1m',
    http   => 'sse_zone events 1m; log_format sse "$request_method $uri $status"
        " [$sse_channel] $sse_events $sse_last_event_id $sse_close_reason";'
        . ' log_format count "$sse_channel:$sse_subscribers";',
    server => <<'END',
access_log access.log sse;
        location = /sub   { sse_channel $arg_channel; }
        location = /two   { sse_channel a b; }
        location = /close { sse_channel $arg_channel; sse_gap close; }
        location = /off   { sse_channel $arg_channel; sse_gap off; }
        location = /status { sse_status; }
        location = /pub   { sse_publish $arg_channel; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; sse_reopen off; }
        location = /other { return 200 other; }
        location = /count { sse_publish $arg_channel; access_log count.log count; }
        location = /quiet { sse_publish $arg_channel; access_log off; }
END
);

sub logged ($what, $pattern) {
    ok eval { wait_until(sub { $server->read_file('access.log') =~ /^$pattern$/m }, $what) }, $what
        or diag "$pattern in\n", $server->read_file('access.log');
}

for my $via (qw(h1 tls h2c)) {
    for my $leave (qw(close reset)) {
        my $channel    = "$via-$leave";
        my $subscriber = $server->subscribe("/sub?channel=$channel", via => $via)->ready;
        my @id = map { $server->publish("/quiet?channel=$channel", $_)->json->{id} } 1 .. 3;
        $subscriber->events(3);
        $subscriber->$leave;
        logged("client gone by $leave over $via", "GET /sub (?:200|499) \\[$channel\\] 3 $id[-1] client");
    }
}

my $id = $server->publish('/pub?channel=p', 'x')->json->{id};
logged('a publish', qr{POST /pub 201 \[p\] \S+ \S+ -});
$server->publish('/pub?channel=p', 'x', headers => ['If-Match' => '"1-1"']);
logged('one that is refused', qr{POST /pub 412 \[p\] 0 - -});
my $watching = $server->subscribe('/sub?channel=half-done')->ready;
my $halfDone = $server->stream('/lines?channel=half-done')->feed("x\n");
my $taken = $watching->next_event->{id};
$watching->close;
$server->publish('/quiet?channel=half-done', '', method => 'DELETE');
$halfDone->feed("y\n")->finish;
logged('one that is refused in the middle', "POST /lines 409 \\[half-done\\] 1 $taken -");
$server->get('/other');
logged('a location of others', qr{GET /other 200 \[-?\] -? ?-? ?-});
$server->get('/sub');
logged('an error', qr{GET /sub 400 \[.*\] \S+ \S+ -});
$server->get('/close?channel=p', cursor => '99999999999999-0');
logged('a gap at the start', qr{GET /close 410 \[p\] .*});
my $two = $server->subscribe('/two')->ready;
$two->close;
logged('two channels', qr{GET /two \d+ \[a[ ,]+b\] 0 \S+ client});

$server->subscribe('/sub?channel=half')->ready->shut;
logged('a half-closed connection is closed', qr{GET /sub (?:200|499) \[half\] 0 \S+ client});

# The last event that is logged for a stalled subscriber is one that it was sent, not one that it has missed.
for my $path ('/sub', '/close', '/off') {
    my $subscriber = $server->subscribe("$path?channel=missed$path", rcvbuf => 4096)->ready;
    my $publisher  = $server->connect;
    my $delivered  = $server->get('/status', on => $publisher)->json->{delivered};
    my $publish    = sub ($channel, $size) {
        $server->publish("/quiet?channel=$channel", 'x' x $size, on => $publisher)->json->{id};
    };
    $subscriber->stall;
    my $last = $publish->("missed$path", 100_000);
    wait_until(sub { $server->get('/status', on => $publisher)->json->{delivered} > $delivered }, 'a delivery');
    $publish->("missed$path", 1);
    $publish->('flood', 200_000) for 1 .. 8;
    $server->publish("/quiet?channel=missed$path", '', method => 'DELETE', on => $publisher) unless $path eq '/close';
    $subscriber->resume->wait_closed;
    my $reason = $path eq '/close' ? 'gap' : 'ended';
    logged("the last event before a gap ($path)", "GET $path 200 \\[missed$path\\] 1 $last $reason");
}

subtest 'subscribers' => sub {
    my @subscriber = map { $server->subscribe('/sub?channel=n')->ready } 1 .. 3;
    $server->publish('/count?channel=n', 'x');
    wait_until(sub { $server->read_file('count.log') =~ /./ }, 'a line');
    is $server->read_file('count.log'), "n:3\n", 'are counted';
    $_->close for @subscriber;
};

my $subscriber = $server->subscribe('/sub?channel=d')->ready;
$server->publish('/quiet?channel=d', 'x');
$subscriber->next_event;
my @old = $server->reload;
$subscriber->wait_closed;
$server->wait_gone(@old);
logged('a drain', qr{GET /sub 200 \[d\] 1 \d+-\d+ drain});

is_deeply [$server->stop], [], 'no trouble';
done_testing;
