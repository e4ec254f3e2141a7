# A body names channels only where sse_body_channels says so, and only those that it allows. Its events are in all of their channels
# or in none.
use v5.36;
use lib 't/lib';
use JSON::PP qw(encode_json);
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers   => 2,
    zone      => '16m',
    locations => <<'END',
location = /any { sse_publish $arg_channel; sse_framing json; sse_body_channels on; client_max_body_size 0; }
        location = /none { sse_publish ""; sse_framing json; sse_body_channels on; }
        location = /prefix { sse_publish $arg_channel; sse_framing json; sse_body_channels news: "a b"; }
        location = /form { sse_publish $arg_channel; sse_framing form; sse_body_channels news:; }
        location = /off { sse_publish $arg_channel; sse_framing json; sse_body_channels off; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; sse_body_channels on; }
        location = /few { sse_publish $arg_channel; sse_framing json; sse_body_channels on; sse_max_events 5; }
        location = /once { sse_publish $arg_channel; sse_framing json; sse_body_channels on; sse_reopen off; }
        location = /size { sse_publish $arg_channel; sse_framing json; sse_body_channels on; sse_max_event_size 100k; }
        location = /list { sse_channel $arg_list separator=,; }
END
);

sub publish ($path, $body, @more) { return $server->publish($path, ref $body ? encode_json($body) : $body, @more) }
sub events ($channel, $count) { return map { $_->{data} } $server->subscribe("/sub?channel=$channel", cursor => '0-0')->events($count) }
sub is_empty ($channel) { return !defined $server->get("/pub?channel=$channel")->json->{last_id} }

# The name as $arg_channel contains it.
sub escaped ($name) { return $name =~ s/([^\w:.-])/sprintf '%%%02X', ord $1/gera }

subtest 'several channels' => sub {
    my @on = map { my $pid = $_; map { $server->subscribe_on($pid, "/sub?channel=$_")->ready } qw(a b) } $server->workers;
    my $both = $server->subscribe('/list?list=a,b,usual')->ready;
    wait_until(sub { $server->get("/pub?channel=$_")->json->{subscribers} == 3 }, "three subscribers of $_") for qw(a b);
    my $answer = publish('/any?channel=usual', { data => 'hello', channel => [qw(a b a)] });
    is $answer->status, 201, 'published' or diag $answer->body;
    for my $subscriber (@on) {
        is $subscriber->next_event->{data}, 'hello', 'a subscriber of each, on each worker, has it';
    }
    my @copies = $both->events(2);
    is_deeply [map { $_->{data} } @copies], [qw(hello hello)], 'and one of both twice';
    isnt $copies[0]{id}, $copies[1]{id}, 'as events of their own';
    is_deeply $answer->json, { id => $copies[1]{id}, channel => 'b', subscribers => 3, events => 1 },
        'the answer tells of the last channel, and counts envelopes';
    publish('/any?channel=usual', '{"data":1,"channel":"a"}{"data":2}{"data":3,"channel":["b","usual"]}');
    is_deeply [$both->data(4)], [1, 2, 3, 3], 'those without a channel go to that of the location';
    is_deeply [events('usual', 2)], [2, 3], 'and only those';
};

subtest 'without a channel of the location' => sub {
    for my $path ('/none', '/any') {
        my $answer = publish($path, '{"data":1,"channel":"c"}');
        is_deeply [$answer->status, $answer->json->{channel}], [201, 'c'], "$path: an envelope that names one";
        my $refused = publish($path, '{"data":1,"channel":"c"} {"data":2}');
        is_deeply [$refused->status, $refused->json], [400, { error => 'no channel', envelope => 1, at => 25, events => 1 }], 'one that does not';
        is publish($path, '{"data":1,"channel":null}')->status, 400, 'nor with null';
        is_deeply publish($path, '[]')->json, { id => undef, channel => undef, subscribers => 0, events => 0 }, 'none at all';
        is $server->get($path)->status, 400, 'there is nothing to ask about';
        is $server->request(DELETE => $path)->finish->status, 400, 'nor to end';
        is publish("$path?end", '{"data":1,"channel":"c"}')->status, 400, 'nor with the body';
    }
    is publish('/off', '{"data":1,"channel":"c"}')->status, 400, 'only where a body may name one';
    is publish('/lines', "x\n")->status, 400, 'and can';
    is publish('/lines?channel=c', '{"data":1,"channel":"d"}')->status, 201, 'lines are data';
};

subtest 'not allowed' => sub {
    my $refused = publish('/off?channel=off', '{"data":1}{"data":2,"channel":"off"}');
    is_deeply [$refused->status, $refused->json], [403,
        { error => 'a body may not name channels here', field => 'channel', envelope => 1, at => 20, events => 1 }],
        'off: not even that of the location';
    for my $name ('news:a', 'news:', 'a b', "a b\x{fc}", 'news:a/../../x') {
        is publish("/prefix", { data => 1, channel => $name })->status, 201, escaped($name) . " begins so";
    }
    for my $name ('news', 'News:a', ' news:a', 'xnews:a', 'ne', 'a', 'a  b', 'a+b', 'news%3Aa', 'news;a', "n\x{435}ws:a") {
        my $answer = publish('/prefix', { data => 1, channel => $name });
        is_deeply [$answer->status, $answer->json->{error}], [403, 'this channel is not allowed here'], escaped($name) . ' does not';
    }
    is publish('/prefix?channel=usual', '{"data":1}')->status, 201, 'the location may name any';
    is publish('/prefix?channel=usual', '{"data":1,"channel":"usual"}')->status, 403, 'of which the body may not name one';
    is publish('/prefix', '{"data":1,"channel":"n\u0065ws:b"}')->status, 201, 'an escape is what it stands for';
    my @mixed = (['news:c', 'other'], ['other', 'news:c'], ['news:c', 'news']);
    is publish('/prefix', { data => 1, channel => $_ })->status, 403, "@$_" for @mixed;
    ok is_empty('news:c'), 'and the others get nothing';
    is publish('/form', 'data=x&channel=news%3Ad')->status, 201, 'a form';
    is publish('/form', "data=x&channel=$_")->status, 403, "channel=$_" for 'news%253Ad', 'news', '+news:d', 'news:d&channel=x';
    ok is_empty($_), "$_ is empty" for qw(x other news);
};

subtest 'bad names' => sub {
    for my $name ('""', '"a\n"', '"\u0000"', '"\ud800"', '"\u2028"', '"' . 'x' x 256 . '"', '[]', '[""]', '["a",1]', '{}', '1', 'true', '"\u0000news:"') {
        is publish('/none', "{\"data\":1,\"channel\":$name}")->status, 400, "channel: " . $name =~ s/x{9,}/x.../r;
    }
    is publish('/none', { data => 1, channel => 'x' x 255 })->status, 201, 'as long as may be';
};

subtest 'how many' => sub {
    my @names = map {"many-$_"} 1 .. 65;
    my $answer = publish('/none', { data => 1, channel => [@names[0 .. 63]] });
    is_deeply [$answer->status, $answer->json->{events}], [201, 1], '64 of them';
    is_deeply [map { events($_, 1) } @names[0, 31, 63]], [1, 1, 1], 'each has the event';
    my $more = publish('/none', { data => 1, channel => \@names });
    is_deeply [$more->status, $more->json->{error}], [400, 'too many channels'], 'one more';
    is publish('/none', { data => 1, channel => [map { 'x' x 250 . $_ } 10 .. 73] })->status, 201, 'of the longest names';
    my $counted = publish('/few', '{"data":1,"channel":["f1","f2"]}{"data":2,"channel":["f1","f2"]}{"data":3,"channel":["f1","f2"]}');
    is_deeply [$counted->status, @{ $counted->json }{qw(error events envelope)}],
        [413, 'more events than sse_max_events allows', 2, 2], 'sse_max_events counts each copy';
    is_deeply [events('f2', 2)], [1, 2], 'and nothing is half done';
    is publish('/size', { data => 'x' x 50_000, channel => [qw(s1 s2)] })->status, 201, 'two large copies';
    my $large = publish('/size', { data => 'x' x 51_201, channel => [qw(s1 s2)] });
    is_deeply [$large->status, $large->json->{error}], [413, 'the event is too large for so many channels'], 'larger ones';
    is publish('/size', { data => 'x' x 51_201, channel => [qw(s1)] })->status, 201, 'a single one';
    my $body = join '', map { encode_json({ data => "d$_", channel => [map {"w$_"} 1 .. 64] }) } 1 .. 1000;
    is publish('/any?channel=w', $body)->json->{events}, 1000, 'many of them';
    is_deeply [map { (events($_, 1000))[-1] } qw(w1 w64)], [qw(d1000 d1000)], 'are everywhere';
};

subtest 'ended channels' => sub {
    my $subscriber = $server->subscribe('/list?list=e1,e2')->ready;
    my $answer = publish('/any?channel=e0', '{"data":1,"channel":["e1","e2"],"end":true}');
    is_deeply [@{ $answer->json }{qw(channel ended)}], ['e2', JSON::PP::true], 'an envelope ends all of its channels';
    is $subscriber->wait_closed, 'clean', 'so their streams end';
    publish('/any?channel=o1', '{"data":1,"end":true}');
    my $refused = publish('/once?channel=o0', '{"data":1}{"data":2,"channel":["o2","o1"]}');
    is_deeply [$refused->status, @{ $refused->json }{qw(error events)}], [409, 'the channel has ended', 1], 'sse_reopen off: one that has ended';
    ok is_empty('o2'), 'and the others get nothing';
    is publish('/once?channel=o1', '{"data":1,"channel":"o2"}')->status, 201, 'the channel of the location does not matter then';
    my $both = publish('/any?channel=e3&end', '{"data":1}{"data":2,"channel":"e4"}');
    is_deeply [@{ $both->json }{qw(channel ended events)}], ['e3', JSON::PP::true, 2], 'the argument ends that of the location';
    is $server->get('/sub?channel=e3')->status, 204, 'which has ended';
    is publish('/once?channel=x', '{"data":3,"channel":"e4"}')->status, 201, 'while the other goes on';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
