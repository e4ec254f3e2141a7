# Locks of dead workers that nginx does not free. A leaving worker dies with the lock of a zone that the new configuration does not
# have, or has in another size: nginx knows only the new zones. Or a worker dies with the lock of a zone while the master is about to
# copy that zone: the master does not notice the death before the copy is complete. Or the worker that waits for such a lock has not
# yet been told to leave.
# needs: module faults
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $locations = <<'END';
location = /sub       { sse_channel $arg_channel zone=events; }
location = /pub       { sse_publish $arg_channel zone=events; }
location = /crash/sub { sse_channel $arg_channel zone=events; sse_test_crash_at $arg_crash; }
END

sub half_a_request ($server, $worker, $path) {
    return $server->connect_to($worker, '/pub?channel=a')->send_raw("GET $path HTTP/1.1\r\nHost:");
}

sub leave_with_lock ($name, %reload) {
    subtest $name => sub {
        my $server = SSE::Nginx->start(
            workers => 3,
            drain   => '2s',
            http    => 'sse_zone events 4m;',
            server  => $locations
        );
        my @subscriber = map { $server->subscribe_on($_, '/sub?channel=a')->ready } ($server->workers) x 5;
        # Half a request: a worker that has read it serves it once the rest arrives, even if the worker is leaving.
        my ($worker) = $server->workers;
        my $ask   = $server->connect_to($worker, '/pub?channel=a');
        my $fatal = half_a_request($server, $worker, '/crash/sub?channel=b&crash=1');
        $server->get('/pub?channel=a', on => $ask) for 1 .. 2;
        my $mark  = $server->log_mark;
        my $start = time;
        my @old   = $server->reload(%reload);
        $server->allow(qr/exited on signal 9/, qr/was locked by/);
        $fatal->write(" localhost\r\n\r\n");
        $server->wait_for_log(qr/exited on signal 9/, $mark);
        my ($dead) = $server->log_since($mark) =~ /worker process (\d+) exited on signal 9/;
        $_->wait_closed for @subscriber;
        my @others = grep { $_->header('X-Worker') ne $dead } @subscriber;
        is scalar(@others), 10, 'there are streams of the other two';
        is scalar(grep { $_->closed ne 'abort' } @others), 0, 'which end as they should';
        ok eval { $server->wait_gone(@old); 1 }, 'all old workers are gone';
        note sprintf 'after %.1f s', time - $start;
        like $server->log_since($mark), qr/sse: zone "events" was locked by \d+/, 'and one has said why';
        is_deeply [$server->stop], [], 'no other trouble';
    };
}

leave_with_lock 'another size', http => 'sse_zone events 8m;';
leave_with_lock 'no such zone',
    http   => 'sse_zone others 4m;',
    server => $locations =~ s/zone=events/zone=others/gr;

subtest 'while the master reads a configuration with another size' => sub {
    my $server = SSE::Nginx->start(workers => 2, http => 'sse_zone events 4m;', server => $locations);
    $server->allow(qr/exited on signal 9/, qr/was locked by/);
    my $id = $server->publish('/pub?channel=a', 'first')->json->{id};

    # The master blocks when it opens this file.
    my $fifo = $server->prefix . '/wait.conf';
    POSIX::mkfifo($fifo, 0600) or die "$fifo: $!";
    my $mark = $server->log_mark;
    $server->{http} = 'sse_zone events 8m; include wait.conf;';
    $server->write_configuration;
    my %old = map { $_ => 1 } $server->workers;
    $server->signal('HUP');
    $server->wait_for_log(qr/ reconfiguring$/m, $mark);
    $server->get('/crash/sub?channel=b&crash=1');
    wait_until(sub { grep { !SSE::Nginx::is_running($_) } keys %old }, 'the end of a worker');
    open my $writer, '>', $fifo or die "$fifo: $!";
    close $writer;

    ok eval { wait_until(sub { (my @new = grep { !$old{$_} } $server->workers) == 2 }, 'new workers'); 1 },
        'the master goes on';
    my $subscriber = $server->subscribe('/sub?channel=a', cursor => '0-0');
    is $subscriber->next_event->{id}, $id, 'and has carried over what there was';
    is_deeply [$server->stop], [], 'without other trouble';
};

# How many bytes this client has sent that its worker has not read.
sub unread ($client) {
    my ($own, $port) = map { sprintf '%04X', $_ } $client->{socket}->sockport, $client->{socket}->peerport;
    open my $table, '<', '/proc/net/tcp' or die "tcp: $!";
    my ($queue) = map {/:$port \S+:$own \S+ \S+:(\S+)/} readline $table;
    return hex $queue;
}

# The master gives new workers a tenth of a second before it tells the old ones, and has to be stopped within that. If it has
# told them already it is left alone, and another one is tried: (the server, half a request to each of its two workers).
sub stop_halfway () {
    for (1 .. 20) {
        my $server = SSE::Nginx->start(workers => 2, http => 'sse_zone events 4m;', server => $locations);
        my ($dying, $waiting) = $server->workers;
        my $fatal = half_a_request($server, $dying, '/crash/sub?channel=b&crash=1');
        my $other = half_a_request($server, $waiting, '/sub?channel=a');
        $server->{http} = 'sse_zone events 8m;';
        $server->write_configuration;
        $server->signal('HUP');
        wait_until(sub { $server->workers > 2 || $server->leaving_workers }, 'new workers');
        freeze($server->{pid});
        return ($server, $dying, $waiting, $fatal, $other) unless $server->leaving_workers;
        thaw($server->{pid});
        $_->close for $fatal, $other;
        $server->stop;
    }
    die "the master is never stopped in time\n";
}

subtest 'before the others are told to leave' => sub {
    my ($server, $dying, $waiting, $fatal, $other) = stop_halfway();
    $server->allow(qr/exited on signal 9/, qr/was locked by/);
    is_deeply [$server->leaving_workers], [], 'the old ones do not know yet';
    $fatal->write(" localhost\r\n\r\n");
    wait_until(sub { !SSE::Nginx::is_running($dying) }, 'the end of a worker');
    $other->write(" localhost\r\n\r\n");
    wait_until(sub { !unread($other) }, 'the other one to take the request');
    thaw($server->{pid});
    ok eval { $server->wait_gone($waiting); 1 }, 'the other one does not wait for the dead';
    is $other->wait_closed, 'abort', 'and serves what it had begun';
    is_deeply [$server->stop], [], 'without other trouble';
};

done_testing;
