# What a publisher sends, what it is answered, and what a subscriber receives, over every transport.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    zone      => '16m',
    listen    => [qw(h1 unchunked tls h2c h2)],
    publish   => 'sse_event_id $arg_id; sse_event_retry $arg_retry;',
    locations => <<'END',
location = /lines  { sse_publish $arg_channel; sse_framing lines; }
        location = /ndjson { sse_publish $arg_channel; sse_framing ndjson; }
        location = /sse    { sse_publish $arg_channel; sse_framing sse; }
        location = /whole  { sse_publish $arg_channel; sse_framing event; }
END
);

my $count = 0;
for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    subtest $via => sub {
        my $channel    = 'c' . ++$count;
        my $subscriber = $server->subscribe("/sub?channel=$channel", via => $via)->ready;

        for my $method (qw(POST PUT)) {
            my $answer = $server->publish("/pub?channel=$channel", "by $method", via => $via, method => $method);
            is $answer->status, 201, "$method is answered with 201";
            is $answer->header('Content-Type'), 'application/json', 'and with JSON';
            like $answer->body, qr/\A\{[^\n]*\}\n\z/, 'on one line';
            my $told = $answer->json;
            like delete $told->{id}, qr/\A\d+-\d+\z/, 'with an id';
            is_deeply $told, { channel => $channel, subscribers => 1, events => 1 }, 'and what was reached';
            my $event = $subscriber->next_event;
            is_deeply $event, { id => $answer->json->{id}, type => 'message', data => "by $method" },
                'the subscriber gets that event under that id';
        }
    };
}

sub published ($path, $body, %option) {
    my $channel    = 'c' . ++$count;
    my $subscriber = $server->subscribe("/sub?channel=$channel")->ready;
    my $join       = $path =~ /\?/ ? '&' : '?';
    my $answer     = $server->publish("$path${join}channel=$channel", $body, %option);
    my $told = $answer->json;
    my @events = $subscriber->events($told->{events} // 0);
    is $events[-1]{id}, $told->{id}, 'the id of the last event is told' if $answer->status == 201;
    $subscriber->close;
    return ($answer, @events);
}

subtest 'one body, one event' => sub {
    for my $case (
        ['', ''], ["\n", "\n"], ["a\nb", "a\nb"], ["a\n", "a\n"], ["a\r\nb\rc\n\nd", "a\nb\nc\n\nd"],
        [' leading', ' leading'], [":comment", ':comment'], ["data: x\n\nid: 7", "data: x\n\nid: 7"],
        ["\xef\xbb\xbfafter the mark", 'after the mark'], ["\xe2\x80\xa8 \xf0\x9f\x8c\x8d", "\xe2\x80\xa8 \xf0\x9f\x8c\x8d"],
        ["a\0b", "a\0b"],
    ) {
        my ($body, $data) = @$case;
        my ($answer, @events) = published('/pub', $body);
        is $answer->status, 201, 'created';
        is_deeply [map { $_->{data} } @events], [$data], 'data of ' . ($body =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger);
    }
};

subtest 'the fields of an event' => sub {
    my ($answer, $event) = published('/pub?event=price', '1');
    is $event->{type}, 'price', 'a type by argument';

    ($answer, $event) = published('/pub?event=a%20b%2Fc', '1');
    is $event->{type}, 'a b/c', 'decoded';

    ($answer, $event) = published('/pub?id=order.7~a', '1');
    like $event->{id}, qr/\A\d+-\d+~order\.7~a\z/, "the publisher's id beside ours";

    my $subscriber = $server->subscribe('/sub?channel=retry')->ready;
    for ([5000, 5000], [1, 250], [0, 250], ['99999999999', 3600000], ['007000', 7000]) {
        my ($given, $sent) = @$_;
        is $server->publish("/pub?channel=retry&retry=$given", '1')->status, 201, "retry $given";
        $subscriber->next_event;
        my ($last) = $subscriber->body =~ /.*^retry: (\d+)$/ms;
        is $last, $sent, "is sent as $sent";
    }
};

subtest 'framing' => sub {
    my %body = (
        lines  => ["one\n\ntwo\r\nlast", ['one', '', 'two', 'last']],
        ndjson => ["{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", ['{"a":1}', '{"a":2}', '{"a":3}']],
        sse    => [
            ": comment\nevent: x\ndata: 1\ndata: 2\n\ndata\n\nretry: 4000\ndata:3\r\n\r\nid\nfoo: bar\n\n",
            ["1\n2", '', '3']
        ],
        whole => ["one\n\ntwo\n", ["one\n\ntwo\n"]],
    );
    for my $framing (sort keys %body) {
        my ($answer, @events) = published("/$framing", $body{$framing}[0]);
        is_deeply [map { $_->{data} } @events], $body{$framing}[1], "$framing by directive";
        is $answer->json->{events}, scalar @{ $body{$framing}[1] }, 'all counted';
        is_ascending [map { $_->{id} } @events], 'ids grow';
    }
    my %type = ('text/event-stream' => 'sse', 'application/x-ndjson' => 'ndjson', 'text/plain' => 'whole',
        'text/event-stream; charset=utf-8' => 'sse', 'Application/X-NDJSON' => 'ndjson');
    for my $type (sort keys %type) {
        my ($answer, @events) = published('/pub', $body{ $type{$type} }[0], type => $type);
        is_deeply [map { $_->{data} } @events], $body{ $type{$type} }[1], "$type by itself";
    }
    my ($answer, @events) = published('/sse', "event: x\nid: own-1\ndata: 1\n\n");
    is $events[0]{type}, 'x', 'a type from the stream';
    like $events[0]{id}, qr/~own-1\z/, 'an id from the stream';
    ($answer, @events) = published('/sse', "data: 1\n\ndata: 2\ndata: cut off");
    is $answer->status, 400, 'an event that has no end is not published silently, nor dropped silently';
    is_deeply [map { $_->{data} } @events], ['1'], 'but those before it are there';
    ($answer) = published('/ndjson', "\n\n");
    is $answer->status, 200, 'no event, nothing created';
    is_deeply [@{ $answer->json }{qw(id events)}], [undef, 0], 'and that is said';
};

subtest 'what is there is seen' => sub {
    my @subscribers = map { $server->subscribe('/sub?channel=many')->ready } 1 .. 3;
    is $server->publish('/pub?channel=many', 'x')->json->{subscribers}, 3, 'three';
    $_->close for splice @subscribers, 0, 2;
    wait_until(sub { $server->publish('/pub?channel=many', 'x')->json->{subscribers} == 1 }, 'one subscriber');
    is $server->publish('/pub?channel=nobody', 'x')->json->{subscribers}, 0, 'none';
};

subtest 'a large event' => sub {
    my $body = join '', map {"$_ is a line of a large event\n"} 1 .. 30_000;
    my ($answer, $event) = published('/pub', substr($body, 0, 900_000));
    ok $event->{data} eq substr($body, 0, 900_000), 'arrives whole';
};

done_testing;
