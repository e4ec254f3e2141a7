# A worker that cannot be woken, for lack of descriptors or connections, looks for events by itself, and leaves when the master
# asks it to.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

# A quarter of the descriptors is for wake-ups.
subtest 'more workers than there are descriptors for' => sub {
    my $server = SSE::Nginx->start(
        workers => 24,
        main    => 'worker_rlimit_nofile 80;',
        events  => 'worker_connections 24;',
        reuseport => 0,
    );
    my @pid = map { $_->{pid} } @{ $server->get('/status')->json->{workers} };
    my %last = map { $_ => 1 } @pid[20 .. 23];
    my $subscriber;
    wait_until(
        sub {
            $subscriber = $server->subscribe('/sub?channel=c')->ready;
            $last{ $subscriber->header('X-Worker') };
        },
        'a worker without'
    );
    my $publisher = $server->connect;
    my $start     = time;
    for my $number (1 .. 20) {
        $server->publish('/pub?channel=c', $number, on => $publisher);
        $subscriber->next_event;
    }
    my $mean = (time - $start) / 20;
    note sprintf 'an event arrives after %.0f ms', 1000 * $mean;
    cmp_ok $mean, '<', 0.4, 'it looks for events often';
    $server->signal('QUIT');
    is $subscriber->wait_closed, 'abort', 'it leaves like any other';
    is_deeply [$server->stop], [], 'no trouble';
};

# One for the socket that listens, one for what the master says.
subtest 'no connection to spare' => sub {
    my $server = SSE::Nginx->start(events => 'worker_connections 2;');
    $server->allow(qr/no wake-ups: this worker polls for events/, qr/2 worker_connections are not enough/);
    like $server->log, qr/\[error\] .*no wake-ups/, 'it says so';
    my ($worker) = $server->workers;
    my @old = $server->reload(events => 'worker_connections 64;');
    is "@old", $worker, 'it has started all the same';
    ok eval { $server->wait_gone(@old); 1 }, 'and leaves when it is told to';
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    @old = $server->reload(events => 'worker_connections 2;');
    is $subscriber->wait_closed, 'abort', 'as do others before it';
    $server->wait_gone(@old);
    is_deeply [$server->stop], [], 'no trouble but that';
};

done_testing;
