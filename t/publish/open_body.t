# A body that stays open: every line becomes an event as soon as it arrives.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen  => [qw(h1 tls h2c h2)],
    zone    => '16m',
    locations => <<'END',
location = /lines  { sse_publish $arg_channel; sse_framing lines; sse_invalid_utf8 reject; client_max_body_size 0; }
        location = /short  { sse_publish $arg_channel; sse_framing lines; sse_publish_timeout 1s; }
        location = /ndjson { sse_publish $arg_channel; sse_framing ndjson; client_max_body_size 0; }
        location = /sse    { sse_publish $arg_channel; sse_framing sse; client_max_body_size 0; }
        location = /small  { sse_publish $arg_channel; sse_framing lines; client_max_body_size 1k; }
END
);

for my $via (qw(h1 tls h2c h2)) {
    subtest $via => sub {
        my $subscriber = $server->subscribe("/sub?channel=$via", via => $via)->ready;
        my $publisher  = $server->stream("/lines?channel=$via", via => $via);
        for my $line ('one', '', 'three', ' four', "f\xc3\xbcnf") {
            $publisher->feed("$line\n");
            is $subscriber->next_event->{data}, $line, "\"$line\" arrives while the request is open";
        }
        $publisher->feed("six\nsev");
        is $subscriber->next_event->{data}, 'six', 'a whole line goes';
        $publisher->feed("en\r\nei");
        is $subscriber->next_event->{data}, 'seven', 'one in two parts, too';
        $publisher->feed("ght")->end;
        my $answer = $publisher->finish;
        is $answer->status, 201, 'answered in the end';
        my $last = $subscriber->next_event;
        is $last->{data}, 'eight', 'the last line needs no end';
        is_deeply $answer->json, { id => $last->{id}, channel => $via, subscribers => 1, events => 8 }, 'all counted';
    };
}

subtest 'cut anywhere' => sub {
    my $text = "a\r\nb\n\r\n\xf0\x9f\x8c\x8d \xe2\x82\xac\n\nlast\r\n";
    for my $method ([lines => $text, 'a', 'b', '', "\xf0\x9f\x8c\x8d \xe2\x82\xac", '', 'last'],
        [ndjson => "{}\r\n\n[1]\n\"\xf0\x9f\x8c\x8d\"", '{}', '[1]', "\"\xf0\x9f\x8c\x8d\""],
        [sse => "\xef\xbb\xbfdata: a\r\ndata: b\r\n\r\n:c\n\ndata: \xf0\x9f\x8c\x8d\n\n", "a\nb", "\xf0\x9f\x8c\x8d"])
    {
        my ($framing, $body, @expected) = @$method;
        my $subscriber = $server->subscribe('/sub?channel=cut')->ready;
        my $publisher = $server->stream("/$framing?channel=cut");
        $publisher->feed($_) for split //, $body;
        is $publisher->end->finish->json->{events}, scalar @expected, "$framing: byte for byte";
        is_deeply [$subscriber->data(scalar @expected)], \@expected, 'the events are the same';
    }
};

subtest 'events before a bad one stay' => sub {
    my $subscriber = $server->subscribe('/sub?channel=bad')->ready;
    my $publisher  = $server->stream('/lines?channel=bad');
    $publisher->feed("good\nbetter\n");
    is_deeply [$subscriber->data(2)], ['good', 'better'], 'two good ones';
    $publisher->feed("b\xffd\nnever\n")->end;
    my $answer = $publisher->finish;
    is $answer->status, 400, 'then a bad one';
    is $answer->json->{events}, 2, 'the answer says how many there were';
    like $answer->json->{error}, qr/./, 'and what was wrong';
    $server->publish('/pub?channel=bad', 'after');
    is $subscriber->next_event->{data}, 'after', 'nothing of the rest is published';
};

subtest 'a publisher that goes away' => sub {
    my $subscriber = $server->subscribe('/sub?channel=gone')->ready;
    for my $leave (qw(close reset)) {
        my $publisher = $server->stream('/lines?channel=gone');
        $publisher->feed("whole\nhalf");
        is $subscriber->next_event->{data}, 'whole', "$leave: what was whole was published";
        $publisher->$leave;
    }
    $server->publish('/pub?channel=gone', 'after');
    is $subscriber->next_event->{data}, 'after', 'half a line is not';
};

subtest 'a publisher that falls silent' => sub {
    my $publisher = $server->stream('/short?channel=silent');
    $publisher->feed("one\n");
    ok $publisher->wait_closed, 'is not waited for any longer than sse_publish_timeout';
    is $publisher->status, 408, 'and told' if $publisher->{status};
    is $server->get('/pub?channel=silent')->json->{last_id} ? 1 : 0, 1, 'its event stays';
};

subtest 'Expect: 100-continue' => sub {
    my $client = $server->connect;
    $client->send_raw("POST /lines?channel=expect HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    $client->pump_until(sub { $client->raw =~ m{\AHTTP/1.1 100 } });
    like $client->raw, qr{\AHTTP/1.1 100 }, 'is encouraged';
    $client->write("a\nb\n");
    is $client->finish->status, 201, 'and answered';
    is $client->json->{events}, 2, 'for both';
};

subtest 'size limits' => sub {
    my $line = 'x' x 300 . "\n";
    is $server->publish('/small?channel=small', $line x 3)->status, 201, 'within client_max_body_size';
    is $server->publish('/small?channel=small', $line x 4)->status, 413, 'beyond it';
    my $publisher = $server->stream('/lines?channel=huge');
    my $subscriber = $server->subscribe('/sub?channel=huge')->ready;
    my $big = 'y' x 900_000;
    $publisher->feed("$big\n");
    ok $subscriber->next_event->{data} eq $big, 'a line of nearly a megabyte';
    $publisher->feed("z" x 1_048_577 . "\n")->end;
    is $publisher->finish->status, 413, 'one of more is too large';
};

subtest 'many lines at once' => sub {
    my @lines = map {"line $_ " . 'x' x ($_ % 97)} 1 .. 20_000;
    my $subscriber = $server->subscribe('/sub?channel=much')->ready;
    my $answer = $server->publish('/lines?channel=much', join '', map {"$_\n"} @lines);
    is $answer->json->{events}, 20_000, 'all counted';
    my @events = $subscriber->events(20_000);
    is_deeply [map { $_->{data} } @events], \@lines, 'all there, in order';
    is_ascending [map { $_->{id} } @events], 'ids grow';
};

done_testing;
