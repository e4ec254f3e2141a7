# A publisher can require that a certain event is the newest one of the channel, so that nobody overwrites shared state unseen.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Parallel;

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    zone      => '1m channels=64',
    locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; }',
);

sub publish ($channel, $body, @headers) { return $server->publish("/pub?channel=$channel", $body, headers => \@headers) }
sub id ($channel) { return $server->get("/pub?channel=$channel")->json->{last_id} }
sub refused ($answer, $last, $what) {
    is_deeply [$answer->status, $answer->json], [412, { error => 'the channel is at another event', last_id => $last }], $what;
}

for my $via (qw(h1 tls h2c)) {
    subtest "If-Match over $via" => sub {
        my $channel = "match$via";
        my $send = sub ($tags) { $server->publish("/pub?channel=$channel", $tags, headers => ['If-Match' => $tags], via => $via) };
        refused($send->('*'), undef, 'nothing there that could match');
        my $first = publish($channel, 'first')->json->{id};
        is $send->(qq{"$first"})->status, 201, 'the newest event';
        my $second = id($channel);
        refused($send->(qq{"$first"}), $second, 'it is not the newest any more');
        is $send->(qq{"1-1", "$second"})->status, 201, 'one of a list';
        is $send->('*')->status, 201, 'any';
        my $last = id($channel);
        refused($send->(qq{W/"$last"}), $last, 'a weak tag matches nothing');
        is $send->(qq{"$last~whatever"})->status, 201, 'with what its publisher called it';
    };
}

subtest 'If-None-Match' => sub {
    is publish('none', 'first', 'If-None-Match' => '*')->status, 201, 'the first event of a channel';
    my $first = id('none');
    refused(publish('none', 'second', 'If-None-Match' => '*'), $first, 'not the second');
    refused(publish('none', 'second', 'If-None-Match' => qq{"$first"}), $first, 'anything but this one');
    is publish('none', 'second', 'If-None-Match' => '"1-1"')->status, 201, 'it is another';
};

subtest 'malformed' => sub {
    publish('bad', 'first');
    my $first = id('bad');
    for my $value ($first, '', '"', '*, "a"', qq{"$first" "x"}) {
        for my $name (qw(If-Match If-None-Match)) {
            my $answer = publish('bad', 'x', $name => $value);
            is_deeply [$answer->status, $answer->json->{error}], [400, 'invalid If-Match or If-None-Match'], "$name: $value";
        }
    }
    is publish('bad', 'x', 'If-Match' => '"a"', 'If-Match' => qq{"$first"})->status, 400, 'two of them';
    is id('bad'), $first, 'nothing is published';
};

subtest 'ends' => sub {
    my $first = publish('ends', 'first')->json->{id};
    my $delete = sub ($tags) { $server->request(DELETE => '/pub?channel=ends', headers => ['If-Match' => $tags])->finish };
    refused($delete->('"1-1"'), $first, 'DELETE');
    refused($server->publish('/pub?channel=ends&end', '', headers => ['If-Match' => '"1-1"']), $first, 'an end without an event');
    is $delete->(qq{"$first"})->status, 200, 'DELETE of what is there';
    is publish('ends', 'second', 'If-Match' => qq{"$first"})->status, 201, 'an end is no event';
};

subtest 'many events' => sub {
    my $first = publish('many', 'first')->json->{id};
    my $send = sub ($tags) { $server->publish('/lines?channel=many', "a\nb\n", headers => ['If-Match' => $tags]) };
    my $answer = $send->('"1-1"');
    is_deeply [$answer->status, $answer->json->{events}], [412, 0], 'all or none';
    is $send->(qq{"$first"})->status, 201, 'all';
    is_deeply [$server->subscribe('/sub?channel=many', cursor => '0-0')->data(3)], [qw(first a b)], 'are there';
};

subtest 'an event that is gone' => sub {
    my $first = publish('gone', 'first')->json->{id};
    publish('flood', 'x' x 60_000) for 1 .. 30;
    is id('gone'), undef, 'pushed out by newer ones';
    refused(publish('gone', 'x', 'If-Match' => qq{"$first"}), undef, 'matches nothing');
    is publish('gone', 'x', 'If-None-Match' => '*')->status, 201, 'the channel is empty';
};

# Each client adds one to the number that it has read, and tries again if another client was faster.
subtest 'a counter that many share' => sub {
    publish('counter', 0);
    my ($each, $clients) = (15, 6);
    parallel(sub ($i) {
        my $stream = $server->subscribe('/sub?channel=counter', cursor => '0-0');
        my $event  = $stream->next_event;
        for (1 .. $each) {
            while (publish('counter', $event->{data} + 1, 'If-Match' => qq{"$event->{id}"})->status == 412) {
                $event = $stream->next_event;
            }
        }
        return 1;
    }, 1 .. $clients);
    my @data = $server->subscribe('/sub?channel=counter', cursor => '0-0')->data($each * $clients + 1);
    is_deeply \@data, [0 .. $each * $clients], 'nothing is lost and nothing twice';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
