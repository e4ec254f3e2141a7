# A full zone is normal: the oldest events make room, nothing fails, and everything is counted.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 256k channels=32; sse_zone calm 256k;',
    server  => <<'END',
location = /sub    { sse_channel $arg_channel zone=events; }
        location = /pub    { sse_publish $arg_channel zone=events; }
        location = /calm   { sse_publish $arg_channel zone=calm; }
        location = /status { sse_status; }
END
);
seed();

sub zone ($name = 'events') { return $server->get('/status')->json->{zones}{$name} }
my $publisher = $server->connect;

sub publish ($channel, $data) {
    my $answer = $server->publish("/pub?channel=$channel", $data, on => $publisher);
    return $answer->status == 201 ? $answer->json->{id} : $answer->status;
}

$server->publish('/calm?channel=a', 'calm');
my $listener = $server->subscribe('/sub?channel=c')->ready;

subtest 'twenty times around' => sub {
    my (@id, @size);
    for my $number (1 .. 3000) {
        push @size, int rand 4000;
        push @id, publish('c', "$number " . 'x' x $size[-1]);
        # A busy worker may be too slow for so small a zone: wait until the listener has everything.
        $listener->pump_until(sub { @{ $listener->{events} } >= $number }) if $number % 20 == 0;
    }
    is scalar(grep { !/-/ } @id), 0, 'no publish has failed';
    is_ascending \@id, 'ids grow';
    my @event = $listener->events(3000);
    my @wrong = grep { $event[$_]{data} ne $_ + 1 . ' ' . 'x' x $size[$_] } 0 .. $#event;
    is_deeply \@wrong, [], 'the listener has got each as it was';
    is_deeply [map { $_->{id} } @event], \@id, 'and missed none';
    my $zone = zone();
    is $zone->{published}, 3000, 'all are counted';
    cmp_ok $zone->{evicted}, '>', 2000, 'as are those that had to go';
    cmp_ok $zone->{used}, '<=', $zone->{capacity}, 'the zone is no fuller than full';
    is $zone->{last_id}, $id[-1], 'the newest is there';
    my $subscriber = $server->subscribe('/sub?channel=c', cursor => $zone->{first_id});
    my $rest = 3000 - $zone->{evicted} - 1;
    is_deeply [map { $_->{id} } $subscriber->events($rest)], [@id[-$rest .. -1]], 'what is told to be there is there';
};

subtest 'events of all sizes' => sub {
    my $capacity = zone()->{capacity};
    my @status;
    for my $size (0, 1, 10, 100, 1000, 10_000, 30_000, int($capacity / 6), int($capacity / 4) + 100,
        $capacity, 2 * $capacity, 7, 30_001) {
        push @status, publish('sizes', 'y' x $size) =~ s/.*-.*/201/r;
        $publisher = $server->connect if $status[-1] != 201;
    }
    is_deeply \@status, [(201) x 8, (413) x 3, 201, 201], 'only those larger than a quarter of the zone are refused';
};

subtest 'more channels than the index holds' => sub {
    my %id;
    for my $number (1 .. 500) {
        $id{$number} = publish("many$number", $number);
    }
    is scalar(grep { !/-/ } values %id), 0, 'publishing goes on';
    my $zone = zone();
    cmp_ok $zone->{channels}, '<=', 32, 'no more than there is room for';
    cmp_ok $zone->{forgotten_channels}, '>', 0, 'those that had to go are counted';
    is $server->subscribe('/sub?channel=many500', cursor => '0-0')->next_event->{data}, 500, 'the newest is there';
    my $forgotten = $server->subscribe('/sub?channel=many1', cursor => '1-0')->next_event(2);
    is $forgotten->{type}, 'gap', 'what was forgotten is a gap' if $forgotten;
    ok publish('c', 'still'), 'who is listened to is not forgotten';
    $listener->{events} = [];
    is $listener->next_event->{data}, 'still', 'and is reached';
};

subtest 'more listened to than the index holds' => sub {
    my @subscriber = map { $server->subscribe("/sub?channel=busy$_") } 1 .. 60;
    $_->status for @subscriber;
    my %status;
    $status{ $_->status }++ for @subscriber;
    note explain \%status;
    is_deeply [grep { !/\A(?:200|503)\z/ } keys %status], [], 'is served or refused';
    publish("busy$_", "to $_") for 1 .. 60;
    my @open = grep { $subscriber[$_ - 1]->status == 200 } 1 .. 60;
    $subscriber[$_ - 1]->ready for @open;
    is scalar(grep { my $event = $subscriber[$_ - 1]->next_event; !$event || $event->{data} ne "to $_" } @open), 0,
        'whoever is served is reached';
};

is zone('calm')->{published}, 1, 'the other zone has nothing to do with it';
is zone('calm')->{evicted},   0, 'and has lost nothing';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
