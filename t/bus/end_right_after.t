# Ends a channel that this machine does not know, or knows as ended. Whatever any machine has published before is in the stream,
# but perhaps not in the zone yet: the worker that reads the stream is stopped.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;
use SSE::Redis;
use SSE::RedisProxy;
use SSE::Util;

my $redis = SSE::Redis->start;
my $proxy = SSE::RedisProxy->start(to => $redis);

sub machine ($bus = '', $address = $proxy->address) {
    my %usual = SSE::Nginx::usual(locations => 'location = /health { sse_health; }
        location = /any { sse_publish $arg_channel; sse_body_channels on; sse_framing json; }');
    my $machine = SSE::Nginx->start(%usual, workers => 2,
        http => "$usual{http} sse_bus events redis://$address stream=s $bus;");
    wait_until(sub { $machine->get('/health')->status == 200 }, 'the machine to be well');
    return $machine;
}

sub follower_of ($machine) {
    my ($follower) = reverse $machine->log =~ /(\d+)#\d+: sse: bus "events": this worker follows/g;
    return $follower;
}

my ($one, $two) = my @machines = map { machine() } 1 .. 2;
my $follower = follower_of($one);
my ($other)  = grep { $_ != $follower } $one->workers;
my $status   = $one->connect_to($other);
sub wait_seen () { $one->get('/status', on => $status) for 1 .. 2 } # the other worker has seen what was sent before

sub end ($channel, $on, %how) {
    return $one->request($how{method} // 'DELETE', "/pub?channel=$channel" . ($how{argument} // ''), on => $on, %how);
}

my %way = (
    'DELETE'               => sub ($round) { () },
    'DELETE with a key'    => sub ($round) { (headers => ['Idempotency-Key' => $round]) },
    '?end'                 => sub ($round) { (method => 'POST', argument => '&end', body => '') },
    '?end and nothing but' => sub ($round) { (method => 'POST', argument => '&end', body => '', type => 'text/event-stream') },
);
for my $name (sort keys %way) {
    subtest $name => sub {
        my $channel = $name =~ tr/a-zA-Z/-/csr;
        my $ended;
        for my $round ('a new channel', 'one that begins again') {
            my $on = $one->connect_to($other);
            freeze($follower);
            is $two->publish("/pub?channel=$channel", $round)->status, 201, $round;
            my $answer = end($channel, $on, $way{$name}->($round));
            wait_seen;
            thaw($follower);
            is $answer->finish->status, 200, 'is ended';
            for my $machine (@machines) {
                is $machine->subscribe("/sub?channel=$channel", cursor => '0-0')->wait_closed, 'clean', 'on all machines';
            }
            isnt $answer->json->{ended_id}, $ended, 'by an end of its own' if $name =~ /DELETE/;
            $ended = $answer->json->{ended_id};
        }
        my $again = end($channel, $one->connect_to($other), $way{$name}->('one that begins again'))->finish;
        is $again->status, 200, 'a second time';
        is $again->json->{ended_id}, $ended, 'there is that end already';
    };
}

sub entries_of ($channel) { return scalar grep { ($_->[1]{channel} // '') eq $channel } $redis->entries('s') }

subtest 'nothing is there' => sub {
    my $before = $redis->command(XLEN => 's');
    is end('nothing', $one->connect_to($other), $way{$_}->(1))->finish->status, 404, $_ for sort keys %way;
    is $redis->command(XLEN => 's'), $before, 'nothing is added to the stream';
};

subtest 'events of other channels' => sub {
    for my $channel ('nobody', 'DELETE') { # the second one has ended
        my $before = entries_of($channel);
        my $answer = $one->publish("/any?channel=$channel&end", '{"channel":"elsewhere","data":"x"}', on => $one->connect_to($other));
        is $answer->status, $before ? 201 : 404, $channel;
        is entries_of($channel), $before, 'is not ended by them';
    }
    is entries_of('elsewhere'), 2, 'they are published';
};

subtest 'many at once, and some that leave' => sub {
    my @on = map { $one->connect_to($other) } 1 .. 60;
    freeze($follower);
    $two->publish("/pub?channel=many$_", 'x') for 1 .. 20;
    my @end = map { end('many' . (1 + $_ % 20), $on[$_]) } 0 .. $#on;
    wait_seen;
    $_ % 3 or $end[$_]->reset for 0 .. $#end;
    wait_seen;
    thaw($follower);
    is scalar(grep { $_ % 3 && $end[$_]->finish->status == 200 } 0 .. $#end), 40, 'all others are answered';
    for my $channel (map {"many$_"} 1 .. 20) {
        is $one->subscribe("/sub?channel=$channel", cursor => '0-0')->wait_closed, 'clean', 'and end';
    }
};

subtest 'Redis' => sub {
    my $on = $one->connect_to($other);
    $redis->command(CONFIG => SET => maxmemory => 1);
    my $answer = end('full', $on)->finish;
    is $answer->status, 404, 'is full';
    $redis->command(CONFIG => SET => maxmemory => 0);
    $proxy->rule(match => '^EVALSHA \w+ 1 s newest', cut => 0, times => 1);
    $answer = end('cut', $on)->finish;
    is $answer->status, 404, 'ends the connection: the channel is looked up through the next one';
    ok $proxy->hits, 'it has done so';
    $proxy->clear;
    my $publisher = $one->connect_to($other);
    $proxy->rule(match => '^EVALSHA \w+ 1 s newest', hang => 0, times => 1);
    $answer = end('lost', $on);
    wait_until(sub { $proxy->hits }, 'the question');
    my $event = $one->request(POST => '/pub?channel=found', body => 'x', on => $publisher);
    wait_until(sub { entries_of('found') }, 'the event');
    $redis->command(CLIENT => KILL => TYPE => 'normal');
    is $event->finish->status, 201, 'loses the answers to a question and an event: the event is found';
    is $answer->finish->status, 404, 'and it is asked again';
    is entries_of('found'), 1, 'once';
    $proxy->clear;
    is entries_of('full') + entries_of('cut'), 0, 'nothing is published';
};

# Then what the zone has decides.
subtest 'a user who may run no scripts' => sub {
    my $strict  = SSE::Redis->start(users => ['sse on >secret ~* &* +@all -evalsha']);
    my $machine = machine('', $strict->address =~ s/\A/sse:secret@/r);
    is $machine->request(DELETE => '/pub?channel=c')->finish->status, 404, 'unknown';
    is $machine->publish('/pub?channel=c', 'x')->status, 201, 'an event';
    wait_until(sub { $machine->get('/pub?channel=c')->json->{last_id} }, 'it in the zone');
    my @end;
    for (1, 2) {
        push @end, $machine->request(DELETE => '/pub?channel=c')->finish->json->{ended_id};
        wait_until(sub { $machine->get('/sub?channel=c')->status == 204 }, 'the end in the zone');
    }
    ok $end[0], 'known';
    is $end[1], $end[0], 'ended';
    $machine->allow(qr/sse: bus/);
    is_deeply [$machine->stop], [], 'no trouble';
};

subtest 'a log that stays behind, and a worker that leaves' => sub {
    my $late = machine('timeout=1s');
    my $reads = follower_of($late);
    my ($serves) = grep { $_ != $reads } $late->workers;
    my @on = map { $late->connect_to($serves) } 1 .. 3;
    freeze($reads);
    $two->publish('/pub?channel=late', 'x');
    my $answer = $late->request(DELETE => '/pub?channel=late', on => $on[0])->finish;
    is_deeply [$answer->status, $answer->json->{error}, $answer->header('Retry-After')],
        [503, 'the zone does not have all events yet, try again', 1], 'the time is over';
    $answer = $late->request(DELETE => '/pub?channel=late', on => $on[1]);
    $late->get('/status', on => $on[2]) for 1 .. 2;
    kill QUIT => $serves;
    is $answer->finish->status, 503, 'a worker that leaves';
    thaw($reads);
    is entries_of('late'), 1, 'nothing is done';
    is $late->request(DELETE => '/pub?channel=late')->finish->status, 200, 'later it works';
    is_deeply [$late->stop], [], 'no trouble';
};

subtest 'a zone of another size takes over meanwhile' => sub {
    my $on  = $one->connect_to($other);
    my %old = map { $_ => 1 } $one->workers;
    freeze($follower);
    $two->publish('/pub?channel=moved', 'x');
    my $answer = end('moved', $on);
    wait_seen;
    $one->{http} =~ s/events 4m/events 8m/ or die $one->{http};
    $one->write_configuration;
    $one->signal('HUP');
    wait_until(sub { 2 == grep { !$old{$_} } $one->workers }, 'new workers');
    thaw($follower);
    is $answer->finish->status, 503, 'the old zone cannot say that there is no such channel';
    is $one->request(DELETE => '/pub?channel=moved')->finish->status, 200, 'the new one knows it';
};

$_->allow(qr/sse: bus/) for @machines;
is_deeply [map { $_->stop } @machines], [], 'no trouble';
done_testing;
