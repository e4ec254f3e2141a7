# The Redis of the other tests starts and ends as it should, keeps what it must keep, and answers as a client expects.
# needs: redis
use v5.36;
use lib 't/lib';
use File::Path ();
use Test::More;
use SSE::Nginx;
use SSE::Redis;

sub values_of ($redis) { return [map { $_->[1]{n} } $redis->entries('s')] }

subtest 'commands' => sub {
    my $redis = SSE::Redis->start;
    like my $id = $redis->command(XADD => 's', '*', n => 1), qr/\A\d+-\d+\z/, 'a text';
    is $redis->command(XLEN => 's'), 1, 'an integer';
    is $redis->command(GET  => 'nothing'), undef, 'nil';
    is_deeply $redis->command(XRANGE => 's', '-', '+'), [[$id, ['n', 1]]], 'arrays';
    like $redis->refusal(GET => 's'), qr/\AWRONGTYPE /, 'an error';
    is $redis->refusal(GET => 'nothing'), undef, 'no error';
    is $redis->connect->send("PING\r\nEC")->reply, 'PONG', 'bytes';
    is $redis->calls->{xadd}, 1, 'calls are counted';
};

subtest 'bytes' => sub {
    my $binary = join '', map {chr} 0 .. 255;
    my $redis = SSE::Redis->start;
    $redis->command(SET => 'k', $binary);
    is $redis->command(GET => 'k'), $binary, 'all of them, there and back';
    my $whole = "*2\r\n\$1\r\na\r\n*1\r\n:7\r\n";
    is_deeply [SSE::Resp::parse("$whole+rest\r\n")], [length $whole, ['a', ['7']]], 'a value, and where it ends';
    is_deeply [grep { SSE::Resp::parse(substr $whole, 0, $_) } 0 .. length($whole) - 1], [], 'no value while it is not whole';
};

subtest 'killed and started again' => sub {
    for my $aof (1, 0) {
        my $redis = SSE::Redis->start(aof => $aof);
        my ($pid, $port) = ($redis->pid, $redis->port);
        $redis->command(XADD => 's', '*', n => $_) for 1 .. 100;
        $redis->kill9;
        ok !-e "/proc/$pid", 'it is gone';
        $redis->launch;
        is $redis->port, $port, 'on the same port';
        is_deeply values_of($redis), [$aof ? 1 .. 100 : ()], $aof ? 'with all that it has acknowledged' : 'with nothing';
    }
};

subtest 'frozen' => sub {
    my $redis = SSE::Redis->start;
    $redis->freeze;
    ok !eval { $redis->connect(timeout => 0.3)->command('PING') }, 'no answer';
    $redis->thaw;
    is $redis->command('PING'), 'PONG', 'an answer';
};

subtest 'replicas' => sub {
    my $master = SSE::Redis->start(password => 'secret');
    my $replica = SSE::Redis->start(password => 'secret', replica_of => $master)->wait_synchronous;
    $master->command(XADD => 's', '*', n => 1);
    is $master->command(WAIT => 1, 5000), 1, 'one has it';
    is $replica->command('ROLE')->[0], 'slave', 'which is a replica';
    is_deeply values_of($replica), [1], 'with the data';
    $replica->promote;
    is $replica->command('ROLE')->[0], 'master', 'and becomes a master';
    $master->follow($replica);
    $replica->command(XADD => 's', '*', n => 2);
    wait_until(sub { "@{ values_of($master) }" eq '1 2' }, 'the other way');
    pass 'with the other as its replica';
};

subtest 'who may do what' => sub {
    my $redis = SSE::Redis->start(password => 'secret', users => ['reader on >word ~* +@read']);
    my $anybody = SSE::Resp->connect($redis->where);
    like eval { $anybody->command('PING') } // $@, qr/NOAUTH/, 'nobody without a password';
    $anybody->command(AUTH => 'reader', 'word');
    is $anybody->command(GET => 'k'), undef, 'a user of the ACL';
    like eval { $anybody->command(SET => 'k', 1) } // $@, qr/NOPERM/, 'within its limits';
};

subtest 'TLS' => sub {
    my $redis = SSE::Redis->start(tls => 1);
    is $redis->command('PING'), 'PONG', 'an answer';
    ok !eval { SSE::Resp->connect(address => '127.0.0.1', port => $redis->port, timeout => 1)->command('PING') }, 'none without';
};

subtest 'out of memory' => sub {
    my $redis = SSE::Redis->start(maxmemory => '3mb');
    my $refusal;
    $refusal = $redis->refusal(XADD => 's', '*', n => 'x' x 10_000) while !$refusal;
    like $refusal, qr/\AOOM /, 'said so';
};

subtest 'left to itself' => sub {
    pipe my $reader, my $writer or die "pipe: $!";
    my $test = fork // die "fork: $!";
    if (!$test) {
        my $redis = SSE::Redis->start;
        syswrite $writer, join(' ', $redis->pid, $redis->prefix) . "\n";
        sleep 100;
        POSIX::_exit(0);
    }
    my ($pid, $prefix) = split ' ', readline $reader;
    ok SSE::Nginx::is_running($pid), 'it is there';
    kill KILL => $test;
    waitpid $test, 0;
    wait_until(sub { !SSE::Nginx::is_running($pid) }, 'the end of Redis');
    pass 'it ends with a test that is killed';
    File::Path::remove_tree($prefix);
};

done_testing;
