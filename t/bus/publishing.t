# Publishing through a bus: the answer agrees with what every machine shows, for all kinds of bodies, keys and transports.
# needs: module redis
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Parallel;
use SSE::Redis;
use SSE::Util;

my $redis = SSE::Redis->start;

sub machine (%option) {
    my $bus       = delete $option{bus} // '';
    my $locations = delete $option{locations} // '';
    my %usual = SSE::Nginx::usual(
        zone      => '8m',
        locations => <<"END");
location = /lines { sse_publish \$arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /json { sse_publish ""; sse_framing json; sse_body_channels on; }
        location = /atomic { sse_publish \$arg_channel; sse_framing lines; sse_batch atomic; }
        location = /named { sse_publish \$arg_channel; sse_event_id \$request_id; sse_event_type greeting; }
        location = /once { sse_publish \$arg_channel; sse_reopen off; }
        location = /health { sse_health; }
        $locations
END
    return SSE::Nginx->start(%usual, workers => 2, listen => [qw(h1 tls h2c)],
        http => "$usual{http} sse_bus events redis://@{[$redis->address]} stream=s $bus;", %option);
}

sub wait_well (@machines) {
    for my $machine (@machines) {
        wait_until(sub { $machine->get('/health')->status == 200 }, 'the machine to be well');
    }
}

my ($one, $two) = my @machines = map { machine() } 1 .. 2;
wait_well(@machines);

# The first events that a machine has of a channel.
sub events_of ($machine, $channel, $count) {
    return $machine->subscribe("/sub?channel=$channel", cursor => '0-0')->events($count);
}

sub keyed ($machine, $channel, $key, $body, %more) {
    return $machine->publish("/pub?channel=$channel", $body, headers => ['Idempotency-Key' => $key], %more);
}
sub produced ($machine, $channel, $epoch, $number, $id = 'p') {
    return $machine->publish("/pub?channel=$channel", "$epoch/$number",
        headers => ['Producer-Id' => $id, 'Producer-Epoch' => $epoch, 'Producer-Seq' => $number]);
}

subtest 'one event, over every transport' => sub {
    for my $via (qw(h1 tls h2c)) {
        my @subscribers = map { $_->subscribe("/sub?channel=one-$via")->ready } @machines;
        my $answer = $one->publish("/pub?channel=one-$via", "line 1\nline 2", via => $via);
        is $answer->status, 201, "$via: published";
        is_deeply { %{ $answer->json }{qw(channel events subscribers)} },
            { channel => "one-$via", events => 1, subscribers => 1 }, 'and the answer says what';
        for my $subscriber (@subscribers) {
            my $event = $subscriber->next_event;
            is $event->{id},   $answer->json->{id}, 'a subscriber gets it with the id of the answer';
            is $event->{data}, "line 1\nline 2",    'and its data';
        }
    }
};

subtest 'type, id of the publisher' => sub {
    my $answer = $one->publish('/named?channel=named', 'hello');
    like $answer->json->{id}, qr/\A\d+-\d+~[0-9a-f]{32}\z/, 'the answer has the id of the publisher';
    my ($event) = events_of($two, 'named', 1);
    is_deeply { %$event{qw(id type data)} }, { id => $answer->json->{id}, type => 'greeting', data => 'hello' }, 'and so has the event';
};

subtest 'several channels of an event' => sub {
    my $answer = $one->publish('/json', '[{"channel":["a1","a2"],"data":"both"},{"channel":"a3","data":"one","end":true}]');
    is $answer->status, 201, 'published';
    is_deeply { %{ $answer->json }{qw(events channel ended)} }, { events => 2, channel => 'a3', ended => JSON::PP::true }, 'two events';
    is((events_of($two, $_, 1))[0]{data}, 'both', "$_ has it") for qw(a1 a2);
    wait_until(sub { $two->get('/sub?channel=a3', headers => ['Last-Event-ID' => $answer->json->{id}])->status == 204 }, 'the end of a3');
};

subtest 'an open body of 20,000 lines' => sub {
    my $subscriber = $two->subscribe('/sub?channel=open')->ready;
    my $publisher  = $one->stream('/lines?channel=open');
    my @lines = map { "line $_ " . 'x' x ($_ % 50) } 1 .. 20_000;
    my @got;
    while (my @some = splice @lines, 0, 500) {
        $publisher->feed(join '', map {"$_\n"} @some);
        push @got, map { $_->{data} =~ /\Aline (\d+)/ } $subscriber->poll->events(scalar @{ $subscriber->{events} });
    }
    $publisher->end;
    my $answer = $publisher->finish;
    is $answer->status,         201,    'published';
    is $answer->json->{events}, 20_000, 'all of them';
    push @got, map { $_->{data} =~ /\Aline (\d+)/ } $subscriber->events(20_000 - @got);
    is_deeply \@got, [1 .. 20_000], 'each came once, and in order';
    is $subscriber->last_event_id, $answer->json->{id}, 'and the last has the id of the answer';
};

subtest 'events come while the body is open' => sub {
    my $subscriber = $two->subscribe('/sub?channel=now')->ready;
    my $publisher  = $one->stream('/lines?channel=now');
    for my $line (1 .. 3) {
        $publisher->feed("$line\n");
        is $subscriber->next_event->{data}, $line, "line $line";
    }
    $publisher->feed("\xff\xfe\n");
    is $subscriber->next_event->{data}, "\xef\xbf\xbd" x 2, 'what is no UTF-8 is repaired';
    $publisher->end;
    is $publisher->finish->json->{events}, 4, 'counted';
};

subtest 'a fault in the middle' => sub {
    my $answer = $one->publish('/json', '[{"channel":"fault","data":"1"},{"channel":"fault","data":"2"},{"nonsense":1}]');
    is $answer->status, 400, 'refused';
    is $answer->json->{events}, 2, 'after two events';
    is_deeply [map { $_->{data} } events_of($two, 'fault', 2)], [1, 2], 'which are there';
};

subtest 'batches' => sub {
    my $answer = $one->publish('/atomic?channel=batch', join '', map {"$_\n"} 1 .. 500);
    is $answer->status, 201, 'published';
    is $answer->json->{events}, 500, 'all of it';
    my @events = events_of($two, 'batch', 500);
    is_deeply [map { $_->{data} } @events], [1 .. 500], 'in order';
    is $events[-1]{id}, $answer->json->{id}, 'with the id of the answer';
    is $redis->calls->{evalsha}, 1, 'by one command';
};

subtest 'a key' => sub {
    my $first = keyed($one, 'key', 'k', 'once');
    is $first->status, 201, 'published';
    for my $machine (@machines) {
        my $again = keyed($machine, 'key', 'k', 'once');
        is $again->status, 200, 'again';
        is_deeply { %{ $again->json }{qw(id events repeated)} },
            { id => $first->json->{id}, events => 0, repeated => JSON::PP::true }, 'has the first id';
    }
    is keyed($two, 'key2', 'k', 'once')->status, 201, 'the key of another channel is another one';
    my $whole = $one->publish('/lines?channel=key', "a\nb\n", headers => ['Idempotency-Key' => 'many']);
    is $whole->json->{events}, 2, 'a body of many events';
    is $two->publish('/lines?channel=key', "a\nb\n", headers => ['Idempotency-Key' => 'many'])->json->{id}, $whole->json->{id}, 'again';
    is_deeply [map { $_->{data} } events_of($two, 'key', 3)], [qw(once a b)], 'each once';
    cmp_ok $redis->command(PTTL => 's:key:3:key:k'), '>', 3_000_000, 'it is remembered for an hour';
};

subtest 'a key at eight clients of two machines at once' => sub {
    for my $round (1 .. 5) {
        my @answers = parallel(
            sub ($n) {
                my $answer = keyed($machines[$n % 2], 'race', "r$round", "round $round");
                return [$answer->status, $answer->json->{id}];
            },
            1 .. 8
        );
        is_deeply [sort map { $_->[0] } @answers], [(200) x 7, 201], 'one has published it';
        is scalar(keys %{ { map { $_->[1] => 1 } @answers } }), 1, 'and all have its id';
    }
    is_deeply [map { $_->{data} } events_of($two, 'race', 5)], [map {"round $_"} 1 .. 5], 'each once';
};

subtest 'producers' => sub {
    my @ids = map { produced($machines[$_ % 2], 'prod', 7, $_)->json->{id} } 0 .. 3;
    for my $number (0, 3) {
        my $again = produced($two, 'prod', 7, $number);
        is $again->status, 200, "request $number again";
        is $again->json->{id}, $ids[$number], 'has its id';
    }
    my $missing = produced($one, 'prod', 7, 6);
    is $missing->status, 409, 'one is missing';
    is $missing->json->{expected}, 4, 'and the answer says which is expected';
    is produced($two, 'prod', 8, 0)->status, 201, 'a new epoch';
    is produced($two, 'prod', 7, 4)->json->{epoch}, 8, 'the old one is stale';
    is produced($two, 'prod', 7, 4)->status, 403, 'and is refused';
    is produced($two, 'prod', 7, 2)->json->{id}, $ids[2], 'but what it has sent is known';
    my $early = produced($two, 'prod', 9, 3);
    is $early->status, 409, 'an epoch begins with 0';
    is $early->json->{expected}, 0, 'as the answer says';
    is produced($two, 'prod', '18446744073709551615', 0)->status, 201, 'the greatest epoch';
    is produced($one, 'prod', '18446744073709551614', 0)->json->{epoch}, 18446744073709551615, 'is greater than the one before';
    is produced($one, 'prod2', 0, 9007199254740993)->status, 201, 'numbers that a double cannot tell apart';
    is produced($one, 'prod2', 0, 9007199254740995)->json->{expected}, 9007199254740994, 'are told apart';
    is produced($one, 'prod2', 0, 9007199254740994)->status, 201, 'and counted';
};

subtest 'conditions' => sub {
    for my $header (['If-Match' => '*'], ['If-None-Match' => '"1-1"']) {
        my $answer = $one->publish('/pub?channel=condition', 'x', headers => $header);
        is $answer->status, 501, "$header->[0] is refused";
        like $answer->json->{error}, qr/bus/, 'and the answer says why';
        is $one->request(DELETE => '/pub?channel=condition', headers => $header)->finish->status, 501, 'also of a DELETE';
    }
};

subtest 'ends' => sub {
    is $one->request(DELETE => '/pub?channel=nobody')->finish->status, 404, 'a channel that nobody knows';
    is $one->publish('/pub?channel=nobody&end', '')->status, 404, 'also by ?end';
    my @subscribers = map { $_->subscribe('/sub?channel=end1')->ready } @machines;
    my $deleted = $one->request(DELETE => '/pub?channel=end1')->finish;
    is $deleted->status, 200, 'DELETE';
    is_deeply [sort keys %{ $deleted->json }], [qw(channel ended_id subscribers)], 'is answered as without a bus';
    is $_->wait_closed, 'clean', 'the streams end' for @subscribers;
    wait_until(sub { $two->get('/sub?channel=end1')->status == 204 }, 'the end on the other machine');
    is $two->request(DELETE => '/pub?channel=end1')->finish->json->{ended_id}, $deleted->json->{ended_id}, 'a second one has the same id';

    my $body = $one->publish('/lines?channel=end2&end', "a\nb\n");
    is_deeply { %{ $body->json }{qw(events ended)} }, { events => 2, ended => JSON::PP::true }, '?end with a body';
    $one->publish('/pub?channel=end4&end', 'last');
    my @newest = map { +{ @{ $_->[1] } } } @{ $redis->command(XREVRANGE => 's', '+', '-', COUNT => 2) };
    is scalar(grep { $_->{channel} eq 'end4' } @newest), 1, 'of one event, it is no entry of its own';
    my $stream = $two->stream('/lines?channel=end3&end');
    $stream->feed("a\n");
    is((events_of($one, 'end3', 1))[0]{data}, 'a', 'an open body');
    $stream->end;
    is_deeply { %{ $stream->finish->json }{qw(events ended)} }, { events => 1, ended => JSON::PP::true }, 'with ?end ends the channel';
    wait_until(sub { $one->get('/sub?channel=end3')->status == 204 }, 'the end');

    wait_until(sub { $_->get('/sub?channel=end2')->status == 204 }, 'the end on all machines') for @machines;
    is $_->publish('/once?channel=end2', 'more')->status, 409, 'sse_reopen off' for @machines;
    is $one->publish('/once?channel=end2', 'more', headers => ['Idempotency-Key' => 'x'])->status, 409, 'also with a key';
    my $more = $one->publish('/pub?channel=end2', 'more');
    is $more->status, 201, 'without it the channel begins anew';
    for my $machine (@machines) { # the channel has ended there until this event has come back from Redis
        wait_until(sub { $machine->get('/pub?channel=end2')->json->{last_id} eq $more->json->{id} }, 'its event on all machines');
    }
    is((events_of($two, 'end2', 3))[2]{data}, 'more', 'and its events come');

    my $keyed = $one->request(DELETE => '/pub?channel=end2', headers => ['Idempotency-Key' => 'd'])->finish;
    is $keyed->status, 200, 'DELETE with a key';
    wait_until(sub { $two->get('/sub?channel=end2')->status == 204 }, 'the end');
    my $again = $two->request(DELETE => '/pub?channel=end2', headers => ['Idempotency-Key' => 'd'])->finish;
    is_deeply { %{ $again->json }{qw(ended_id repeated)} }, { ended_id => $keyed->json->{ended_id}, repeated => JSON::PP::true },
        'comes again';
    is $two->request(DELETE => '/pub?channel=end2', headers => ['Idempotency-Key' => 'e'])->finish->status, 409, 'another key finds an end';
};

subtest 'a script that Redis has forgotten' => sub {
    $redis->command(SCRIPT => 'FLUSH');
    my @answers = parallel(sub ($n) { return keyed($one, 'forgotten', "f$n", $n)->status }, 1 .. 4);
    is_deeply \@answers, [(201) x 4], 'is given to it again';
};

subtest 'keepalive, and a client that leaves' => sub {
    my $connection = $one->connect;
    for my $number (1 .. 5) {
        is $one->publish('/pub?channel=keep', $number, on => $connection)->status, 201, "request $number of a connection";
    }
    for my $number (1 .. 20) { # without reading the answer
        $one->request(POST => '/pub?channel=left', body => "gone $number")->close;
    }
    my $half = $one->stream('/lines?channel=left2');
    $half->feed("whole\nhalf");
    is((events_of($two, 'left2', 1))[0]{data}, 'whole', 'what a client has sent is published');
    $half->reset;
    is $one->publish('/pub?channel=left2', 'next')->status, 201, 'and its end harms nobody';
    is_deeply [map { $_->{data} } events_of($two, 'left2', 2)], [qw(whole next)], 'nothing more of it';
};

wait_until(sub { $one->get('/status')->json->{zones}{events}{bus}{published} > 20_000 }, 'the status to count what was published');

is_deeply [$_->stop], [], 'no trouble' for @machines;

done_testing;
