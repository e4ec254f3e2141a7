# The recipes that bring events from elsewhere into channels: docs/guide.md from MQTT, docs/migration.md from Redis. What is
# sent there arrives here, whatever it is, and goes on after a reload of nginx.
# needs: module mqtt redis
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use SSE::Client;
use SSE::Document;
use SSE::Nginx;
use SSE::Redis;

my %running;

# A process in a group of its own, with what it starts.
sub spawn (@command) {
    my $pid = fork // die "fork: $!";
    return $running{$pid} = $pid if $pid;
    setpgrp;
    open STDOUT, '>>', $ENV{BRIDGE_LOG};
    open STDERR, '>&', \*STDOUT;
    exec @command or POSIX::_exit(127);
}

sub end ($pid) {
    local $?;
    kill TERM => -$pid;
    waitpid $pid, 0;
    delete $running{$pid};
}

END { end($_) for keys %running }

my $server = SSE::Nginx->start(
    workers   => 2,
    locations => join "\n", map { location(@$_) } ['docs/guide.md', '/values'], ['docs/guide.md', '/sensors'],
        ['docs/migration.md', '/from-redis'],
);
local $ENV{BRIDGE_LOG} = $server->prefix . '/bridge.log';

# Runs a recipe with the ports of this test.
sub bridge ($code, $theirs, $port) {
    my $here = $server->port;
    return spawn('bash', '-c', $code =~ s/\b8080\b/$here/r =~ s/\b$theirs\b/$port/r);
}

# Sends until the first event arrives, because nothing shows when a recipe has begun to listen; returns that event.
sub first_event ($client, $send) {
    my $event;
    wait_until(sub { $send->(); $event = $client->next_event(0.3) }, 'the first event');
    return $event;
}

# The next event that was not sent only to find out whether the recipe listens.
sub next_but ($client, $pattern) {
    while (my $event = $client->next_event) {
        return $event if $event->{data} !~ $pattern;
    }
    return { data => 'nothing' };
}

subtest 'MQTT' => sub {
    my $port = SSE::Nginx::free_port();
    $server->write_file('mosquitto.conf', "listener $port 127.0.0.1\nallow_anonymous true\n");
    my $broker = spawn('/usr/sbin/mosquitto', '-c', $server->prefix . '/mosquitto.conf');
    my $send   = sub ($topic, $payload) {
        system('mosquitto_pub', '-p', $port, '-t', $topic, '-m', $payload) == 0 or diag 'mosquitto_pub failed';
    };
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }, 'the broker');
    my $bridge = bridge(sample('docs/guide.md', 'mqtt'), 1883, $port);
    my $all    = $server->subscribe('/sub?channel=factory')->ready;
    my $alarms = $server->subscribe('/sub?channel=factory/alarms')->ready;
    my $probe  = sub { $send->('factory/probe', '0') };

    first_event($all, $probe);
    $send->('factory/press/rpm', '1475');
    $send->('factory/press/rpm', '1480');
    $send->('factory/press/alarm', "hot \"now\"\nsecond line");
    is_deeply [map { my $event = next_but($all, qr/probe/); ($event->{type}, decode_json($event->{data})) } 1 .. 3],
        [
            reading => { topic => 'factory/press/rpm', value => '1475' },
            reading => { topic => 'factory/press/rpm', value => '1480' },
            alarm   => { topic => 'factory/press/alarm', value => "hot \"now\"\nsecond line" },
        ],
        'every reading arrives, in order';
    is $alarms->next_event->{type}, 'alarm', 'an alarm also where nothing else is';
    my $late = $server->subscribe('/values?channels=factory/press/rpm,factory/press/alarm');
    like $late->next_event->{data}, qr/1480/, 'a page that is opened later gets the last value';
    like $late->next_event->{data}, qr/hot/,  'of each';
    $_->close for $all, $late, $alarms;

    my @old = $server->reload;
    my $after = $server->subscribe('/sub?channel=factory')->ready;
    like first_event($after, $probe)->{data}, qr/probe/, 'after a reload it goes on';
    $after->close;
    $server->wait_gone(@old);
    end($_) for $bridge, $broker;
};

subtest 'Redis' => sub {
    my $redis = SSE::Redis->start;
    my ($cli) = grep { my $name = $_; grep {-x "$_/$name"} split /:/, $ENV{PATH} } qw(redis-cli valkey-cli);
    my $bridge = bridge(sample('docs/migration.md', 'redis') =~ s/redis-cli/$cli/r, 6379, $redis->port);
    my $client = $server->subscribe('/sub?channel=chat:1')->ready;
    my $probe  = sub { $redis->command(PUBLISH => 'chat:1', 'probe') };
    first_event($client, $probe);
    my @texts = ('{"from":"alice","text":"hello"}', "two\nlines", "\xe4\xb8\xad \"quoted\" \\ back", '');
    $redis->command(PUBLISH => 'other', 'nobody listens to this');
    $redis->command(PUBLISH => 'chat:1', $_) for @texts;
    is_deeply [map { next_but($client, qr/probe/)->{data} } @texts], \@texts, 'what is published arrives as it is';
    $client->close;

    my @old = $server->reload;
    my $after = $server->subscribe('/sub?channel=chat:1')->ready;
    is first_event($after, $probe)->{data}, 'probe', 'after a reload it goes on';
    $after->close;
    $server->wait_gone(@old);
    end($bridge);
    $redis->stop;
};

diag slurp($ENV{BRIDGE_LOG}) if !Test::More->builder->is_passing;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
