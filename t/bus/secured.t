# A server that requires TLS, a user or a password gets them, and a server that cannot prove its identity gets nothing.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Certificate;
use SSE::Dns;
use SSE::Nginx;
use SSE::Redis;

sub machine ($bus, %option) {
    my $server = SSE::Nginx->new(%option);
    $server->{http} = ($option{http} // '') . "sse_zone events @{[ $option{zone} // '4m' ]}; sse_bus events $bus;";
    while (my ($name, $content) = each %{ $option{files} // {} }) {
        $server->write_file($name, $content);
    }
    $server->write_configuration;
    $server->launch or die $server->log;
    return $server;
}

sub await_log ($server, $pattern) { wait_until(sub { $server->log =~ $pattern }, "line $pattern") }

# Tests that an event arrives.
sub works ($server, $redis, $name) {
    await_log($server, qr/sse: bus "events": follows/);
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    $redis->command(XADD => 'sse:events', '*', channel => 'a', data => 'hello');
    is_deeply [$subscriber->data(1)], ['hello'], $name;
    is_deeply [$server->stop], [], 'no trouble';
}

sub fails ($server, $why, $name) {
    await_log($server, qr/sse: bus "events": connection to \S+ failed: $why/);
    pass $name;
    unlike $server->log, qr/bus "events": follows/, 'and nothing is followed';
    is_deeply [$server->stop], [], 'no trouble';
}

my $rights = '~sse:events* +@connection +@read +@stream +@write +role +time +wait -@dangerous +role';

subtest 'a password' => sub {
    my $redis = SSE::Redis->start(password => 'se+cret/@:');
    my $where = "127.0.0.1:@{[ $redis->port ]}";
    works(machine("redis://:se+cret%2F%40%3A\@$where"), $redis, 'in the URL');
    works(machine("redis://$where password_file=password", files => { password => "se+cret/\@:\nmore\n" }), $redis, 'in a file');
    fails(machine("redis://:wrong\@$where"), qr/WRONGPASS/, 'a wrong one');
    fails(machine("redis://$where"), qr/NOAUTH/, 'none');
};

subtest 'a server that repeats the password in its answer' => sub {
    my $redis  = SSE::Redis->start(config => ['rename-command AUTH ""']);
    my $server = machine("redis://:topsecret\@127.0.0.1:@{[ $redis->port ]}");
    await_log($server, qr/connection to \S+ failed: the server does not take the password/);
    unlike $server->log, qr/topsecret/, 'has it not in the log';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a password that changes' => sub {
    my $redis = SSE::Redis->start(password => 'old');
    my $server = machine("redis://127.0.0.1:@{[ $redis->port ]} password_file=password", files => { password => 'old' });
    await_log($server, qr/bus "events": follows/);
    my $start = $server->subscribe('/sub?channel=a')->ready->last_event_id;
    $redis->command(CONFIG => SET => requirepass => 'new');
    $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
    await_log($server, qr/failed: WRONGPASS/);
    $redis->command(XADD => 'sse:events', '*', channel => 'a', data => 'meanwhile');
    $server->write_file(password => 'new');
    $server->reload;
    is_deeply [$server->subscribe('/sub?channel=a', cursor => $start)->data(1)], ['meanwhile'], 'a reload takes the new one, and nothing is missed';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a user with few rights' => sub {
    my $redis = SSE::Redis->start(users => ["sse on >secret $rights"], config => ['user default on nopass ~* &* +@all']);
    my $where = "127.0.0.1:@{[ $redis->port ]}";
    works(machine("redis://sse:secret\@$where"), $redis, 'is enough');
    fails(machine("redis://sse:secret\@$where stream=other"), qr/NOPERM/, 'but not for another stream');
    fails(machine("redis://nobody:secret\@$where"), qr/WRONGPASS/, 'nor for another user');
};

subtest 'another database' => sub {
    my $redis = SSE::Redis->start;
    my $server = machine("redis://127.0.0.1:@{[ $redis->port ]}/3 stream=mine");
    await_log($server, qr/bus "events": follows "mine"/);
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    $redis->command(XADD => 'mine', '*', channel => 'a', data => 'in 0');
    $redis->command(EVAL => 'redis.call("SELECT", 3) return redis.call("XADD", "mine", "*", "channel", "a", "data", "in 3")', 0);
    is_deeply [$subscriber->data(1)], ['in 3'], 'of the URL';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'TLS' => sub {
    my $redis = SSE::Redis->start(tls => 1, password => 'secret');
    my ($port, $ca) = ($redis->port, $redis->certificate);
    works(machine("rediss://:secret\@127.0.0.1:$port ca=$ca"), $redis, 'an address in the certificate');
    works(machine("rediss://:secret\@localhost:$port ca=$ca"), $redis, 'a name in the certificate');
    works(machine("rediss://:secret\@127.0.0.1:$port ca=$ca name=localhost"), $redis, 'another name is asked for');
    works(machine("rediss://:secret\@127.0.0.1:$port verify=off"), $redis, 'nothing is verified');
    fails(machine("rediss://:secret\@127.0.0.1:$port ca=$ca name=example.com"), qr/the server's certificate is for another name/, 'a name that is not in it');
    fails(machine("rediss://:secret\@127.0.0.1:$port"), qr/the server's certificate is not to be trusted: self.signed/, 'a certificate that nobody knows');
    my $other = SSE::Redis->start(tls => 1);
    fails(machine("rediss://127.0.0.1:$port ca=@{[ $other->certificate ]}"), qr/the server's certificate is not to be trusted/, 'that of another server');
    fails(machine("redis://:secret\@127.0.0.1:$port"), qr/./, 'no TLS where it is wanted');
    my $plain = SSE::Redis->start;
    fails(machine("rediss://127.0.0.1:@{[ $plain->port ]} verify=off"), qr/the TLS handshake failed|no TLS handshake in time/, 'TLS where there is none');
};

subtest 'a server that asks for a certificate' => sub {
    my $redis = SSE::Redis->start(tls => 1);
    $redis->command(CONFIG => SET => 'tls-auth-clients' => 'yes');
    my ($url, $ca) = ("rediss://127.0.0.1:@{[ $redis->port ]}", $redis->certificate);
    fails(machine("$url ca=$ca", allow => [qr/alert certificate required/]), qr/./, 'lets nobody in without one');
    works(machine("$url ca=$ca certificate=$ca certificate_key=@{[ $ca =~ s/certificate/key/r ]}"), $redis, 'and gets it');
};

subtest 'much over TLS' => sub {
    my $redis = SSE::Redis->start(tls => 1);
    my $server = machine("rediss://localhost:@{[ $redis->port ]} ca=@{[ $redis->certificate ]}", zone => '16m');
    await_log($server, qr/bus "events": follows/);
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    my @data = map { "$_ " . chr(97 + $_ % 26) x (1 + ($_ * 7919) % 60_000) } 1 .. 300;
    my $late = fork // die;
    if (!$late) { # adds them while the subscriber reads
        $redis->{connection} = undef;
        $redis->command(XADD => 'sse:events', '*', channel => 'a', data => $_) for @data;
        POSIX::_exit(0);
    }
    my @received = $subscriber->data(300);
    waitpid $late, 0;
    ok "@received" eq "@data", 'comes whole';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a name that is resolved anew' => sub {
    my $redis = SSE::Redis->start;
    my $dns   = SSE::Dns->start(address => '127.0.0.9');
    my $server = machine("redis://redis.test:@{[ $redis->port ]}", http => "resolver @{[ $dns->address ]} valid=1s ipv6=off; ");
    await_log($server, qr/connection to redis.test:\d+ failed: Connection refused/);
    $dns->answer(address => '127.0.0.1');
    works($server, $redis, 'until it leads to the server');
};

subtest 'a name server that does not answer' => sub {
    my $redis = SSE::Redis->start;
    my $dns   = SSE::Dns->start(address => '127.0.0.1');
    $dns->answer(delay => undef);
    my $port = $redis->port;
    my $server = machine("redis://redis.test:$port,127.0.0.1:$port", http => "resolver @{[ $dns->address ]} ipv6=off; ");
    works($server, $redis, 'is given up, and the next address is used');
};

done_testing;
