# The users of docs/operations.md have the rights that they need in Redis, and no others: the module does everything as the one
# user, and Redis refuses nothing; a program publishes and reads as the other user, and can do no harm.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;

my %user = slurp('docs/operations.md') =~ /<!-- test: bus_(user|program) -->\n```\nuser (.*?)\n```/msg;
is_deeply [sort keys %user], [qw(program user)], 'both are in the document';

my $redis = SSE::Redis->start(users => [values %user]);
my $cable = SSE::RedisProxy->start(to => $redis);
my ($one, $two) = map {
    SSE::Nginx->start(
        workers => 2,
        http    => "sse_zone events 1m; sse_bus events redis://sse:secret\@@{[$_->address]}/0 max=1000 timeout=2s;",
        server  => 'location = /sub { sse_channel $arg_channel; sse_key $arg_uid; }
            location = /pub { sse_publish $arg_channel; }
            location = /whole { sse_publish $arg_channel; sse_batch atomic; sse_framing lines; }
            location = /kick { sse_kick; }
            location = /health { sse_health; }
            location = /status { sse_status; }',
    )
} $redis, $cable;
wait_until(sub { $_->get('/health')->status == 200 }, 'a machine that is well') for $one, $two;

subtest 'the module' => sub {
    my $subscriber = $two->subscribe('/sub?channel=a&uid=alice')->ready;
    is $one->publish('/pub?channel=a', 'plain')->status, 201, 'publishes';
    is $one->publish('/pub?channel=a', 'keyed', headers => ['Idempotency-Key' => 'k'])->status, 201, 'with a key';
    is $two->publish('/pub?channel=a', 'keyed', headers => ['Idempotency-Key' => 'k'])->status, 200, 'repeated at the other machine';
    for my $number (0, 1) {
        my @headers = ('Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => $number);
        is $one->publish('/pub?channel=a', "number $number", headers => \@headers)->status, 201, "number $number of a producer";
        is $two->publish('/pub?channel=a', "number $number", headers => \@headers)->status, 200, 'and again';
    }
    is $one->publish('/whole?channel=a', "first\nsecond\n")->status, 201, 'as a whole';
    is_deeply [$subscriber->data(6)], ['plain', 'keyed', 'number 0', 'number 1', 'first', 'second'], 'and reads';
    is $one->publish('/kick?key=alice&for=1', '')->status, 200, 'kicks';
    is $subscriber->wait_closed, 'abort', 'the other machine, too';
    is $one->publish('/pub?channel=a', '', method => 'DELETE')->status, 200, 'ends a channel';
};

subtest 'the module whose connection breaks' => sub {
    my $late = $two->subscribe('/sub?channel=b')->ready;
    for my $number (1 .. 3) {
        $cable->rule(match => '^XADD sse:events ', cut => 0, times => 1);
        is $two->publish('/pub?channel=b', "event $number")->status, 201, 'finds out that the event is there';
        $cable->clear;
        is $late->next_event->{data}, "event $number", 'once';
    }
    $redis->command(XTRIM => 'sse:events', MAXLEN => 1);
    my $position = sub { $two->get('/status')->json->{zones}{events}{bus}{reconnects} };
    my $before = $position->();
    $cable->reset;
    wait_until(sub { $position->() > $before && $two->get('/health')->status == 200 }, 'it to be back');
};

# The timer that trims fires once a second.
wait_until(sub { my $calls = $redis->calls; $calls->{xtrim} && $calls->{time} }, 'the stream to be trimmed');
is_deeply $redis->command(ACL => 'LOG'), [], 'Redis has refused nothing';
unlike $one->log . $two->log, qr/NOPERM/, 'nor does nginx say so';
# Needed only for another database, for replicas, and for a producer whose record has grown too large.
my %rare = map { $_ => 1 } qw(select wait del);
my $calls = $redis->calls;
is_deeply [grep { !$rare{$_} && !$calls->{$_} } $user{user} =~ /\+(\S+)/g], [], 'and no right is there for nothing';

subtest 'a program' => sub {
    my $program = $redis->connect;
    $program->command(AUTH => 'program', 'secret');
    my $id = $program->command(XADD => 'sse:events', '*', channel => 'c', data => 'hello');
    is $one->subscribe('/sub?channel=c', cursor => '0-0')->next_event->{data}, 'hello', 'publishes';
    is $program->command(XRANGE => 'sse:events', $id, $id)->[0][0], $id, 'reads';
    like $program->command(GET => 'sse:events:lineage'), qr/\A\d+\z/, 'knows the lineage';
    for my $command (['SET', 'sse:events:lineage', 7], ['DEL', 'sse:events'], ['XADD', 'sse:events:control', '*', 'kick', 1, 'key', 'x', 'for', 1],
        ['XTRIM', 'sse:events', 'MAXLEN', 0], ['XDEL', 'sse:events', $id], ['KEYS', '*'], ['FLUSHALL'], ['XADD', 'other', '*', 'a', 1])
    {
        my $refusal = eval { $program->command(@$command); 'none' } // $@;
        like $refusal, qr/NOPERM/, "may not @$command";
    }
};

is_deeply [$_->stop], [], 'no trouble' for $one, $two;
done_testing;
