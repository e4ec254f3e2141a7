# A program that may write to Redis can hold up neither readers nor publishers by what it writes, and cannot make a machine
# acknowledge events that are never read.
# needs: module redis
use v5.36;
use lib qw(t/lib t/bus);
use Test::More;
use Time::HiRes qw(sleep time);
use Bus::One;
use SSE::Nginx;
use SSE::Process ();
use SSE::Redis;
use SSE::RedisProxy;

my $large = 'x' x 20_000_000; # larger than a reply to XREAD may be

sub follower ($server) { return ($server->log =~ /(\d+)#\d+: sse: bus "events": this worker follows/)[-1] }

# Publishes through each worker, and returns the data that was acknowledged.
sub publish_everywhere ($server, $name) {
    my @acknowledged;
    for my $worker ($server->workers) {
        my $connection = $server->connect_to($worker);
        for my $n (1 .. 3) {
            my $answer = $server->publish('/pub?channel=c', "$name $worker $n", on => $connection);
            push @acknowledged, "$name $worker $n" if $answer->status == 201;
            $connection = $server->connect_to($worker) if $answer->closed;
        }
    }
    return @acknowledged;
}

subtest 'an id after which no id fits the log' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    publish($server, 'before');
    my $soon = 3_600_000 + int 1000 * time;
    $redis->command(XADD => 'sse:events', "$soon-281474976710655", channel => 'c', data => 'the last that fits');
    my @acknowledged = publish_everywhere($server, 'after');
    cmp_ok scalar(@acknowledged), '>=', 4, 'publishers notice, and go on';
    is_deeply [$subscriber->data(2 + @acknowledged)], ['before', 'the last that fits', @acknowledged], 'what is acknowledged is read';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a stream that is deleted when its ids lie in the future' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    my $soon       = 3_600_000 + int 1000 * time;
    $redis->command(XADD => 'sse:events', "$soon-0", channel => 'c', data => 'too early');
    is $subscriber->next_event->{data}, 'too early', 'an event';
    $redis->command(DEL => 'sse:events');
    my @acknowledged = publish_everywhere($server, 'after');
    cmp_ok scalar(@acknowledged), '>=', 4, 'publishers notice, and go on';
    my @events = grep { $_->{type} ne 'gap' } $subscriber->events(1 + @acknowledged);
    is_deeply [map { $_->{data} } @events], \@acknowledged, 'what is acknowledged is read';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a large entry of the control stream' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    publish($server, 'before');
    my $follower = follower($server);
    SSE::Process::freeze($follower);
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => "event $_") for 1 .. 3;
    $redis->command(XADD => 'sse:events:control', '*', large => $large);
    $redis->command(XADD => 'sse:events:control', '*', small => 1);
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => "event $_") for 4 .. 6;
    SSE::Process::thaw($follower);
    is_deeply [$subscriber->data(7)], ['before', map {"event $_"} 1 .. 6], 'no event is skipped with it';
    wait_well($server);
    publish($server, 'after');
    is $subscriber->next_event->{data}, 'after', 'and those that come are read';
    is_deeply [$server->stop], [], 'no trouble';
};

# XINFO STREAM returns this entry, and each connection for publishing begins with that command.
subtest 'a large entry at the end of the stream' => sub {
    my $redis = SSE::Redis->start;
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => $large);
    my $server = nginx_for($redis->address);
    for my $worker ($server->workers) {
        wait_until(
            sub { $server->publish('/pub?channel=c', 'an event', on => $server->connect_to($worker))->status == 201 },
            'a worker to publish'
        );
    }
    pass 'all workers publish';
    is_deeply [$server->stop], [], 'no trouble';
};

# The machine reads already, and regularly asks how many entries there are.
subtest 'entries that are trimmed before they are read, after a large one' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address, workers => 1);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    my ($worker)   = $server->workers;
    publish($server, 'before');
    SSE::Process::freeze($worker);
    $redis->command(EVAL => 'for i = 1, 500 do redis.call("XADD", KEYS[1], "*", "channel", "other", "data", i) end', 1, 'sse:events');
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => $large);
    sleep 1.1; # so that it asks before it has read all of them
    SSE::Process::thaw($worker);
    wait_until(sub { $server->log =~ /is skipped: / }, 'the large one to be skipped');
    publish($server, 'after');
    is_deeply [$subscriber->data(2)], ['before', 'after'], 'what precedes it comes, and what follows';
    my $number = 0;
    my @told;
    my $is_told = sub { # it notices only if it asks before it reads
        SSE::Process::freeze($worker);
        $redis->command(XADD => 'sse:events', '*', channel => 'c', data => ++$number) for 1 .. 10;
        $redis->command(XTRIM => 'sse:events', MAXLEN => 5);
        SSE::Process::thaw($worker);
        push @told, $subscriber->next_event while !@told || $told[-1]{data} ne $number;
        return grep { $_->{type} eq 'gap' } @told;
    };
    wait_until($is_told, 'a gap to be told', 20);
    pass 'a gap is told';
    is_deeply [$server->stop], [], 'no trouble';
};

# They are short in the protocol, and large once they are parsed.
subtest 'entries with very many fields' => sub {
    my $redis      = SSE::Redis->start;
    my $server     = nginx_for($redis->address);
    my $subscriber = $server->subscribe('/sub?channel=c')->ready;
    publish($server, 'before');
    my $follower = follower($server);
    SSE::Process::freeze($follower);
    my @fields = map { ($_, 1) } 1 .. 10_000;
    $redis->command(XADD => 'sse:events', '*', channel => 'c', data => $_, @fields) for 1 .. 150;
    SSE::Process::thaw($follower);
    is_deeply [$subscriber->data(151)], ['before', 1 .. 150], 'are read';
    my $refused = () = $server->log =~ /a reply is too large/g;
    cmp_ok $refused, '<=', 2, 'without being refused again and again';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'replies that bring nothing' => sub {
    my $redis  = SSE::Redis->start;
    my $proxy  = SSE::RedisProxy->start(to => $redis);
    my $server = nginx_for($proxy->address);
    my %reply  = (
        'of another stream'       => "*1\r\n*2\r\n\$1\r\ns\r\n*0\r\n",
        'with an old entry'       => "*1\r\n*2\r\n\$10\r\nsse:events\r\n*1\r\n*2\r\n\$3\r\n1-1\r\n*2\r\n\$1\r\na\r\n\$1\r\nb\r\n",
        'with an entry of no id'  => "*1\r\n*2\r\n\$18\r\nsse:events:control\r\n*1\r\n*2\r\n\$3\r\nabc\r\n*0\r\n",
        'of something else'       => "*2\r\n:1\r\n:2\r\n",
    );
    for my $what (sort keys %reply) {
        $proxy->rule(match => '^XREAD ', answer => $reply{$what});
        $proxy->reset;
        wait_until(sub { $proxy->hits > 0 }, 'such a reply');
        sleep 1;
        cmp_ok $proxy->hits, '<', 50, "$what: not asked for again and again";
        $proxy->clear;
    }
    wait_well($server);
    publish($server, 'after');
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
