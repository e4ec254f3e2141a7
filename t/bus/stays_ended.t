# sse_reopen off on several machines: what reaches the stream after the end of its channel is left out by all of them, also if
# the machine that has taken it did not know of the end. The worker that reads the stream there stands meanwhile.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;
use SSE::Redis;

my $redis = SSE::Redis->start;

sub machine {
    my %usual = SSE::Nginx::usual(locations => <<'END');
location = /health { sse_health; }
        location = /once { sse_publish $arg_channel; sse_reopen off; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; sse_reopen off; }
        location = /batch { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; sse_reopen off; }
END
    my $machine = SSE::Nginx->start(%usual, workers => 2, http => "$usual{http} sse_bus events redis://@{[$redis->address]} stream=s;");
    wait_until(sub { $machine->get('/health')->status == 200 }, 'the machine to be well');
    return $machine;
}

my ($one, $two) = my @machines = map { machine() } 1 .. 2;
my ($follower) = reverse $one->log =~ /(\d+)#\d+: sse: bus "events": this worker follows/g;
my ($other) = grep { $_ != $follower } $one->workers;

# The channel has an event on all machines, and ends; $late, which is called before the one machine knows of the end, gets a
# connection to it.
sub after_the_end ($channel, $late) {
    my $first = $two->publish("/once?channel=$channel", 'first')->json->{id};
    for my $machine (@machines) {
        wait_until(sub { ($machine->get("/pub?channel=$channel")->json->{last_id} // '') eq $first }, 'the first event');
    }
    my $on = $one->connect_to($other);
    freeze($follower);
    is $two->request(DELETE => "/pub?channel=$channel")->finish->status, 200, 'the end';
    my @results = $late->($on);
    thaw($follower);
    return @results;
}

# All that any machine has of the channel, up to its end.
sub is_ended ($channel, @data) {
    for my $machine (@machines) {
        my $subscriber = $machine->subscribe("/sub?channel=$channel", cursor => '0-0');
        is $subscriber->wait_closed, 'clean', 'it has ended';
        is_deeply [map { $_->{data} } grep { $_->{type} eq 'message' } @{ $subscriber->{events} }], [@data], 'and has nothing more';
    }
    is $_->publish("/once?channel=$channel", 'x')->status, 409, 'nothing is taken' for @machines;
}

for my $case (
    ['an event', 'once', []], ['with a key', 'once', ['Idempotency-Key' => 'k']],
    ['a body', 'lines', []], ['a batch', 'batch', []], ['a body and its end', 'lines', [], '&end'],
) {
    my ($name, $path, $headers, $argument) = (@$case, '');
    subtest $name => sub {
        my $channel = $name =~ tr/a-z/-/csr;
        my ($publisher) = after_the_end($channel, sub ($on) {
            my $request = $one->request(POST => "/$path?channel=$channel$argument", body => "late\n", headers => $headers, on => $on);
            wait_until(sub { grep { ($_->[1]{data} // '') =~ /^late/ && $_->[1]{channel} eq $channel } $redis->entries('s') }, 'it in the stream');
            return $request;
        });
        is $publisher->finish->status, 409, 'its publisher is told';
        is_ended($channel, 'first');
    };
}

subtest 'a body that stays open' => sub {
    my $open = $one->stream('/lines?channel=open');
    $open->feed("zero\n");
    is $two->subscribe('/sub?channel=open', cursor => '0-0')->next_event->{data}, 'zero', 'its first event';
    after_the_end('open', sub ($on) {
        $open->feed("late\n");
        return;
    });
    my $number = 0;
    wait_until(sub { $open->feed(++$number . "\n") unless $open->poll->{status}; $open->{status} }, 'its publisher to be told');
    is $open->finish->status, 409, 'its publisher is told';
    is_ended('open', 'zero', 'first');
};

subtest 'an end of what has ended' => sub {
    my $published = sub { return $one->get('/status')->json->{zones}{events}{published} };
    my $before    = $published->();
    $redis->command(XADD => 's', '*', channel => 'twice', data => 'first');
    $redis->command(XADD => 's', '*', channel => 'twice', end => 1) for 1, 2;
    my $last = $one->publish('/pub?channel=after', 'x')->json->{id};
    wait_until(sub { ($one->get('/pub?channel=after')->json->{last_id} // '') eq $last }, 'all of it');
    is $published->() - $before, 3, 'is none';
    is_ended('twice', 'first');
};

subtest 'a program' => sub {
    after_the_end('program', sub ($on) { $redis->command(XADD => 's', '*', channel => 'program', data => 'late', reopen => 0) });
    is_ended('program', 'first');
    my $id = $redis->command(XADD => 's', '*', channel => 'program', data => 'anew');
    for my $machine (@machines) {
        my $subscriber = $machine->subscribe('/sub?channel=program', cursor => '0-0');
        is_deeply [$subscriber->data(2)], ['first', 'anew'], 'one that does not say so begins it again';
    }
};

is_deeply [map { $_->stop } @machines], [], 'no trouble';
done_testing;
