# The process between nginx and Redis of the other tests follows its orders, and does nothing else.
# needs: redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;

my $redis = SSE::Redis->start;
my $proxy = SSE::RedisProxy->start(to => $redis);
$redis->command(SET => $_, $_ x 10) for qw(a b c);

sub client ($timeout = 5) { return SSE::Resp->connect(address => '127.0.0.1', port => $proxy->port, timeout => $timeout) }
sub get (@keys) { return join '', map { SSE::Resp::encode(GET => $_) } @keys }

subtest 'nothing' => sub {
    my $client = client();
    is $client->command(GET => 'a'), 'a' x 10, 'an answer';
    $client->send(get(qw(a b c)));
    is_deeply [map { $client->reply } 1 .. 3], [map { $_ x 10 } qw(a b c)], 'several at once';
    my $large = 'x' x 3_000_000;
    is $client->command(ECHO => $large), $large, 'a large one';
    is_deeply $proxy->counts, { GET => 4, ECHO => 1 }, 'counted';
    is $proxy->opened, 1, 'on one connection';
};

subtest 'another answer' => sub {
    $proxy->rule(match => '^GET b', answer => "-LOADING of the data\r\n");
    my $client = client()->send(get(qw(a b c)));
    is $client->reply, 'a' x 10, 'not to the one before';
    is ${ $client->reply }, 'LOADING of the data', 'but to this one';
    is $client->reply, 'c' x 10, 'and not to the one after it';
    is $proxy->hits, 1, 'which is counted';
    $proxy->clear;
    is $client->command(GET => 'b'), 'b' x 10, 'until it is told otherwise';
};

subtest 'a part of an answer' => sub {
    my $whole = SSE::Resp::text('b' x 10);
    for my $bytes (0, 1, 5, length $whole) {
        $proxy->rule(match => '^GET b', cut => $bytes, times => 1);
        my $client = client()->send(get(qw(a b c)));
        $client->reply;
        ok !eval { $client->reply, $client->reply }, "the connection ends after $bytes bytes";
        is $client->{in}, $bytes == length $whole ? '' : substr($whole, 0, $bytes), 'which have come';
        is client()->command(GET => 'b'), 'b' x 10, 'once only';
        $proxy->clear;
    }
    $proxy->rule(match => '^GET b', hang => 5, times => 1);
    my $client = client()->send(get(qw(a b c)));
    $client->reply;
    $client->{timeout} = 0.3;
    like eval { $client->reply } // $@, qr/\Ano answer/, 'or nothing more comes';
    is $client->{in}, substr($whole, 0, 5), 'than the bytes';
    $proxy->clear;
};

subtest 'later' => sub {
    $proxy->rule(match => '^GET b', delay => 1);
    my $start = time;
    my $client = client()->send(get(qw(a b c)));
    is $client->reply, 'a' x 10, 'one before it';
    cmp_ok time - $start, '<', 0.9, 'at once';
    is $client->reply, 'b' x 10, 'the one';
    cmp_ok time - $start, '>=', 1, 'late';
    is $client->reply, 'c' x 10, 'then the one after it';
    $proxy->clear;
};

subtest 'divided' => sub {
    my $client = client();
    is $client->command('PING'), 'PONG', 'an answer';
    $proxy->divide;
    $client->{timeout} = 0.3;
    ok !eval { $client->command('PING') }, 'no answer';
    ok !eval { client(0.3)->command('PING') }, 'nor for another';
    $proxy->clear;
    $client->{timeout} = 5;
    is $client->reply, 'PONG', 'it comes later';
};

subtest 'ended, and led elsewhere' => sub {
    my $client = client();
    is $client->command('PING'), 'PONG', 'an answer';
    $proxy->reset;
    ok !eval { $client->command('PING') }, 'no connection';
    my $other = SSE::Redis->start;
    $proxy->lead($other);
    is client()->command(GET => 'a'), undef, 'another Redis';
    $proxy->lead($redis);
    is client()->command(GET => 'a'), 'a' x 10, 'and back';
    $redis->stop;
    ok !eval { client()->command('PING') }, 'no answer without Redis';
};

done_testing;
