# The events of one body are published as a whole: contiguous, and all of them or none.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Parallel;

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    zone      => '16m',
    locations => <<'END',
location = /lines { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; client_max_body_size 0; }
        location = /sse { sse_publish $arg_channel; sse_framing sse; sse_batch atomic; }
        location = /small { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; sse_max_batch 1k; }
        location = /few { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; sse_max_events 3; }
        location = /paced { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; sse_max_rate 5; }
        location = /event { sse_publish $arg_channel; sse_framing event; sse_batch atomic; }
END
);

sub last_id ($channel) { return $server->get("/pub?channel=$channel")->json->{last_id} }

for my $via (qw(h1 tls h2c)) {
    subtest "contiguous, over $via" => sub {
        my $lines = join '', map { "$_\n" } 1 .. 500;
        my $subscriber = $server->subscribe("/sub?channel=c$via")->ready;
        my $answer = $server->publish("/lines?channel=c$via", $lines, via => $via);
        is $answer->status, 201, 'published';
        my @events = $subscriber->events(500);
        is_deeply [map { $_->{data} } @events], [1 .. 500], 'all of it';
        is_deeply [@{ $answer->json }{qw(id events)}], [$events[-1]{id}, 500], 'counted';
    };
}

subtest 'nothing comes between' => sub {
    parallel(sub ($i) {
        for my $round (1 .. 20) {
            $server->publish('/lines?channel=between', join '', map { "$i.$round.$_\n" } 1 .. 40);
        }
        return 1;
    }, 1 .. 4);
    my $subscriber = $server->subscribe('/sub?channel=between', cursor => '0-0');
    my @data = $subscriber->data(4 * 20 * 40);
    my $torn = 0;
    for my $first (map { 40 * $_ } 0 .. @data / 40 - 1) {
        my ($name) = $data[$first] =~ /\A(\d+\.\d+\.)1\z/ or ++$torn, next;
        $torn += "@data[$first .. $first + 39]" ne join ' ', map { "$name$_" } 1 .. 40;
    }
    is scalar(@data), 3200, 'all are there';
    is $torn, 0, 'each body in one piece';
};

subtest 'all or none' => sub {
    my %bad = (
        'invalid UTF-8' => ["/sse?channel=none", "data: a\n\ndata: \xff\n\n", 400, 'invalid UTF-8'],
        'cut in the middle of an event' => ["/sse?channel=none", "data: a\n\ndata: b\n", 400, 'the body ends inside an event'],
        'a reserved type' => ["/sse?channel=none", "data: a\n\nevent: gap\ndata: b\n\n", 400, 'reserved event type'],
        'too many' => ["/few?channel=none", "1\n2\n3\n4\n", 413, 'more events than sse_max_events allows'],
        'too large together' => ["/small?channel=none", "a\nb\nc\nd\n", 413, 'the events are too many or too large to be published as a whole'],
        'faster than allowed' => ["/paced?channel=none", "1\n2\n3\n4\n5\n6\n", 413, 'the events are too many or too large to be published as a whole'],
        'larger than anything' => ["/lines?channel=none", 'x' x 100 . "\n" . "y\n" x 2_000_000, 413, undef],
    );
    for my $what (sort keys %bad) {
        my ($path, $body, $status, $error) = @{ $bad{$what} };
        my $answer = $server->publish($path, $body);
        is $answer->status, $status, $what;
        is $answer->json->{error}, $error, 'says why' if defined $error;
        is $answer->json->{events}, 0, 'and that none is published';
        is last_id('none'), undef, 'which is true';
    }
    is $server->publish('/small?channel=some', "a\nb\nc\n")->status, 201, 'what fits';
    is $server->publish('/paced?channel=some', "1\n2\n3\n4\n5\n")->status, 201, 'as many as allowed in a second';
};

subtest 'nobody sees a part of it' => sub {
    my $subscriber = $server->subscribe('/sub?channel=late')->ready;
    my $body = "one\ntwo\nthree\n";
    my $socket = $server->connect->send_raw("POST /lines?channel=late HTTP/1.1\r\nHost: x\r\nContent-Length: "
            . length($body) . "\r\n\r\none\ntwo\n");
    $server->publish('/pub?channel=late', 'before');
    is $subscriber->next_event->{data}, 'before', 'while the rest is to come';
    $socket->write("three\n");
    is_deeply [$subscriber->data(3)], [qw(one two three)], 'then all of it';
    $socket->close;

    $server->connect->send_raw("POST /lines?channel=late HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nlost\nlost\n")->close;
    $server->publish('/pub?channel=late', 'after');
    is $subscriber->next_event->{data}, 'after', 'a body that breaks off is not published';
};

subtest 'a body without a length' => sub {
    my $subscriber = $server->subscribe('/sub?channel=open')->ready;
    my $publisher = $server->stream('/lines?channel=open');
    $publisher->feed("one\n");
    is $subscriber->next_event->{data}, 'one', 'is a stream as before';
    is $publisher->end->finish->status, 201, 'and ends as one';
    my $event = $server->stream('/event?channel=open');
    $event->feed('all');
    $event->feed(' one');
    is $event->end->finish->status, 201, 'a single event needs no length';
    is $subscriber->next_event->{data}, 'all one', 'and is one';
};

subtest 'with an end' => sub {
    my $subscriber = $server->subscribe('/sub?channel=ends')->ready;
    is $server->publish('/lines?channel=ends&end', "a\nb\n")->json->{ended}, JSON::PP::true, 'ended';
    is $subscriber->wait_closed, 'clean', 'the stream ends';
    is_deeply [map { $_->{data} } $subscriber->events(9, 0)], [qw(a b)], 'after all of it';
};

is_deeply [$server->stop], [], 'no trouble';

# With the longest name, each event takes much more of the zone than its text. A batch that is refused has evicted nothing.
subtest 'in the smallest zone' => sub {
    my $small = SSE::Nginx->start(
        zone      => '256k',
        locations => 'location = /batch { sse_publish $arg_channel; sse_framing sse; sse_batch atomic; sse_max_batch 4m; }',
    );
    my $name = 'n' x 255;
    my %largest;
    for my $channel ($name, 'c') {
        my ($least, $most) = (1, 2000);
        while ($least < $most) {
            my $count = int(($least + $most + 1) / 2);
            $small->publish('/pub?channel=filler', 'x' x 20_000) for 1 .. 12; # the zone is full
            my $before = $small->get('/status')->json->{zones}{events}{evicted};
            my $answer = $small->publish("/batch?channel=$channel", "id: own\ndata: x\n\n" x $count, headers => ['Idempotency-Key' => "k$count" . 'x' x 190]);
            if ($answer->status == 201) {
                $least = $count;
                next;
            }
            $most = $count - 1;
            is $answer->json->{error}, 'the events are too many or too large to be published as a whole', "$count are refused";
            is $small->get('/status')->json->{zones}{events}{evicted}, $before, 'and nothing is evicted for them';
        }
        $largest{ length $channel } = $least;
    }
    cmp_ok $largest{255}, '>', 80, 'the longest name leaves room for many';
    cmp_ok $largest{1}, '>', 1.5 * $largest{255}, 'a short one for more';
    is_deeply [$small->stop], [], 'no trouble';
};

subtest 'while nginx is leaving' => sub {
    my $leaving = SSE::Nginx->start(
        locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; sse_batch atomic; }',
    );
    my $control = $leaving->connect;
    my $publisher = $leaving->connect->send_raw("POST /lines?channel=c HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na\nb\n");
    $leaving->get('/status', on => $control) for 1 .. 2; # the only worker has seen what was sent before
    $leaving->reload;
    is $publisher->finish->status, 503, 'what is not complete in time is refused';
    is $publisher->json->{events}, 0, 'and not published';
    is $leaving->get('/pub?channel=c')->json->{last_id}, undef, 'which is true';
    is_deeply [$leaving->stop], [], 'no trouble';
};
done_testing;
