# What must be refused is refused, with a reason, and leaves no trace. Nothing that a client sends does harm.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen    => ['h1', 'h2c'],
    events    => 'worker_connections 512;',
    publish   => 'sse_event_id $arg_id;',
    locations => <<'END',
location = /sse     { sse_publish $arg_channel; sse_framing sse; }
        location = /ndjson  { sse_publish $arg_channel; sse_framing ndjson; }
        location = /lines   { sse_publish $arg_channel; sse_framing lines; sse_invalid_utf8 reject; sse_event_id $arg_id; }
        location = /header  { sse_publish $arg_channel; sse_event_type $http_x_type; sse_event_id $http_x_id; }
        location = /ten     { sse_publish $arg_channel; sse_max_event_size 10; }
        location = /tenl    { sse_publish $arg_channel; sse_max_event_size 10; sse_framing lines; }
        location ~ "(?s)^/named/pub/(?<name>.*)$" { sse_publish $name; }
        location ~ "(?s)^/named/sub/(?<name>.*)$" { sse_channel $name; }
END
);
my $witness = $server->subscribe('/sub?channel=c')->ready;

sub answers ($status, $path, $body, $what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = $server->publish($path, $body, %option);
    is $answer->status, $status, $what;
    if ($status == 201) {
        $witness->next_event if $path =~ /channel=c\b/;
        return;
    }
    is $answer->header('Content-Type'), 'application/json', 'as JSON';
    like $answer->body, qr/\A\{"error":"[^\n]+\n\z/, 'on one line';
    ok length($answer->json->{error} // ''), 'with a reason';
}

sub hidden ($text) { return $text =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger }

subtest 'injection by argument' => sub {
    answers(400, "/pub?channel=c&event=$_", 'x', "event=$_")
        for qw(a%0ab a%0Db a%0d%0adata:x %00 a%00 %20a %09a a%7fb a%1bb %c2%85 a%c2%9f a%e2%80%a8 %e2%80%a9b %ff a%c3), 'x' x 129;
    answers(201, "/pub?channel=c&event=$_", 'x', 'event=' . length) for 'x' x 128, 'price', '%c3%a9', '%41';
    answers(400, "/pub?channel=c&id=$_", 'x', "id=$_")
        for qw(a%0ab a%0d a%00 a%20b %20a a%20 a:b <a> a%2Cb a;b a%22 a%c3%a9 a%7f a*b a@b a%25 1-2 1-2~x), 'x' x 87;
    answers(201, "/pub?channel=c&id=$_", 'x', "id=$_") for 'x' x 86, 'A.z_9~=%2B/-';
    answers(400, "/pub?channel=c&retry=$_", 'x', "retry=$_") for qw(x -1 1.5 1e3 1000x 10%0a 0x10 %201);
    answers(201, '/pub?channel=c&event=&id=&retry=', 'x', 'empty ones are none');
};

subtest 'injection by header' => sub {
    answers(400, '/header?channel=c', 'x', hidden($_), headers => ['X-Type' => $_])
        for "a\tb", "a\x01b", "a\x7f", "a\xff", 'x' x 129;
    answers(400, '/header?channel=c', 'x', hidden($_), headers => ['X-Id' => $_]) for 'a b', "a\tb", "\xc3\xa9", '1,2';
    answers(201, '/header?channel=c', 'x', 'decent ones', headers => ['X-Type' => 'a b', 'X-Id' => 'a-b']);
};

subtest 'injection by body' => sub {
    answers(400, '/sse?channel=c', "$_\ndata: x\n\n", hidden($_))
        for "event: a\0b", "event: a\x01", "event:  a", "event: \xff", 'event: ' . 'x' x 129, "data: \xff";
    for my $type (qw(text/event-stream application/x-ndjson)) {
        answers(400, '/pub?channel=c&id=a', "data: x\n\n", "an id for many events, $type", type => $type);
    }
    answers(400, '/lines?channel=c&id=a', "x\n", 'an id for many events');
};

my @bad_text = ("\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
    "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xe2\x82", "\xf0\x9f\x8c", "\xc3",
    "\xfe", "\xc3\x28", "\xe2\x28\xa1");

subtest 'invalid UTF-8' => sub {
    for my $text (@bad_text) {
        answers(400, '/pub?channel=c',    $_, hidden($_)) for $text, "valid $text", "$text valid";
        answers(400, '/lines?channel=c',  "$text\n", 'lines of ' . hidden($text));
        answers(400, '/sse?channel=c',    "data: $text\n\n", 'event of ' . hidden($text));
        answers(400, '/ndjson?channel=c', "\"$text\"\n", 'JSON of ' . hidden($text));
    }
    answers(201, '/pub?channel=c', $_, hidden($_))
        for "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80";
};

subtest 'channel names' => sub {
    for my $path ('/pub?channel=', '/pub', '/pub?channel=' . 'x' x 256, '/named/pub/', '/named/pub/a%0ab', '/named/pub/%ff',
        '/named/pub/a%7f', '/named/pub/%1f', '/named/pub/%c2%80', '/named/pub/a%e2%80%a8', '/named/pub/%e2%80%a9',
        '/named/pub/%c3', '/named/pub/' . '%c3%a9' x 128)
    {
        answers(400, $path, 'x', $path =~ s/(.{40}).*/$1.../r);
        my $answer = $server->get($path =~ s/pub/sub/r);
        is $answer->status, 400, 'nor to subscribe to';
        is $answer->header('Content-Type'), 'application/json', 'as JSON';
    }
    for my $path ('/pub?channel=' . 'x' x 255, '/named/pub/%c3%a9', '/named/pub/' . '%c3%a9' x 127, '/named/pub/a%20b',
        '/named/pub/%22%5c', '/named/pub/a/b', '/pub?channel=a%0ab')
    {
        my $subscriber = $server->subscribe($path =~ s/pub/sub/r)->ready;
        answers(201, $path, 'x', $path =~ s/(.{40}).*/$1.../r);
        is $subscriber->next_event->{data}, 'x', 'reached';
    }
    is $server->publish('/named/pub/%22%5c%c3%a9', 'x')->json->{channel}, "\"\\\x{e9}", 'escaped in the answer';
};

subtest 'sizes' => sub {
    answers(201, '/ten?channel=c', 'x' x 10, 'as large as may be');
    answers(413, '/ten?channel=c', 'x' x 11, 'one byte more');
    answers(413, '/tenl?channel=c', 'x' x 11 . "\n", 'a line');
    answers(201, "$_?channel=c", "\xef\xbb\xbf" . 'x' x 10, 'a byte order mark does not count') for '/ten', '/tenl';
    answers(413, "$_?channel=c", "\xef\xbb\xbf" . 'x' x 11, 'but what follows it does') for '/ten', '/tenl';
    answers(413, '/pub?channel=c', 'x' x 1_048_577, 'more than the default');
    my $lines = join '', map { 'x' x 10 . "\n" } 1 .. 5;
    is $server->publish('/tenl?channel=c', $lines)->json->{events}, 5, 'lines count one by one';
    $witness->events(5);
};

is $server->publish('/pub?channel=c', 'still here')->json->{subscribers}, 1, 'the witness is still there';
is $witness->next_event->{data}, 'still here', 'and has got nothing of what was refused';

subtest 'strange requests of subscribers' => sub {
    my $get = "GET /sub?channel=c HTTP/1.1\r\nHost: x\r\n";
    for my $head ("Last-Event-ID: 1-1\r\nLast-Event-ID: 2-2\r\n", "Last-Event-ID: a\tb\x01\r\n", "Last-Event-ID: \xff\xfe\r\n",
        'Last-Event-ID: ' . '9' x 7000 . "\r\n", "Last-Event-ID: %s%n%d\r\n", "Last-Event-ID:\r\n", "Last-Event-ID: 0\r\n",
        "Last-Event-ID: 0-\r\n", "Last-Event-ID: -0\r\n", "Last-Event-ID: 1-1~\r\n", "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\n", "Range: bytes=-1\r\n",
        "Accept: application/json\r\n", "Expect: 100-continue\r\n")
    {
        my $client = $server->connect->send_raw("$get$head\r\n");
        like $client->status, qr/\A(?:200|400)\z/, hidden($head =~ s/(.{30}).*/$1.../sr);
        $client->close;
    }
    my $client = $server->connect->send_raw("$get\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\nrubbish")->ready;
    $server->publish('/pub?channel=c', 'x');
    is $client->next_event->{data}, 'x', 'whatever follows a request is left alone';
    my $body = $server->connect->send_raw("${get}Content-Length: 3\r\n\r\nabc")->ready;
    $server->publish('/pub?channel=c', 'y');
    is $body->next_event->{data}, 'y', 'a body of a GET';
};

subtest 'noise' => sub {
    seed();
    my @piece = ("\n", "\r", "\r\n", 'data: ', 'id: ', 'event: ', 'retry: 1', ':', "\0", "\xff", 'x' x 50,
        "\xe2\x82\xac", ' ', '{}');
    my %status;
    for (1 .. 500) {
        my $body = join '', map { $piece[rand @piece] } 1 .. rand 40;
        my $path = (qw(/pub /lines /sse /ndjson /ten /tenl))[rand 6];
        my $answer = $server->publish("$path?channel=noise", $body);
        $status{ $answer->status }++;
    }
    is_deeply [grep { !/\A(?:200|201|400|413)\z/ } keys %status], [], 'nothing but the expected answers'
        or diag explain \%status;
};

my @errors = grep { /\[(?:error|warn)\]/ && !/anybody can/ } split /\n/, $server->log;
is_deeply \@errors, [], 'the faults of clients are no errors in the log';
wait_until(sub { $server->publish('/pub?channel=c', '')->json->{subscribers} == 1 }, 'all but the witness to be gone');
done_testing;
