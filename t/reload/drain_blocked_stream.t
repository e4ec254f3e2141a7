# A stream is blocked when its worker leaves. If its client reads again, it is cut off after a whole event; if not, when sse_drain is
# over.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 tls h2c h2)], listen_flags => 'sndbuf=16k', zone => '32m', drain => '10s');

# Streams end in the order in which they were opened: when the first of the others has ended, these have been told to end, too.
my %blocked = map { $_ => $server->subscribe('/sub?channel=c', via => $_, rcvbuf => 8192)->ready->stall } qw(h1 tls h2c h2);
my @others  = map { $server->subscribe('/sub?channel=other')->ready } 1 .. 20;
my $count   = 80;
$server->publish('/pub?channel=c', "$_ " . 'x' x 60_000)->status == 201 or die for 1 .. $count;
$server->reload;
is $others[0]->wait_closed, 'abort', 'the worker leaves';

for my $via (sort keys %blocked) {
    my $client = $blocked{$via}->resume;
    is $client->wait_closed, 'abort', "$via: a blocked stream is cut off";
    # A client of HTTP/2 may drop what it has not looked at when the stream is reset.
    ok !$client->pending, 'after a whole event' if $via !~ /h2/;
    my @first = splice @{ $client->{events} };
    cmp_ok scalar @first, '<', $count, 'before all was sent';
    my @rest = $server->subscribe('/sub?channel=c', cursor => $client->last_event_id)->events($count - @first);
    my @number = map { $_->{data} =~ /\A(\d+) / ? $1 : $_->{type} } @first, @rest;
    is_deeply \@number, [1 .. $count], 'and the rest is there for who comes back';
}
$_->close for @others;
is_deeply [$server->stop], [], 'no trouble';

for my $via (qw(h1 tls h2c h2)) {
    subtest "clients over $via that do not read on in time" => sub {
        my $brief = SSE::Nginx->start(listen => [qw(h1 tls h2c h2)], listen_flags => 'sndbuf=16k', zone => '32m', drain => '1s');
        my @late  = map { $brief->subscribe('/sub?channel=c', via => $via, rcvbuf => 8192)->ready->stall } 1, 2;
        $brief->publish('/pub?channel=c', 'x' x 60_000)->status == 201 or die for 1 .. $count;
        my $start = time;
        my @old   = $brief->reload;
        # One reads too late, the other never.
        wait_until(sub { $brief->get('/status')->json->{subscribers} == 0 }, 'the end of sse_drain');
        is $late[0]->resume->wait_closed, 'abort', 'they are cut off';
        $brief->wait_gone(@old);
        note sprintf 'their worker left after %.1f s', time - $start;
        is_deeply [$brief->stop], [], 'without trouble';
    };
}
done_testing;
