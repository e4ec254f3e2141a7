# Clients that vanish silently, as when a phone loses its network: no FIN, no RST, no acknowledgement. Only unacknowledged data
# shows that they are gone; sse_send_timeout begins with the next heartbeat.
use v5.36;
use lib 't/lib';
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Window;
use SSE::Nginx;
use SSE::Util;

my $socket = tempdir(CLEANUP => 1) . '/socket';
my $megabytes = 16;
my $server = SSE::Nginx->new(
    listen  => [qw(h1 unchunked tls h2c h2)],
    servers => "server { listen unix:$socket; location = /sub { sse_channel local; } }",
    http    => 'sse_zone events 4m; log_format reason "$sse_channel $sse_close_reason";',
    server  => <<'END',
access_log reasons.log reason;
        sse_heartbeat 1s;
        sse_send_timeout 2500ms;
        location = /sub    { sse_channel $arg_channel; }
        location = /pub    { sse_publish $arg_channel; }
        location = /big    { alias big; access_log off; }
        location = /status { sse_status; access_log off; }
END
);

$server->write_file(big => 'x' x ($megabytes << 20));
$server->write_configuration;
$server->launch or die 'nginx does not start';

sub status ($name) { return $server->get('/status')->json->{$name} }

sub come ($via, $path) {
    return $server->subscribe($path, via => $via) if $via !~ /h2/;
    return SSE::Client::Window->new(port => $server->port($via), tls => $via eq 'h2')->subscribe($path);
}

for my $via (qw(h1 unchunked tls h2c h2)) {
    subtest $via => sub {
        my $stays    = $server->subscribe("/sub?channel=$via", via => $via)->ready;
        my $vanished = come($via, "/sub?channel=$via")->ready;
        is status('subscribers'), 2, 'both are there';
        $vanished->vanish;
        my $start = time;
        wait_until(sub { status('subscribers') == 1 }, 'the one that has vanished to be counted off');
        note sprintf 'noticed after %.1f s, with a heartbeat each second and sse_send_timeout 2500ms', time - $start;
        $server->publish("/pub?channel=$via", 'still here');
        is $stays->next_event->{data}, 'still here', 'the other one acknowledges, and stays';
        $vanished->close;
        $stays->close;
        wait_until(sub { status('subscribers') == 0 }, 'the other one to leave');
    };
}

for my $via (qw(h1 unchunked tls)) {
    my ($reason) = $server->read_file('reasons.log') =~ /^$via (\w+)$/m;
    is $reason, 'slow', "$via: logged as one that took nothing for too long";
}
is status('slow_closes'), 3, 'and counted';

# nginx's own limits apply again to a kept connection.
subtest 'what comes after a stream' => sub {
    my $kept = $server->connect('h1', rcvbuf => 4096);
    $server->subscribe('/sub?channel=over', on => $kept)->ready;
    $server->request(DELETE => '/pub?channel=over')->finish;
    is $kept->wait_closed, 'clean', 'the stream ends';
    $server->request(GET => '/big', on => $kept)->status;
    $kept->stall;
    my $start = time;
    wait_until(sub { time - $start > 4 }, 'a pause that is longer than sse_send_timeout');
    $kept->resume->finish;
    is length $kept->body, $megabytes << 20, 'a client of something else may take its time';
};

subtest 'a socket that is not of TCP' => sub {
    my $local = IO::Socket::UNIX->new(Peer => $socket) or die "connect: $!";
    print {$local} "GET /sub HTTP/1.0\r\n\r\n";
    my $line = '';
    $line = readline $local until $line =~ /ready/ || eof $local;
    like $line, qr/ready/, 'is none of its business';
};

# Instead of heartbeats, the probes of the kernel may find out.
subtest 'so_keepalive' => sub {
    my $quiet = SSE::Nginx->start(
        listen       => [qw(h1 tls h2c)],
        listen_flags => 'so_keepalive=1s:1s:2',
        subscribe    => 'sse_heartbeat off; sse_send_timeout 2500ms;',
    );
    for my $via (qw(h1 tls h2c)) {
        my $stays    = $quiet->subscribe("/sub?channel=$via", via => $via)->ready;
        my $vanished = $via =~ /h2/ ? SSE::Client::Window->new(port => $quiet->port($via))->subscribe("/sub?channel=$via") : $quiet->subscribe("/sub?channel=$via", via => $via);
        $vanished->ready->vanish;
        my $bytes = length $stays->poll->raw;
        my $start = time;
        my $count = sub { $quiet->get('/status')->json->{subscribers} };
        ok eval { wait_until(sub { $count->() == 1 }, 'the one that has vanished to be counted off') }, "$via: noticed";
        note sprintf 'after %.1f s', time - $start;
        is length $stays->poll->raw, $bytes, 'and the other one has been sent nothing';
        $_->close for $vanished, $stays;
        wait_until(sub { $count->() == 0 }, 'the other one to leave');
    }
    is_deeply [$quiet->stop], [], 'no trouble';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
