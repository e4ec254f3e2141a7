# What is easily done wrong with Redis: answers that come early, late, half, too large or as an error; commands that mean less
# than they seem to; names that take long to resolve. Each event comes once all the same, and no worker spins or waits.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Dns;
use SSE::Nginx;
use SSE::Process qw(peak_memory);
use SSE::Redis;
use SSE::RedisProxy;

my ($redis, $proxy, $nginx, $subscriber, $number);

sub nginx_for ($addresses, $bus = '', %option) {
    my %usual = SSE::Nginx::usual(locations => 'location = /health { sse_health; }', subscribe => 'sse_heartbeat 1s;');
    my $http  = delete $option{http} // '';
    my $server = SSE::Nginx->start(%usual, workers => 2, http => "$usual{http} $http sse_bus events redis://$addresses $bus;", %option);
    return $server;
}

sub is_well ($server) { return $server->get('/health')->status == 200 }
sub wait_well ($server) { wait_until(sub { is_well($server) }, 'the machine to be well') }

# Publishes until that is acknowledged, as a publisher does: with a key whatever the answer is, and without one only if it is
# known that nothing has been published.
sub publish ($data, %option) {
    my $server = $option{on} // $nginx;
    wait_until(
        sub {
            my @key    = $option{key} ? (headers => ['Idempotency-Key' => $data]) : ();
            my $answer = $server->publish('/pub?channel=c', $data, @key);
            die "nobody knows whether \"$data\" was published\n" if !$option{key} && ($answer->json->{published} // '') eq 'unknown';
            return $answer->status =~ /\A20[012]\z/;
        },
        "\"$data\" to be published"
    );
}

# The next events come, once each, and the subscriber has been told of no gap.
sub goes_on ($what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @data = map { "$what " . ++$number } 1 .. 3;
    publish($_, %option) for @data;
    is_deeply [map {"$_->{type} $_->{data}"} $subscriber->events(3)], [map {"message $_"} @data], "$what: events come";
}

# Reading, publishing, and publishing under a key, which is a script. What is read is asked for when there is a connection.
my %command = (reading => '^XREAD ', publishing => '^XADD ', 'publishing under a key' => '^EVAL');

# The events come although this happens to each of them.
sub for_each_command ($what, %rule) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $name (sort keys %command) {
        $proxy->rule(match => $command{$name}, times => 1, %rule);
        $proxy->reset if $name eq 'reading' && exists $rule{answer};
        goes_on("$name, $what", key => $name =~ /key/);
        cmp_ok $proxy->hits, '>', 0, 'it has happened';
        $proxy->clear;
    }
}

# One nginx behind the proxy for all that follows.
$redis = SSE::Redis->start;
$proxy = SSE::RedisProxy->start(to => $redis);
$nginx = nginx_for($proxy->address);
wait_well($nginx);
$subscriber = $nginx->subscribe('/sub?channel=c')->ready;
goes_on('nothing');

sub calls_in ($seconds, $name) {
    my $before = $proxy->counts->{$name} // 0;
    sleep $seconds;
    return ($proxy->counts->{$name} // 0) - $before;
}

subtest 'empty answers at once do not make a worker spin' => sub {
    $proxy->rule(match => '^XREAD ', answer => "*-1\r\n");
    $proxy->reset;
    wait_until(sub { $proxy->hits > 0 }, 'a read');
    cmp_ok calls_in(2, 'XREAD'), '<=', 40, 'about ten a second';
    $proxy->clear;
    goes_on('empty answers');
};

subtest 'errors in place of an answer' => sub {
    my @errors = (
        'LOADING Redis is loading the dataset in memory',
        "READONLY You can't write against a read only replica.",
        'NOAUTH Authentication required.',
        'MOVED 3999 127.0.0.1:6381',
        'MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to \'no\'.',
        'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
        'ERR something else',
    );
    for my $error (@errors) {
        my ($name) = $error =~ /\A(\w+)/;
        for_each_command($name, answer => "-$error\r\n", times => 3);
    }
    for my $command (qw(ROLE GET XINFO CLIENT)) {
        $proxy->rule(match => "^$command", answer => "-LOADING Redis is loading the dataset in memory\r\n", times => 2);
        $proxy->reset;
        goes_on("LOADING to $command");
        $proxy->clear;
    }
};

subtest 'an answer that is cut' => sub {
    for_each_command("$_ bytes of the answer", cut => $_) for 0, 1, 5, 11;
};

subtest 'half an answer, then silence' => sub {
    my $start = time;
    for_each_command('half an answer', hang => 5);
    cmp_ok time - $start, '<', 30, 'within the time-outs';
};

subtest 'claims of sizes that are not meant' => sub {
    my $entry = "*1\r\n*2\r\n\$10\r\nsse:events\r\n*1\r\n*2\r\n\$15\r\n1700000000000-0\r\n*4\r\n\$7\r\nchannel\r\n\$1\r\nc\r\n\$4\r\ndata\r\n";
    my %claim = (
        'a text of 512 MB'         => "\$536870912\r\nabc",
        'a text of 512 MB, nested' => "$entry\$536870912\r\nabc",
        'a thousand million'       => "*1000000000\r\n",
        'many levels'              => "*1\r\n" x 1000,
        'no RESP at all'           => "HTTP/1.1 400 Bad Request\r\n\r\n",
    );
    my $most = sub () { return (sort { $b <=> $a } map { peak_memory($_) } $nginx->workers)[0] };
    for my $name (sort keys %claim) {
        my $before = $most->();
        for_each_command($name, answer => $claim{$name});
        cmp_ok $most->() - $before, '<', 24e6, 'no worker takes the memory for it';
    }
};

subtest 'answers that are late' => sub {
    for_each_command('late answers', delay => 0.2, times => 3);
};

subtest 'a connection that breaks with commands under way' => sub {
    for my $round (1 .. 5) {
        $proxy->rule(match => '^XADD ', hang => 0, times => 1);
        my $publisher = $nginx->request(POST => '/pub?channel=c', body => "broken $round");
        wait_until(sub { $proxy->hits > 0 }, 'the command');
        $proxy->clear;
        $proxy->reset;
        is $publisher->status, 201, 'found in the stream';
        is $subscriber->next_event->{data}, "broken $round", 'and published once';
    }
    goes_on('broken connections');
    is scalar(grep { ($_->[1]{data} // '') =~ /^broken \d/ } $redis->entries('sse:events')), 5, 'in Redis, too';
};

is_deeply [$nginx->stop], [], 'no trouble';

subtest 'every event lies in the stream once' => sub {
    my %times;
    $times{ $_->[1]{data} }++ for grep { exists $_->[1]{data} } $redis->entries('sse:events');
    is_deeply [grep { $times{$_} > 1 } keys %times], [], 'none twice';
};

subtest 'MAXLEN ~ and MINID ~ trim whole nodes' => sub {
    my $small = SSE::Redis->start(config => ['stream-node-max-entries 100']);
    my $server = nginx_for($small->address, 'max=10');
    wait_well($server);
    publish("first $_", on => $server) for 1 .. 30;
    sleep 2.5; # twice as long as it takes until it trims
    is $small->command(XLEN => 'sse:events'), 30, 'less than a node stays, and nobody minds';
    publish("more $_", on => $server) for 1 .. 300;
    wait_until(sub { $small->command(XLEN => 'sse:events') <= 120 }, 'the stream to be trimmed');
    ok is_well($server), 'more than that is trimmed';
    is_deeply [$server->stop], [], 'no trouble';
};

# The command WAIT tells of the writes of its own connection: on another one it would say at once that all replicas have all.
subtest 'acks wait for the writes of that connection' => sub {
    my $master  = SSE::Redis->start;
    my $replica = SSE::Redis->start(replica_of => $master)->wait_synchronous;
    my $server  = nginx_for($master->address, 'acks=1 timeout=1s', workers => 2);
    wait_well($server);
    my $answer = $server->publish('/pub?channel=c', 'with a replica');
    is $answer->status, 201, 'the replica has it';
    $replica->freeze;
    for my $n (1 .. 4) {
        $answer = $server->publish('/pub?channel=c', "without $n");
        is $answer->status, 202, 'no replica has it';
        is $answer->json->{replicas}, 0, 'and so it says';
    }
    $replica->thaw;
    wait_until(sub { $server->publish('/pub?channel=c', 'again')->status == 201 }, 'the replica');
    pass 'the replica has it again';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a reader that is blocked when its master becomes a replica' => sub {
    my $master  = SSE::Redis->start;
    my $replica = SSE::Redis->start(replica_of => $master)->wait_synchronous;
    my $server  = nginx_for($master->address . ',' . $replica->address);
    wait_well($server);
    my $listener = $server->subscribe('/sub?channel=c')->ready;
    publish('before', on => $server);
    wait_until(sub { $replica->command(XLEN => 'sse:events') == $master->command(XLEN => 'sse:events') }, 'the replica');
    $replica->promote;
    $master->follow($replica);
    publish('after', on => $server);
    is_deeply [$listener->data(2)], [qw(before after)], 'goes to the new one';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'slow names' => sub {
    my $dns = SSE::Dns->start(address => '127.0.0.1', delay => 0);
    my $one = SSE::Redis->start;
    my $port = $one->port;
    my $server = nginx_for("redis.test:$port", '', http => "resolver @{[$dns->address]} valid=1s ipv6=off; resolver_timeout 5s;");
    wait_well($server);
    $dns->answer(delay => 2);
    $one->restart;
    my $questions = $dns->questions;
    wait_until(sub { $dns->questions > $questions }, 'a question');
    my $start = time;
    is $server->get('/status')->status, 200, 'a worker that waits for a name goes on';
    cmp_ok time - $start, '<', 0.5, 'meanwhile';
    publish('resolved', on => $server);
    $dns->answer(delay => undef);
    $one->restart;
    $questions = $dns->questions;
    wait_until(sub { $dns->questions > $questions }, 'a question');
    wait_until(sub { !is_well($server) }, 'the machine to be ill');
    pass 'a name that is never resolved makes a machine ill';
    $dns->answer(delay => 0);
    wait_well($server);
    $one->stop; # the name now leads elsewhere
    my $other = SSE::Redis->start(address => '127.0.0.2', port => $port);
    $dns->answer(address => '127.0.0.2');
    wait_well($server);
    publish('elsewhere', on => $server);
    is scalar($other->entries('sse:events')), 1, 'names are resolved anew';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
