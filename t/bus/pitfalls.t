# Common mistakes with Redis: commands that guarantee less than they seem to, connections that break, names that resolve slowly.
# needs: module redis
use v5.36;
use lib qw(t/lib t/bus);
use Test::More;
use Time::HiRes qw(sleep time);
use Bus::LateProxy;
use Bus::One;
use SSE::Dns;
use SSE::Nginx;
use SSE::Process;
use SSE::Redis;
use SSE::RedisProxy;

subtest 'a connection that breaks with commands under way' => sub {
    my $redis = SSE::Redis->start;
    my $proxy = SSE::RedisProxy->start(to => $redis);
    my $nginx = nginx_for($proxy->address);
    my $subscriber = $nginx->subscribe('/sub?channel=c')->ready;
    for my $round (1 .. 5) {
        $proxy->rule(match => '^XADD ', hang => 0, times => 1);
        my $publisher = $nginx->request(POST => '/pub?channel=c', body => "broken $round");
        wait_until(sub { $proxy->hits > 0 }, 'the command');
        $proxy->clear;
        $proxy->reset;
        is $publisher->status, 201, 'found in the stream';
        is $subscriber->next_event->{data}, "broken $round", 'and published once';
    }
    my @found = grep { ($_->[1]{data} // '') =~ /^broken \d/ } $redis->entries('sse:events');
    is scalar(@found), 5, 'in Redis, too';
    is_deeply [$nginx->stop], [], 'no trouble';
};

# Once a new connection has looked up what is in the stream, nothing more may arrive through the old one.
subtest 'a command that reaches Redis late' => sub {
    my $redis = SSE::Redis->start;
    my $proxy = Bus::LateProxy->start(to => $redis);
    my $nginx = nginx_for($proxy->address);
    $proxy->hold_back('the late one');
    my $publisher = $nginx->request(POST => '/pub?channel=c', body => 'the late one');
    wait_until(sub { $proxy->has_kept }, 'the connection to be given up');
    is $publisher->finish->status, 201, 'is sent again';
    is $proxy->release, '', 'and is not executed when it comes';
    is scalar(grep { ($_->[1]{data} // '') eq 'the late one' } $redis->entries('sse:events')), 1, 'it is there once';
    is_deeply [$nginx->stop], [], 'no trouble';
};

subtest 'MAXLEN ~ and MINID ~ trim whole nodes' => sub {
    my $small = SSE::Redis->start(config => ['stream-node-max-entries 100']);
    my $server = nginx_for($small->address, bus => 'max=10');
    publish($server, "first $_") for 1 .. 30;
    my $trims = $small->calls->{xtrim} // 0;
    wait_until(sub { ($small->calls->{xtrim} // 0) >= $trims + 4 }, 'it to be trimmed by age and by count, twice');
    is $small->command(XLEN => 'sse:events'), 30, 'less than a node stays, and nobody minds';
    publish($server, "more $_") for 1 .. 300;
    wait_until(sub { $small->command(XLEN => 'sse:events') <= 120 }, 'the stream to be trimmed');
    ok is_well($server), 'more than that is trimmed';
    is_deeply [$server->stop], [], 'no trouble';
};

# Other programs may write, but this machine may not add the mark that says that the stream has lost an entry.
subtest 'a stream that cannot be marked fills no log' => sub {
    my $redis = SSE::Redis->start;
    my $proxy = SSE::RedisProxy->start(to => $redis);
    my $nginx = nginx_for($proxy->address);
    my $subscriber = $nginx->subscribe('/sub?channel=c')->ready;
    my $add = sub ($data) { return $redis->command(XADD => 'sse:events', '*', channel => 'c', data => $data) };
    my @ids = map { $add->("before $_") } 1 .. 3;
    $subscriber->events(3);
    $proxy->rule(match => '^XADD sse:events ', answer => "-NOPERM this user may not\r\n");
    $proxy->lead(SSE::Redis->new); # where nobody listens
    $proxy->reset;
    $redis->command(XDEL => 'sse:events', $ids[-1]);
    $add->('meanwhile');
    $proxy->lead($redis);
    $nginx->wait_for_log(qr/the stream cannot be marked: NOPERM/);
    is $subscriber->next_event->{data}, 'meanwhile', 'it is read';
    for my $number (1 .. 50) {
        $add->("after $number");
        $subscriber->next_event;
    }
    my $messages = () = $nginx->log =~ /cannot be marked/g;
    cmp_ok $messages, '<', 6, 'and it is not logged for each entry';
    is_deeply [$nginx->stop], [], 'no trouble';
};

# A machine that starts waits until it has read the newest entry that it has seen, which is deleted meanwhile.
subtest 'trimmed while a zone is filled' => sub {
    my $redis = SSE::Redis->start;
    my $proxy = SSE::RedisProxy->start(to => $redis);
    my @ids = map { $redis->command(XADD => 'sse:events', '*', channel => 'c', data => $_) } 1 .. 5;
    $proxy->rule(match => '^XREVRANGE sse:events ', delay => 1.5, times => 1);
    my %usual = SSE::Nginx::usual(locations => 'location = /health { sse_health; }');
    my $server = SSE::Nginx->start(workers => 2, %usual, http => "$usual{http} sse_bus events redis://@{[$proxy->address]};");
    wait_until(sub { $proxy->hits > 0 }, 'a page');
    $redis->command(XDEL => 'sse:events', $ids[-1]);
    wait_well($server);
    ok is_well($server), 'it has what is left';
    is_deeply [$server->stop], [], 'no trouble';
};

# One XTRIM removes ten thousand entries at most.
subtest 'more to trim than one command does' => sub {
    my $redis = SSE::Redis->start;
    $redis->command(EVAL => 'for i = 1, 50000 do redis.call("XADD", KEYS[1], i .. "-0", "channel", "c", "data", i) end', 1, 'sse:events');
    my $server = nginx_for($redis->address);
    my $start  = time;
    wait_until(sub { $redis->command(XLEN => 'sse:events') < 100 }, 'what is too old to be gone');
    cmp_ok time - $start, '<', 3, 'without waiting for the next second and the next';
    is_deeply [$server->stop], [], 'no trouble';
};

# Other machines also trim, whether this one has read everything or not. XREAD then continues with what is left.
subtest 'trimmed before it was read' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address, workers => 1);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    publish($server, 'first');
    is $subscriber->next_event->{data}, 'first', 'all is well';
    my ($worker) = $server->workers;
    freeze_reader($worker, $redis);
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => "entry $_") for 1 .. 20;
    $redis->command(XTRIM => 'sse:events', MAXLEN => 5);
    thaw($worker);
    my @got;
    push @got, $subscriber->next_event while !@got || $got[-1]{type} ne 'gap';
    like $got[-1]{data}, qr/"reason":"lost"/, 'a gap is told';
    is_deeply [map { $_->{data} } @got[0 .. $#got - 1]], [map {"entry $_"} 1, 16 .. 20], 'with what there is';
    publish($server, 'later');
    is $subscriber->next_event->{data}, 'later', 'and it goes on';
    is_deeply [$server->stop], [], 'no trouble';
};

# WAIT is about the writes of its own connection. On another connection it would report at once that all replicas have everything.
subtest 'acks wait for the writes of that connection' => sub {
    my $master  = SSE::Redis->start;
    my $replica = SSE::Redis->start(replica_of => $master)->wait_synchronous;
    my $server  = nginx_for($master->address, bus => 'acks=1 timeout=1s');
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
    my $listener = $server->subscribe('/sub?channel=c')->ready;
    publish($server, 'before');
    wait_until(sub { $replica->command(XLEN => 'sse:events') == $master->command(XLEN => 'sse:events') }, 'the replica');
    $replica->promote;
    $master->follow($replica);
    publish($server, 'after');
    is_deeply [$listener->data(2)], [qw(before after)], 'goes to the new one';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a machine that starts while Redis takes nothing' => sub {
    my $redis  = SSE::Redis->start;
    my $before = nginx_for($redis->address);
    publish($before, $_) for 1 .. 3;
    is_deeply [$before->stop], [], 'no trouble';
    $redis->command(CONFIG => SET => maxmemory => 1);
    like $redis->refusal(SET => 'a', 'b'), qr/\AOOM/, 'it is full';
    my $server = SSE::Nginx->start(
        http      => "sse_zone events 4m; sse_bus events redis://@{[$redis->address]};",
        locations => 'location = /all { sse_channel $arg_channel; sse_start earliest; }',
    );
    is_deeply [$server->subscribe('/all?channel=c')->data(3)], [1 .. 3], 'has the history';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a slow line' => sub {
    my $redis = SSE::Redis->start;
    $redis->command(EVAL => 'for i = 1, 50 do redis.call("XADD", KEYS[1], "*", "channel", "c", "data", string.rep("x", 30000)) end', 1, 'sse:events');
    my $proxy = SSE::RedisProxy->start(to => $redis);
    $proxy->rule(match => '^XREVRANGE sse:events ', rate => 400_000);
    my $server = nginx_for($proxy->address);
    is $proxy->hits, 1, 'what takes longer than an answer may, and comes, is not asked for again';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'slow names' => sub {
    my $dns = SSE::Dns->start(address => '127.0.0.1', delay => 0);
    my $one = SSE::Redis->start;
    my $port = $one->port;
    my $server = nginx_for("redis.test:$port", http => "resolver @{[$dns->address]} valid=1s ipv6=off; resolver_timeout 5s;");
    wait_well($server);
    my $asks_without_redis = sub (%how) { # nginx asks again when its answer has expired
        $dns->answer(%how);
        $one->stop;
        my $questions = $dns->questions;
        wait_until(sub { $dns->questions > $questions }, 'a question');
        $one->launch;
    };
    $asks_without_redis->(delay => 2);
    my $start = time;
    is $server->get('/status')->status, 200, 'a worker that waits for a name goes on';
    cmp_ok time - $start, '<', 1.5, 'meanwhile';
    wait_well($server);
    publish($server, 'resolved');
    $asks_without_redis->(delay => undef);
    wait_until(sub { !is_well($server) }, 'the machine to be ill');
    pass 'a name that is never resolved makes a machine ill';
    $dns->answer(delay => 0);
    wait_well($server);
    $one->stop; # the name now leads elsewhere
    my $other = SSE::Redis->start(address => '127.0.0.2', port => $port);
    $dns->answer(address => '127.0.0.2');
    wait_well($server);
    publish($server, 'elsewhere');
    is scalar($other->entries('sse:events')), 1, 'names are resolved anew';
    is_deeply [$server->stop], [], 'no trouble';
};

# Like localhost, where often nobody listens on ::1: the names are tried in turn, and so are the addresses of each name.
subtest 'names with several addresses' => sub {
    plan skip_all => 'only root may give nginx other names' if $>;
    my $redis = SSE::Redis->start;
    my $hosts = $redis->prefix . '/hosts';
    open my $file, '>', $hosts or die "$hosts: $!";
    print $file "127.0.0.1 one.test\n127.0.0.2 one.test\n127.0.0.2 two.test\n127.0.0.3 two.test\n";
    close $file;
    my $port   = $redis->port;
    my $server = nginx_for("one.test:$port,two.test:$port",
        inside => [qw(unshare --mount sh -c), "mount --bind $hosts /etc/hosts && exec \"\$@\"", 'sh']);
    publish($server, 'here');
    is scalar($redis->entries('sse:events')), 1, 'all of them are tried';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
