# How much memory a client takes that reads nothing, over each transport: no more than docs/operations.md states, whatever is
# published.
use v5.36;
use lib 't/lib';
use List::Util qw(min);
use Test::More;
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen       => [qw(h1 tls h2c h2)],
    events       => 'worker_connections 2048;',
    listen_flags => 'sndbuf=16k',
    zone         => '32m',
    drain        => '0',
);
my ($clients, $events) = (30, 200);
my $worker;

# Bytes per client; docs/operations.md has the measured values.
my %bound = (h1 => 110_000, tls => 150_000, h2c => 120_000, h2 => 150_000);

# Starts a new worker, whose allocator keeps nothing from earlier subtests.
sub renew {
    $server->wait_gone($server->reload);
    ($worker) = $server->workers;
}

# The private memory of the worker in kilobytes, without the zone.
sub memory { return (private_memory($worker) // 0) / 1024 }

sub status { return $server->get('/status')->json }

# Clients stop reading before 1.6 MB: when it is published, or, with $late, when they have begun to replay it. Returns the memory
# of an idle client, how much more a stalled one takes, both in bytes, and the kilobytes of the worker when all have caught up
# and gone.
sub measure ($via, $late) {
    state $count = 0;
    my $channel   = 'c' . ++$count;
    my $subscribe = sub (@more) { $server->subscribe("/sub?channel=$channel", via => $via, rcvbuf => 8192, @more) };
    my $empty     = memory();
    my @client    = map { $subscribe->()->ready } 1 .. $clients;
    my $idle      = memory();
    if ($late) {
        $_->close for splice @client;
        wait_until(sub { status()->{subscribers} == 0 }, 'all of them to be counted off');
    }

    $_->stall for @client;
    my $publisher = $server->connect;
    my $before    = status()->{delivered};
    $server->publish("/pub?channel=$channel", 'x' x 8000, on => $publisher) for 1 .. $events;
    while (@client < $clients) {
        push @client, $subscribe->(cursor => '0-0');
        $client[-1]->status;
        $client[-1]->stall;
    }
    my $stalled   = memory();
    my $delivered = status()->{delivered} - $before;
    cmp_ok $delivered, '<', $clients * $events / 2, "$delivered events are on the way, of " . $clients * $events;

    $_->resume for @client;
    is scalar(grep { scalar @{ [$_->events($events)] } != $events } @client), 0, 'they catch up';
    $_->close for @client;
    wait_until(sub { status()->{subscribers} == 0 }, 'all of them to be counted off');
    return (map({ 1024 * $_ / $clients } $idle - $empty, $stalled - $idle), memory());
}

for my $via (qw(h1 tls h2c h2)) {
    subtest $via => sub {
        renew();
        my ($idle, $live) = measure($via, 0);
        renew();
        my @late = map { [measure($via, 1)] } 1 .. 3;
        diag sprintf '%s: a subscriber takes %.0f bytes, stalled %.0f more, stalled on the way back %.0f more', $via, $idle, $live, $late[0][1];
        SKIP: {
            skip 'freed memory is kept back to be watched', 5 if $ENV{TEST_NGINX_SANITIZE};
            cmp_ok $_, '<', $bound{$via}, 'a stalled subscriber holds no queue' for $live, map { $_->[1] } @late;
            # What the allocator keeps varies; a leak would show each time.
            my $growth = min($late[1][2] - $late[0][2], $late[2][2] - $late[1][2]);
            cmp_ok $growth, '<', 1000, 'and leaves nothing behind';
        }
    };
}

# A batch of live events is no larger than one for a client that catches up.
subtest 'all at once' => sub {
    renew();
    my @client = map { $server->subscribe("/sub?channel=own$_", rcvbuf => 4096)->ready->stall } 1 .. $clients;
    my $before = memory();
    my ($delivered, $body) = (status()->{delivered}, stream_of(('x' x 8000) x 32));
    my $publisher = $server->connect;
    for my $number (1 .. $clients) {
        my $answer = $server->publish("/pub?channel=own$number", $body, type => 'text/event-stream', on => $publisher);
        is $answer->json->{events}, 32, 'published' if $number == $clients;
    }
    wait_until(sub { status()->{delivered} >= $delivered + $clients }, 'all of them to be given something');
    my $each = 1024 * (memory() - $before) / $clients;
    diag sprintf 'of 256 KB that are published at once, a stalled subscriber takes %.0f bytes', $each;
    SKIP: {
        skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
        cmp_ok $each, '<', $bound{h1}, 'and is given a batch of it';
    }
    $_->close for @client;
};

# Together they take no more than docs/operations.md states: 32 MB, and from then on 8 KB each.
subtest 'a crowd that comes back' => sub {
    my $crowd = 1200;
    renew();
    $server->publish('/pub?channel=crowd', stream_of(('x' x 1000) x 2000), type => 'text/event-stream');
    my $subscribe = sub { $server->subscribe("/sub?channel=crowd", rcvbuf => 4096, @_) };
    my @idle      = map { $subscribe->()->ready } 1 .. $crowd;
    my $before    = memory();
    $_->close for splice @idle;
    wait_until(sub { status()->{subscribers} == 0 }, 'all of them to be counted off');
    my @client;
    for (1 .. $crowd) {
        push @client, $subscribe->(cursor => '0-0');
        $client[-1]->status;
        $client[-1]->stall;
    }
    my $taken = memory() - $before;
    diag sprintf '%d clients that are sent 2 MB each take %.1f MB', $crowd, $taken / 1024;
    SKIP: {
        skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
        cmp_ok $taken, '<', 32 * 1024 + 1.2 * 8 * $crowd, 'memory is bounded';
    }
    $_->resume for my @some = @client[0, -1];
    is scalar @{ [$_->events(2000)] }, 2000, 'who reads on gets all of it' for @some;
    $_->close for @client;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
