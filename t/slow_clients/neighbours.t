# Clients that stall on a channel do not change the latency of those that read it, over any transport.
# needs: module quiet
use v5.36;
use lib 't/lib';
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Client::Window;
use SSE::Nginx;

my $stalled = $ENV{TEST_NGINX_STALLED} // 40; # of each kind
my $server  = SSE::Nginx->start(
    listen       => [qw(h1 tls h2c h2)],
    listen_flags => 'sndbuf=16k',
    zone         => '16m',
    events       => 'worker_connections 2048;',
);
my $publisher = $server->connect;
my %healthy   = map { $_ => $server->subscribe('/sub?channel=c', via => $_)->ready } qw(h1 tls);

# Publishes 50 events a second. Returns, for each transport, the times in ms from the publish to the arrival at a subscriber that
# reads.
sub latencies ($count, $each = sub { }) {
    my %time;
    my $next = time;
    for my $number (1 .. $count) {
        my $start = time;
        $server->publish('/pub?channel=c', "$number " . 'x' x 2000, on => $publisher)->status == 201 or die 'not published';
        for my $via (sort keys %healthy) {
            my $event = $healthy{$via}->next_event;
            die "$via has missed $number\n" unless $event && $event->{data} =~ /\A$number /;
            push @{ $time{$via} }, 1000 * (time - $start);
        }
        $each->();
        $next += 0.02;
        sleep $next - time if $next > time;
    }
    return { map { $_ => [sort { $a <=> $b } @{ $time{$_} }] } keys %time };
}

# Clients that have stopped reading, and clients that read a byte a second.
my (@stopped, @dripping);

sub stall_some {
    for my $via (qw(h1 tls)) {
        my @client = map { $server->subscribe('/sub?channel=c', via => $via, rcvbuf => 4096, cursor => '0-0') } 1 .. 1.25 * $stalled;
        push @stopped, map { $_->stall } splice @client, 0, $stalled;
        push @dripping, @client;
    }
    for my $via (qw(h2c h2)) {
        my @how    = (port => $server->port($via), tls => $via eq 'h2', window => 1);
        my @client = map { SSE::Client::Window->new(@how)->subscribe('/sub?channel=c') } 1 .. 1.25 * $stalled;
        push @stopped, splice @client, 0, $stalled;
        push @dripping, @client;
    }
}

my $last = time;

sub drip {
    return if time - $last < 1;
    $last = time;
    for my $client (@dripping) {
        $client->{limit} = 1;
        $client->pump(0);
        $client->grant(1) if $client->can('grant') && !$client->{ended};
    }
}

latencies(20);
my @round;
for my $round (1 .. 2) {
    my $alone = latencies(100);
    stall_some();
    wait_until(sub { $server->get('/status')->json->{subscribers} == 2 + @stopped + @dripping }, 'all of them to be counted');
    my $crowded = latencies(100, \&drip);
    push @round, [$alone, $crowded];
    my $counted = $server->get('/status')->json->{subscribers} - 2;
    note sprintf 'round %d: %d stalled, %d of them still there in the end', $round, @stopped + @dripping, $counted;
    $_->reset for splice(@stopped), splice @dripping;
    wait_until(sub { $server->get('/status')->json->{subscribers} == 2 }, 'all of them to be gone');
}

sub at ($list, $part) { return $list->[$part * $#$list] }

for my $via (sort keys %healthy) {
    my @ratio;
    for my $round (@round) {
        my ($alone, $crowded) = map { $_->{$via} } @$round;
        push @ratio, at($crowded, 0.5) / at($alone, 0.5);
        note sprintf '%s: median %.2f ms alone, %.2f ms among the stalled, ratio %.2f; p99 %.2f and %.2f ms', $via,
            at($alone, 0.5), at($crowded, 0.5), $ratio[-1], at($alone, 0.99), at($crowded, 0.99);
    }
    my ($best) = sort { $a <=> $b } @ratio;
    cmp_ok $best, '<', 5, "$via: latency is about the same";
}
is_deeply [$server->stop], [], 'no trouble';
done_testing;
