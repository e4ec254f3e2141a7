# A kick ends streams on all machines and keeps them closed, whichever machine or program it comes from. A machine that was cut off
# applies the kick when it is back. If the other machines cannot be reached, the answer says so.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;
use SSE::Resp;

my $redis = SSE::Redis->start;
my @cable = map { SSE::RedisProxy->start(to => $redis) } 1, 2; # one for each machine
my ($one, $two) = map { start_machine($_) } @cable;

sub start_machine ($where) {
    return SSE::Nginx->start(
        workers => 2,
        http    => "sse_zone events 1m; sse_bus events redis://@{[$where->address]} timeout=1s;",
        server  => <<'END',
location = /sub    { sse_channel $arg_channel; sse_key $arg_uid; }
        location = /pub    { sse_publish $arg_channel; }
        location = /kick   { sse_kick; }
        location = /page   { sse_kick; error_page 503 = @page; }
        location @page     { return 200 'a page'; }
        location = /health { sse_health; }
        location = /status { sse_status; }
END
    );
}

sub healthy ($server) { return $server->get('/health')->status == 200 }
sub wait_health ($server, $wanted) { wait_until(sub { healthy($server) eq $wanted }, 'the health of a machine') }
wait_health($_, 1) for $one, $two;

sub subscribe ($server, $uid, $channel = 'news') { return $server->subscribe("/sub?channel=$channel&uid=$uid") }
sub kick ($server, $what, $path = '/kick') { return $server->publish("$path?$what", '') }

sub is_kicked ($client, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $client->wait_closed, 'abort', "$what: ended";
}

# Waits until a machine admits this key; returns how long that took.
sub wait_admitted ($server, $uid) {
    my $start = time;
    wait_until(
        sub {
            my $client = subscribe($server, $uid, 'room');
            my $status = $client->status;
            $client->close;
            return $status == 200;
        },
        'a kick to be over'
    );
    return time - $start;
}

sub is_refused ($server, $uid, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is subscribe($server, $uid)->finish->status, 403, "$what: refused";
}

# Waits until the machine has read the control stream up to here.
sub wait_read ($server) {
    state $number = 0;
    my $marker = subscribe($server, 'marker' . ++$number)->ready;
    $redis->command(XADD => 'sse:events:control', '*', kick => 1, key => "marker$number", for => 0);
    is $marker->wait_closed, 'abort', 'a kick by another program';
}

subtest 'by key and by channel' => sub {
    for my $what ('key=alice', 'channel=room', 'key=alice&channel=room') {
        my @hit  = map { subscribe($_, 'alice', 'room')->ready } $one, $two, $two;
        my @miss = map { subscribe($_, 'bob', 'hall')->ready } $one, $two;
        my $answer = kick($one, "$what&for=60");
        is $answer->status, 200, $what;
        is_deeply $answer->json, { for => 60 }, 'the answer is that of one machine';
        is_kicked($_, 'who is hit') for @hit;
        is $_->subscribe('/sub?channel=room&uid=alice')->finish->status, 403, 'and refused' for $one, $two;
        is $_->closed, '', 'who is not stays' for @miss;
        is kick($two, "$what&for=0")->status, 200, 'taken back, at the other machine';
        wait_admitted($_, 'alice') for $one, $two;
        $_->close for @miss;
    }
};

subtest 'the machine that kicks does so once' => sub {
    my $there = subscribe($two, 'carol')->ready;
    my $here  = subscribe($one, 'carol')->ready;
    is kick($one, 'key=carol&for=0')->status, 200, 'a kick without a time';
    is_kicked($_, 'it') for $here, $there;
    my @back = map { subscribe($_, 'carol')->ready } $one, $two;
    wait_read($_) for $one, $two;
    is $_->closed, '', 'who has come back stays' for @back;
    $_->close for @back;
};

subtest 'another program kicks' => sub {
    my @hit = map { subscribe($_, 'dave')->ready } $one, $two;
    $redis->command(XADD => 'sse:events:control', '*', kick => 1, key => 'dave', for => 60);
    is_kicked($_, 'it') for @hit;
    is_refused($_, 'dave', 'it') for $one, $two;
    my @other = map { subscribe($_, 'erin')->ready } $one, $two;
    $redis->command(XADD => 'sse:events:control', '*', @$_)
        for [kick => 1, for => 60], [kick => 1, key => 'erin', for => 'ever'], [key => 'erin', for => 60], [kick => 1, channel => "a\nb", for => 1];
    wait_read($_) for $one, $two;
    is $_->closed, '', 'what is no kick does nothing' for @other;
    $_->close for @other;
};

subtest 'a machine that is cut off' => sub {
    my $there = subscribe($two, 'frank')->ready;
    $cable[1]->divide;
    wait_health($two, '');
    is kick($one, 'key=frank&for=3')->status, 200, 'a kick that holds for three seconds';
    is_refused($one, 'frank', 'where it is heard of');
    wait_admitted($one, 'frank');
    is $there->closed, '', 'the other has not heard';
    $cable[1]->clear;
    is_kicked($there, 'it does when it is back');
    cmp_ok wait_admitted($two, 'frank'), '<', 2, 'and the time that is over is over';
    wait_health($two, 1);
};

# The time of a kick is that of Redis' clock, which was an hour ahead when the machine connected.
subtest 'a clock that jumps' => sub {
    $cable[1]->rule(match => '^TIME', answer => SSE::Resp::encode(3600 + int time, 0), times => 1);
    $cable[1]->reset;
    wait_until(sub { $cable[1]->hits > 0 }, 'the machine to ask for the time');
    my $times = $cable[1]->counts->{TIME};
    wait_until(sub { $cable[1]->counts->{TIME} > $times + 1 }, 'and again, and to have an answer');
    is kick($one, 'key=peter&for=60')->status, 200, 'a kick';
    wait_read($two);
    is_refused($two, 'peter', 'as long as it says');
    is kick($one, 'key=peter&for=0')->status, 200, 'which is taken back';
    $cable[1]->clear;
};

# Its ids are older than that of the newest entry that the machines have read before.
subtest 'a control stream that begins anew' => sub {
    my $soon = 3_600_000 + int 1000 * time;
    $redis->command(XADD => 'sse:events:control', "$soon-0", other => 1);
    wait_read($_) for $one, $two;
    $redis->command(DEL => 'sse:events:control');
    $_->reset for @cable;
    my @reads = map { $_->counts->{XREAD} } @cable;
    wait_until(sub { !grep { $cable[$_]->counts->{XREAD} == $reads[$_] } 0, 1 }, 'the machines to read again');
    wait_read($_) for $one, $two;
};

# Meanwhile the others fill the control stream: each adds a probe every second.
subtest 'a machine that is cut off for long' => sub {
    my $there = subscribe($two, 'olga')->ready;
    $cable[1]->divide;
    wait_health($two, '');
    is kick($one, 'key=olga&for=60')->status, 200, 'a kick';
    $redis->command(EVAL => 'for i = 1, 3000 do redis.call("XADD", KEYS[1], "*", "probe", i) end', 1, 'sse:events:control');
    is kick($one, 'key=nobody&for=0')->status, 200, 'and another one, much later';
    $cable[1]->clear;
    is_kicked($there, 'it learns of it when it is back');
    is_refused($two, 'olga', 'there');
    wait_health($two, 1);
    is kick($one, 'key=olga&for=0')->status, 200, 'which is taken back';
};

subtest 'Redis is away' => sub {
    my ($here, $there) = map { subscribe($_, 'grace')->ready } $one, $two;
    $redis->kill9;
    wait_health($one, '');
    my $start  = time;
    my $answer = kick($one, 'key=grace&for=60');
    cmp_ok time - $start, '<', 3, 'the answer comes at once';
    is $answer->status, 503, 'an error';
    like $answer->json->{error}, qr/this machine only/, 'that says what is missing';
    is $answer->json->{for}, 60, 'and what holds';
    ok $answer->header('Retry-After'), 'for now';
    is_kicked($here, 'on this machine');
    is_refused($one, 'grace', 'there');
    is $there->closed, '', 'not on the other';
    is kick($one, 'key=grace&for=60', '/page')->body, 'a page', 'an error_page holds for it';
    $redis->launch;
    wait_until(sub { kick($one, 'key=grace&for=60')->status == 200 }, 'the same kick to be taken');
    is_kicked($there, 'and now the other');
};

subtest 'Redis does not answer' => sub {
    wait_health($_, 1) for $one, $two;
    my $here = subscribe($one, 'heidi')->ready;
    $redis->freeze;
    my @answer = map { $one->request(POST => '/kick?key=heidi&for=60', body => '') } 1 .. 3;
    $answer[0]->close; # a client that does not wait for the answer
    is $_->finish->status, 503, 'an error in time' for @answer[1, 2];
    is_kicked($here, 'it holds on this machine');
    $redis->thaw;
    wait_until(sub { kick($one, 'key=heidi&for=0')->status == 200 }, 'all to go on');
};

subtest 'a machine that starts later' => sub {
    wait_until(sub { kick($one, 'key=ivan&for=60')->status == 200 }, 'a kick');
    my $three = start_machine($redis);
    wait_until(sub { my $client = subscribe($three, 'ivan'); my $status = $client->status; $client->close; $status == 403 }, 'it to know');
    is kick($three, 'key=ivan&for=0')->status, 200, 'it takes the kick back';
    wait_admitted($_, 'ivan') for $one, $two, $three;
    is_deeply [$three->stop], [], 'no trouble';
};

subtest 'a worker leaves that waits for Redis' => sub {
    for my $worker ($one->workers) {
        wait_until(
            sub { $one->publish('/kick?key=judy&for=0', '', on => $one->connect_to($worker))->status == 200 },
            'a worker to kick'
        );
    }
    my $hits = $cable[0]->hits;
    $cable[0]->rule(match => '^XADD sse:events:control MAXLEN ~ \d+ \* kick', hang => 0, times => 1);
    my $waits = $one->request(POST => '/kick?key=judy&for=60', body => '');
    wait_until(sub { $cable[0]->hits > $hits }, 'Redis to be told');
    $one->signal('HUP');
    is $waits->finish->status, 503, 'who kicks has an answer';
    wait_until(sub { !$one->leaving_workers }, 'the worker to leave');
};

is_deeply [$_->stop], [], 'no trouble' for $one, $two;
done_testing;
