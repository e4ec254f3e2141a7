# What a silent stream sends to stay alive, and when.
# needs: module quiet
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c h2)],
    subscribe => 'sse_heartbeat 1s;',
    locations => <<'END',
location = /event  { sse_channel $arg_channel; sse_heartbeat 1s event=ping; }
        location = /slower { sse_channel $arg_channel; sse_heartbeat 3s; }
        location = /off    { sse_channel $arg_channel; sse_heartbeat off; }
END
);

# What came after the position.
sub rest ($subscriber) { return $subscriber->body =~ s/\A.*?\n\n//sr }

subtest 'a comment' => sub {
    my $start = time;
    my %subscriber = map { $_ => $server->subscribe('/sub?channel=silent', via => $_)->ready } qw(h1 h1.0 unchunked tls h2c h2);
    my $off = $server->subscribe('/off?channel=silent')->ready;
    for my $via (sort keys %subscriber) {
        my $subscriber = $subscriber{$via};
        $subscriber->pump_until(sub { length rest($subscriber) >= 6 });
        like rest($subscriber), qr/\A(?::\n){3,}\z/, "$via: nothing but bare comments, and no blank line";
    }
    cmp_ok time - $start, '>', 2.5, 'three of them take three seconds';
    is rest($off->poll), '', 'none when they are off';
    $server->publish('/pub?channel=silent', 'x');
    for my $via (sort keys %subscriber) {
        my $event = $subscriber{$via}->next_event;
        is_deeply [@$event{qw(type data)}], ['message', 'x'], "$via: an event after them is an event";
    }
};

subtest 'an event' => sub {
    my $subscriber = $server->subscribe('/event?channel=named')->ready;
    my $position   = $subscriber->last_event_id;
    for (1, 2) {
        my $event = $subscriber->next_event;
        is_deeply $event, { id => $position, type => 'ping', data => '' }, 'by that name, and the cursor stays';
    }
    is rest($subscriber) =~ s/\A((?:event: ping\ndata: \n\n)+)\z//r, '', 'on the wire';
};

subtest 'only after silence' => sub {
    my $subscriber = $server->subscribe('/slower?channel=busy')->ready;
    my $longest = 0;
    my $last = my $start = time;
    while (time - $start < 5) {
        $server->publish('/pub?channel=busy', 'x');
        $subscriber->next_event;
        my $now = time;
        $longest = $now - $last if $now - $last > $longest;
        $last = $now;
        sleep 0.1;
    }
    SKIP: {
        skip 'the machine was too busy to keep the stream busy', 1 if $longest > 2;
        unlike rest($subscriber), qr/^:/m, 'none while events come';
    }
    $subscriber->pump_until(sub { rest($subscriber) =~ /:\n\z/ });
    like rest($subscriber), qr/\n\n(?::\n)+\z/, 'one when they have stopped';
};

subtest 'many, and they leave' => sub {
    my @subscriber = map { $server->subscribe('/sub?channel=many')->ready } 1 .. 200;
    $_->reset for splice @subscriber, 50, 100;
    for my $subscriber (@subscriber) {
        $subscriber->pump_until(sub { rest($subscriber) =~ /:\n/ });
    }
    is scalar(grep { rest($_) !~ /\A(?::\n)+\z/ } @subscriber), 0, 'all that are left are told';
};

subtest 'not into an event that is half sent' => sub {
    my $narrow = SSE::Nginx->start(
        listen       => [qw(h1 tls h2c h2)],
        listen_flags => 'sndbuf=16k',
        zone         => '16m',
        subscribe    => 'sse_heartbeat 200ms;',
    );
    my %stalled = map { $_ => $narrow->subscribe('/sub?channel=c', via => $_, rcvbuf => 8192)->ready->stall } qw(h1 tls h2c h2);
    my $witness = $narrow->subscribe('/sub?channel=silent')->ready;
    my @sizes   = map { 60_000 + $_ } 1 .. 80;
    $narrow->publish('/pub?channel=c', 'x' x $_)->status == 201 or die for @sizes;
    my $before = length rest($witness->poll);
    $witness->pump_until(sub { length rest($witness) >= $before + 6 });
    for my $via (sort keys %stalled) {
        is_deeply [map {length} $stalled{$via}->resume->data(scalar @sizes)], \@sizes, "$via: all events are whole";
    }
    is_deeply [$narrow->stop], [], 'no trouble';
};

done_testing;
