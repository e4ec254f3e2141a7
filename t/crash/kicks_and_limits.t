# A worker dies while it kicks a key, or while a stream begins or ends, at each step of that. Limits stay exact, a kick that was
# acknowledged holds, and the other workers go on.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers => 3,
    http    => 'sse_zone events 4m; sse_key $arg_key; sse_max_subscribers 3 per=key; sse_max_subscribers 1000 per=channel;',
    server  => <<'END',
location = /sub    { sse_channel $arg_channel; }
        location = /fatal  { sse_channel $arg_channel; sse_test_crash_at $arg_crash; }
        location = /kick   { sse_kick; sse_test_crash_at $arg_crash; }
        location = /status { sse_status; }
END
);
$server->allow(qr/exited on signal 9/, qr/zone "\w+" was locked by/);

# This worker never dies.
my $safe = ($server->workers)[0];

sub connect_elsewhere {
    my $other;
    wait_until(sub { ($other) = grep { $_ != $safe } $server->workers }, 'another worker');
    return $server->connect_to($other);
}

# The outcome of a request that may kill its worker: "died" or a status.
sub fatal ($method, $path) {
    my $client = $server->request($method, $path, on => connect_elsewhere());
    $client->status;
    my $fate = $client->{ended} eq 'abort' && !defined $client->{status} ? 'died' : $client->status;
    $client->close;
    return $fate;
}

# A stream, or the status of its refusal. A connection to a dying worker is tried again.
sub enter ($key, $channel = 'c') {
    my $client;
    wait_until(
        sub {
            $client = eval { $server->subscribe("/sub?channel=$channel&key=$key") } or return 0;
            return 1 if $client->status;
            0;
        },
        'an answer'
    );
    return $client->status == 200 ? $client : $client->status;
}

# How many more streams of a key are admitted.
sub room ($key, $channel) {
    my @in;
    while (ref(my $client = enter($key, $channel))) { push @in, $client }
    my $room = @in;
    $_->close for @in;
    return $room;
}

sub each_step ($name, $change, $check) {
    subtest $name => sub {
        my ($step, $died) = (0, 0);
        while (++$step < 200) {
            last unless $change->($step) eq 'died';
            $died++;
            $check->($step) or last;
        }
        note "$died steps";
        cmp_ok $died, '>', 3, 'there are steps to die at';
        cmp_ok $step, '<', 200, 'and an end of them';
    };
}

each_step 'a stream that is let in', sub ($step) { fatal(GET => "/fatal?channel=new&key=in$step&crash=$step") }, sub ($step) {
    return is room("in$step", "c$step"), 3, "step $step: it does not count";
};

# There is a place because the streams of the dead worker are not counted any more.
each_step 'a second one', sub ($step) {
    my $client = $server->subscribe_on($safe, "/sub?channel=c&key=second$step");
    my $fate   = fatal(GET => "/fatal?channel=c&key=second$step&crash=$step");
    $client->close if $fate ne 'died';
    return $fate if $fate ne 'died';
    $client->ready;
    is room("second$step", 'c'), 2, 'only the one that lives';
    return $fate;
}, sub ($step) { 1 };

each_step 'a kick', sub ($step) { fatal(POST => "/kick?key=k$step&for=600&crash=$step") }, sub ($step) {
    my $client = enter("k$step");
    my $other  = $server->subscribe_on($safe, '/sub?channel=c&key=other')->ready;
    is $server->request(POST => "/kick?key=k$step&for=600")->finish->status, 200, "step $step: once more";
    is $client->wait_closed, 'abort', 'it hits' if ref $client;
    is enter("k$step"), 403, 'and holds';
    is $other->closed, '', 'that one alone';
    return $other->close || 1;
};

each_step 'a kick of somebody who has been kicked before', sub ($step) {
    $server->request(POST => "/kick?key=twice$step&for=600")->finish;
    return fatal(POST => "/kick?key=twice$step&for=600&crash=$step");
}, sub ($step) {
    return is enter("twice$step"), 403, "step $step: the first one holds";
};

subtest 'afterwards' => sub {
    is enter("k$_"), 403, "k$_ is still out" for 1 .. 4;
    $server->kill9($safe);
    is enter('k1'), 403, 'after another death, too';
    is room('in1', 'c'), 3, 'and the limits hold';
};

is_deeply [$server->stop], [], 'no trouble but that';
done_testing;
