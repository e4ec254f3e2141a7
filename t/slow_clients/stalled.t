# Clients that stop reading, read one byte now and then, or vanish at any byte are closed in time, without harm to other clients.
# reads_nothing.t tests what a stalled client gets in the end, memory.t how much memory it takes; this is about the rest of its
# costs.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Client::Window;
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen       => [qw(h1 tls h2c h2)],
    listen_flags => 'sndbuf=16k',
    http         => 'sse_zone events 32m; log_format reason "$sse_channel $sse_close_reason";',
    server       => <<'END',
access_log reasons.log reason;
        location = /sub    { sse_channel $arg_channel; }
        location = /brief  { sse_channel $arg_channel; sse_send_timeout 2s; }
        location = /pub    { sse_publish $arg_channel; access_log off; }
        location = /status { sse_status; access_log off; }
END
);
my ($pid)     = $server->workers;
my $publisher = $server->connect;
seed();

sub publish ($channel, $data) {
    my $start  = time;
    my $answer = $server->publish("/pub?channel=$channel", $data, on => $publisher);
    $answer->status == 201 or die 'not published: ' . $answer->body;
    return time - $start;
}

# The private memory of the worker in kilobytes, without the zone.
sub memory { return (private_memory($pid) // 0) / 1024 }

sub slow_closes { return $server->get('/status')->json->{slow_closes} }
sub subscribers { return $server->get('/status')->json->{subscribers} }

my $secret = $server->subscribe('/sub?channel=secret')->ready;

# Publishes 50 times a second to the channel, and sometimes to another one, until the condition holds. Returns the seconds that
# this took, the time of the slowest publish, and the number of publishes.
sub publish_until ($channel, $size, $condition, $each = sub { }) {
    my ($start, $slowest, $count, $next) = (time, 0, 0, time);
    until ($condition->()) {
        die "waited in vain\n" if time - $start > $SSE::Client::Patience;
        my $time = publish($channel, ++$count . ' ' . 'x' x $size);
        publish('secret', 'SECRET ' . 'S' x 1000) if $count % 5 == 0;
        $slowest = $time if $time > $slowest;
        $secret->poll;
        $each->();
        $next += 0.02;
        sleep $next - time if $next > time;
    }
    return (time - $start, $slowest, $count);
}

for my $via (qw(h1 tls h2c h2)) {
    subtest "stopped, over $via" => sub {
        my $channel = "stop$via";
        my $stalled = $server->subscribe("/brief?channel=$channel", via => $via, rcvbuf => 8192)->ready;
        my $other   = $server->subscribe("/sub?channel=$channel", via => $via)->ready;
        my $before  = slow_closes();
        # As much as the kernel buffers: from then on the stream makes no progress.
        $stalled->stall;
        publish($channel, 'x' x 60_000) for 1 .. 80;
        my ($seconds, $slowest, $count)
            = publish_until($channel, 1000, sub { slow_closes() > $before }, sub { $other->poll });
        note sprintf 'let go after %.1f s with sse_send_timeout 2s; %d events meanwhile, the slowest publish took %.0f ms',
            $seconds, $count, 1000 * $slowest;
        cmp_ok $seconds, '<', 20, 'in time, though there is always something new';
        is scalar @{ [$other->events(80 + $count)] }, 80 + $count, 'the channel has gone on';
        # What is still in the buffers of its kernel may not come from another channel.
        $stalled->resume->wait_closed;
        unlike $stalled->raw, qr/SECRET|SSSS/, 'not a byte of another channel';
        $other->close;
    };
}

for my $via (qw(h1 tls)) {
    subtest "one byte now and then, over $via" => sub {
        my $channel = "drip$via";
        my $dripping = $server->subscribe("/brief?channel=$channel", via => $via, rcvbuf => 4096)->ready;
        my $before   = slow_closes();
        publish($channel, 'x' x 60_000) for 1 .. 80;
        my $last = time;
        my ($seconds) = publish_until(
            $channel, 1000,
            sub { slow_closes() > $before },
            sub {
                return if time - $last < 1;
                $last = time;
                $dripping->{limit} = 1;
                $dripping->pump(0);
            }
        );
        note sprintf 'let go after %.1f s', $seconds;
        cmp_ok $seconds, '<', 20, 'a byte a second is no progress that a kernel would tell';
        unlike $dripping->raw, qr/SECRET|SSSS/, 'not a byte of another channel';
        $dripping->reset;
    };
}

for my $via (qw(h2c h2)) {
    subtest "a window of one byte now and then, over $via" => sub {
        my $channel  = "window$via";
        my $dripping = SSE::Client::Window->new(port => $server->port($via), tls => $via eq 'h2', window => 0);
        my $before   = memory();
        $dripping->subscribe("/brief?channel=$channel")->grant(500)->ready;
        for (1 .. 80) { # which may take more than 2 s
            publish($channel, 'x' x 60_000);
            $dripping->grant(1);
        }
        my ($start, $last) = (time, time);
        my $memory = 0;
        my (undef, undef, $count) = publish_until(
            $channel, 1000,
            sub { time - $start > 5 },
            sub {
                return if time - $last < 0.4; # of the 2 s that it may take
                $last = time;
                $memory = memory() if memory() > $memory;
                $dripping->poll->grant(1);
            }
        );
        # A byte that the client has asked for is progress, so it may stay; but it holds no more than one batch.
        note sprintf '%d KB before, at most %d KB meanwhile', $before, $memory;
        cmp_ok $memory - $before, '<', 1500, 'it costs one batch' unless $ENV{TEST_NGINX_SANITIZE};
        is $dripping->closed, '', 'it may stay';
        $dripping->grant(1 << 30);
        my @number = map { ($_->{data} =~ /\A(\d+) x/)[0] // () } $dripping->events(80 + $count);
        is_deeply \@number, [1 .. $count], 'and when it takes more, it catches up';
        unlike $dripping->body, qr/SECRET|SSSS/, 'with not a byte of another channel';
        $dripping->reset;
    };
}

for my $via (qw(h1 tls h2c h2)) {
    subtest "reset at any byte, over $via" => sub {
        my $channel = "reset$via";
        my $witness = $server->subscribe("/sub?channel=$channel")->ready;
        my $rounds  = $via =~ /h2/ ? 15 : 60;
        my $foreign = 0;
        for my $number (1 .. $rounds) {
            my $client = $server->subscribe("/sub?channel=$channel", via => $via, cursor => '0-0');
            my $data = "$number " . 'x' x rand 3000;
            publish($channel, $data);
            publish('secret', 'SECRET ' . 'S' x 1000) if $number % 5 == 0;
            $client->read_body(1 + int rand length $data);
            $foreign++ if $client->raw =~ /SECRET|SSSS/;
            $client->reset;
        }
        is $foreign, 0, 'never a byte of another channel';
        is_deeply [map { ($_->{data} =~ /\A(\d+)/)[0] } $witness->events($rounds)], [1 .. $rounds], 'the channel has gone on';
        $witness->close;
        wait_until(sub { subscribers() == 1 }, 'those that have left to be counted off');
    };
}

for my $seconds (2, 4) {
    subtest "$seconds seconds" => sub {
        my %stalled = map { $_ => $server->subscribe("/sub?channel=pause$seconds", via => $_, rcvbuf => 8192)->ready->stall } qw(h1 tls h2c h2);
        my $start = time;
        publish("pause$seconds", "$_ " . 'x' x 8000) for 1 .. 1200;
        wait_until(sub { time - $start >= $seconds }, 'the pause to be over');
        for my $via (sort keys %stalled) {
            my @number = map { ($_->{data} =~ /\A(\d+) /)[0] // $_->{type} } $stalled{$via}->resume->events(1200);
            is_deeply \@number, [1 .. 1200], "$via: everything is there, once and in order";
            $stalled{$via}->close;
        }
    };
}

unlike join('', map { $_->{data} } @{ $secret->poll->{events} }), qr/x/, 'nor has the other channel heard of these';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
