# With sse_framing json, a body consists of envelopes. Each becomes an event as soon as it is complete, and a refusal says what is
# wrong and where.
use v5.36;
use lib 't/lib';
use JSON::PP ();
use Test::More;
use SSE::App;
use SSE::Nginx;
use SSE::Util;

my $app = SSE::App->start(sub { return (200, ['X-Accel-Redirect' => '/inside'], 'taken') });
my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c h2)],
    zone      => '16m',
    workers   => 2,
    locations => <<"END",
location = /json { sse_publish \$arg_channel; sse_framing json; client_max_body_size 0; }
        location = /auto { sse_publish \$arg_channel; }
        location = /type { sse_publish \$arg_channel; sse_framing content_type; }
        location = /few { sse_publish \$arg_channel; sse_framing json; sse_max_events 2; sse_max_event_size 10; }
        location = /repair { sse_publish \$arg_channel; sse_framing json; sse_invalid_utf8 replace; }
        location = /noids { sse_publish \$arg_channel; sse_framing json; sse_body_ids ignore; }
        location = /id { sse_publish \$arg_channel; sse_framing json; sse_event_id \$arg_id; }
        location = /error { sse_publish \$arg_channel; sse_framing json; sse_allow_types error; }
        location = /noend { sse_publish \$arg_channel; sse_framing json; sse_publish_end ''; }
        location = /once { sse_publish \$arg_channel; sse_framing json; sse_reopen off; }
        location = /whole { sse_publish \$arg_channel; sse_framing json; sse_batch atomic; sse_reopen off; sse_body_channels on; }
        location = /page { sse_publish \$arg_channel; sse_framing json; error_page 400 = /sorry; }
        location = /sorry { return 200 sorry; }
        location = /app { proxy_pass http://127.0.0.1:@{[$app->port]}; }
        location = /inside { internal; sse_publish inside; sse_framing json; }
END
);

sub publish ($path, $body, @more) { return $server->publish($path, $body, @more) }
sub events ($channel, $count) { return $server->subscribe("/sub?channel=$channel", cursor => '0-0')->events($count) }
sub new_channel { state $number = 0; return 'c' . ++$number }

# Each byte in a chunk of its own.
sub in_bytes ($path, $body) {
    my $publisher = $server->stream($path);
    $publisher->write(join('', map {"1\r\n$_\r\n"} split //, $body) . "0\r\n\r\n");
    return $publisher->finish;
}

my %way = ('at once' => \&publish, 'byte by byte' => \&in_bytes);

# The data of an event, and its type, publisher id and retry if it has them. A stream begins with a retry of at least 3 seconds.
sub fields_of ($event) {
    my ($type, $id, $retry) = @$event{qw(type id retry)};
    return [$event->{data}, $type eq 'message' ? undef : $type, $id =~ /~(.*)/ ? $1 : undef, ($retry // 3000) < 3000 ? $retry : undef];
}

# A body, and for each event its data, and its type, id and retry if it has them.
my @case = (
    ['{"data":"hello"}', ['hello']],
    ['[{"data":"a"},{"data":"b"}]', ['a'], ['b']],
    ["{\"data\":\"a\"}\n{\"data\":\"b\"}\n", ['a'], ['b']],
    ['[{"data":"a"}][{"data":"b"},{"data":"c"}]', ['a'], ['b'], ['c']],
    ['{"data":"x","event":"price","id":"order 7","retry":700}', ['x', 'price', 'order%207', 700]],
    ['{"retry":"700","id":7,"event":"p","data":"x"}', ['x', 'p', '7', 700]],
    ['{"data":"x","event":null,"id":null,"retry":null,"channel":null,"end":null}', ['x']],
    ['{"data":"x","event":"","id":"","retry":""}', ['x']],
    ['{"data":""}', ['']],
    ['{"data":"a\nb\r\nc\rd"}' =~ s/\n/\\n/gr =~ s/\r/\\r/gr, ["a\nb\nc\nd"]],
    ['{"data":"\u20ac \ud83d\ude00 \" \\\\ \/ \t"}', ["\xe2\x82\xac \xf0\x9f\x98\x80 \" \\ / \t"]],
    ["{\"data\":\"\xe2\x82\xac\"}", ["\xe2\x82\xac"]],
    # Any other value as it stands.
    ['{"data":{ "a" : [1, 2.50, -0, 1e5], "b":"\u20ac" , "a":null}}', ['{ "a" : [1, 2.50, -0, 1e5], "b":"\u20ac" , "a":null}']],
    ['{"data":[]}{"data":{}}{"data":12345678901234567890}{"data":1.10}', ['[]'], ['{}'], ['12345678901234567890'], ['1.10']],
    ['{"data":true}{"data":false}{"data":null}', ['true'], ['false'], ['null']],
    ["{\"data\":[\n1,\n2]}", ["[\n1,\n2]"]],
    ['{"data":["\ud800"]}', ['["\ud800"]']],
    ["\xef\xbb\xbf {\"data\":1}", ['1']],
);

subtest 'every value' => sub {
    for my $case (@case) {
        my ($body, @expected) = @$case;
        for my $way (sort keys %way) {
            my $channel = new_channel();
            my $answer = $way{$way}->("/json?channel=$channel", $body);
            is $answer->status, 201, "$body, $way" or diag $answer->body;
            is $answer->json->{events}, scalar @expected, 'as many events';
            is_deeply [map { fields_of($_) } events($channel, scalar @expected)], [map { [@$_[0 .. 3]] } @expected], 'arrive';
        }
    }
};

subtest 'no envelopes' => sub {
    for my $body ('', ' ', '[]', '[ ] []') {
        my $answer = publish('/json?channel=none', $body);
        is_deeply [$answer->status, $answer->json], [200, { id => undef, channel => 'none', subscribers => 0, events => 0 }], "\"$body\"";
    }
};

# What is refused, why, and in which field; the byte is marked with a dagger.
my @fault = (
    ['{"data":1,†"dat":2}',                       400, 'unknown field', 'dat'],
    ['{†"channels":["a"]}',                       400, 'unknown field', 'channels'],
    ['{†"d\u00e4ta":1}',                          400, 'unknown field', "d\x{e4}ta"],
    ['{"data":1,†"data":2}',                      400, 'duplicate field', 'data'],
    ['{"event":"e"†}',                            400, 'no data'],
    ['{"data":1,†"event":"a\nb"}',                400, 'invalid event type', 'event'],
    ['{"data":1,†"event":"gap"}',                 400, 'reserved event type', 'event'],
    ['{"data":1,†"event":"ready"}',               400, 'reserved event type', 'event'],
    ['{"data":1,†"event":"r\u0065ady"}',          400, 'reserved event type', 'event'],
    ['{"data":1,†"id":"' . 'x' x 87 . '"}',       400, 'invalid event id', 'id'],
    ['{"data":1,†"id":1.5}',                      400, 'invalid event id', 'id'],
    ['{"data":1,†"retry":"soon"}',                400, 'invalid retry', 'retry'],
    ['{"data":1,†"retry":1.5}',                   400, 'invalid retry', 'retry'],
    ['{"data":1,†"end":"yes"}',                   400, 'invalid end', 'end'],
    ['{"data":1,†"channel":"other"}',             403, 'a body may not name channels here', 'channel'],
    ['{"data":1,†"channel":["a","b"]}',           403, 'a body may not name channels here', 'channel'],
    ['{"data":1,†"channel":"a\u0000"}',           400, 'invalid channel name', 'channel'],
    ['{"data":1,†"channel":[]}',                  400, 'invalid channel name', 'channel'],
    ['{†"data":"\ud800"}',                        400, 'invalid UTF-8', 'data'],
    ["{†\"data\":\"\xff\"}",                      400, 'invalid UTF-8', 'data'],
    ["{†\"data\":[\"\xff\"]}",                    400, 'invalid UTF-8', 'data'],
    ['†"hello"',                                  400, 'neither an envelope nor an array of envelopes'],
    ['[†[]]',                                     400, 'neither an envelope nor an array of envelopes'],
    ['†hello',                                    400, 'invalid JSON'],
    ['{"data":1}†x',                              400, 'invalid JSON', undef, 1],
    ['{"data":1}†}',                              400, 'invalid JSON', undef, 1],
    ['{"data":1,†,"event":"e"}',                  400, 'invalid JSON'],
    ['{"data":0†1}',                              400, 'invalid JSON'],
    ["{\"data\":\"a†\nb\"}",                      400, 'invalid JSON'],
    ['{"data":"\†x"}',                            400, 'invalid JSON'],
    ['{"data":' . '[' x 63 . '†[',                400, 'the JSON is nested too deeply'],
    ['{"data":1†',                                400, 'the body ends inside an event'],
    ['[{"data":1}†',                              400, 'invalid JSON', undef, 1],
);

subtest 'every fault' => sub {
    my $good = '{"data":"a"} {"data":"b"}';
    for my $fault (@fault) {
        my ($marked, $status, $error, $field, $events) = @$fault;
        my $at = index $marked, '†';
        my $body = $marked =~ s/†//r;
        for my $before ('', "$good\n") {
            for my $way (sort keys %way) {
                my $channel = new_channel();
                my $answer = $way{$way}->("/json?channel=$channel", $before . $body);
                my $taken = ($before ? 2 : 0) + ($events // 0);
                is $answer->status, $status, $body =~ s/[^ -~]/?/gr . ", $way";
                is_deeply $answer->json,
                    { error => $error, defined $field ? (field => $field) : (), envelope => $taken, at => length($before) + $at,
                    events => $taken }, 'what, where, and after how many';
                is $server->get("/json?channel=$channel")->json->{last_id} ? 1 : 0, $taken ? 1 : 0, 'nothing else is published';
            }
        }
    }
};

subtest 'limits' => sub {
    my $answer = publish('/few?channel=few', '[{"data":1},{"data":2},{"data":3}]');
    is_deeply [$answer->status, $answer->json], [413, { error => 'more events than sse_max_events allows', envelope => 2, at => 23, events => 2 }],
        'sse_max_events';
    is publish('/few?channel=few', '{"data":"\u0031234567890"}')->status, 201, 'sse_max_event_size is for the text';
    for my $body ('{"data":"12345678901"}', '{"data":[12345,789]}', '{"data":12345678901}') {
        my $large = publish('/few?channel=few', $body);
        is_deeply [$large->status, @{ $large->json }{qw(field at)}], [413, 'data', 1], $body;
    }
    is publish('/json?channel=deep', '{"data":' . '[' x 1_000_000)->status, 400, 'a million brackets';
    is publish('/json?channel=deep', '{"data":' . '{"a":' x 200_000)->status, 400, 'a million objects';
    is publish('/json?channel=space', '{"data":' . ' ' x 1_000_000 . '1}')->status, 201, 'a million spaces';
    my $empty = publish('/json?channel=empty', '[' . join(',', ('{}') x 100_000) . ']');
    is_deeply [$empty->status, $empty->json->{events}], [400, 0], 'empty envelopes';
    is publish('/json?channel=many', '[' . join(',', ('{"data":""}') x 50_000) . ']')->json->{events}, 50_000, 'many envelopes';
    my $slow = in_bytes('/json?channel=slow', '{"data":"' . 'x' x 50_000 . '"}');
    is $slow->json->{events}, 1, 'a string in chunks of a byte';
    is length((events('slow', 1))[0]{data}), 50_000, 'is whole';
};

for my $via (qw(h1 tls h2c h2)) {
    subtest "an open body, over $via" => sub {
        my $subscriber = $server->subscribe("/sub?channel=open$via", via => $via)->ready;
        my $publisher = $server->stream("/json?channel=open$via", via => $via);
        $publisher->feed('[{"data":"one"}');
        is $subscriber->next_event->{data}, 'one', 'an envelope arrives while the array is open';
        $publisher->feed(",\n{\"data\":\"tw");
        $publisher->feed('o"}, {"data":{"n":3}');
        is $subscriber->next_event->{data}, 'two', 'the next one when it is complete';
        $publisher->feed('}]');
        is $subscriber->next_event->{data}, '{"n":3}', 'without waiting for what follows';
        $publisher->feed('{"data":"four"}')->end;
        is $publisher->finish->json->{events}, 4, 'all counted';
        is $subscriber->next_event->{data}, 'four', 'one after the array';
    };
}

subtest 'an open body that a reload cuts' => sub {
    my $other = SSE::Nginx->start(publish => 'sse_framing json;');
    my $subscriber = $other->subscribe('/sub?channel=c')->ready;
    my ($between, $within) = map { $other->stream('/pub?channel=c') } 1, 2;
    $between->feed('[{"data":"one"},');
    is $subscriber->next_event->{data}, 'one', 'an envelope';
    $within->feed('[{"data":"two"},{"data"');
    is $subscriber->next_event->{data}, 'two', 'another, and the beginning of one';
    $other->reload(wait => 0);
    my $answer = $between->finish;
    is_deeply [$answer->status, $answer->json->{events}], [201, 1], 'between two envelopes: the publisher goes on elsewhere';
    my $cut = $within->finish;
    is_deeply [$cut->status, $cut->json->{events}], [503, 1], 'within one: it is told so';
    is_deeply [$other->stop], [], 'no trouble';
};

subtest 'what is not asked for' => sub {
    my $body = '{"data":"x"}';
    for my $path (qw(/auto /type)) {
        my $channel = new_channel();
        is publish("$path?channel=$channel", $body, type => 'application/json')->json->{events}, 1, "$path: JSON";
        is publish("$path?channel=$channel", 'data=x', type => 'application/x-www-form-urlencoded')->json->{events}, 1, 'and a form';
        is_deeply [map { $_->{data} } events($channel, 2)], [$body, 'data=x'], 'are data';
    }
    is publish('/json?channel=any', $body, type => 'text/plain')->status, 201, 'the type does not matter where it is asked for';
};

subtest 'arguments and directives' => sub {
    my $channel = new_channel();
    publish("/json?channel=$channel&event=usual&retry=900", '{"data":1}{"data":2,"event":"own","retry":800}');
    is_deeply [map { [@$_{qw(type retry)}] } events($channel, 2)], [['usual', 900], ['own', 800]], 'are for events that do not say it';
    is publish("/json?channel=$channel&encode=base64", '{"data":1}')->status, 400, 'an encoding is not for envelopes';
    is publish('/id?channel=x&id=a', '{"data":1}')->status, 400, 'nor is one id';
    my $ids = new_channel();
    publish("/noids?channel=$ids", '{"data":1,"id":"a"}{"data":2,"id":"' . 'x' x 100 . '"}');
    is_deeply [grep {/~/} map { $_->{id} } events($ids, 2)], [], 'sse_body_ids ignore';
    my $repaired = new_channel();
    publish("/repair?channel=$repaired", "{\"data\":\"\\ud800\xff\"}");
    is +(events($repaired, 1))[0]{data}, "\xef\xbf\xbd" x 2, 'sse_invalid_utf8 replace';
    is publish('/error?channel=x', '{"data":1,"event":"error"}')->status, 201, 'sse_allow_types';
    is publish('/error?channel=x', '{"data":1,"event":"gap"}')->status, 400, 'for no other type';
    is publish('/page?channel=x', '{')->body, 'sorry', 'error_page';
    is publish('/page?channel=x', '{"data":1}{')->status, 400, 'but not for half a body';
};

subtest 'the end' => sub {
    my $channel = new_channel();
    my $subscriber = $server->subscribe("/sub?channel=$channel")->ready;
    my $answer = publish("/json?channel=$channel", '{"data":"a"}{"data":"b","end":true}');
    is_deeply [@{ $answer->json }{qw(events ended)}], [2, JSON::PP::true], 'with its last event';
    is $subscriber->wait_closed, 'clean', 'ends the channel';
    is_deeply [map { $_->{data} } $subscriber->events(2, 0)], [qw(a b)], 'after that';
    my $again = publish("/json?channel=$channel", '{"data":"a","end":true}{"data":"b"}');
    is_deeply [$again->status, $again->json->{ended}], [201, undef], 'what follows begins it anew';
    my $both = publish("/json?channel=$channel&end", '{"data":"c","end":true}');
    is_deeply [@{ $both->json }{qw(events ended)}], [1, JSON::PP::true], 'by the argument, too';
    my $refused = publish('/noend?channel=x', '{"data":1}{"data":2,"end":true}');
    is_deeply [$refused->status, $refused->json], [403,
        { error => 'a body may not end channels here', field => 'end', envelope => 1, at => 20, events => 1 }],
        'not where sse_publish_end says who may';
    is publish('/noend?channel=x', '{"data":2,"end":false}')->status, 201, 'no end is no end';
    my $once = publish('/once?channel=once', '{"data":1,"end":true}{"data":2}');
    is_deeply [$once->status, $once->json->{events}], [409, 1], 'sse_reopen off';
    $server->request(POST => '/app', body => '{"data":"app"}')->finish;
    is +(events('inside', 1))[0]{data}, 'app', 'what an application lets pass is read as the configuration says';
    is $server->request(POST => '/app', body => '{"data":"app","end":true}')->finish->status, 403, 'and ends nothing';
};

subtest 'as a whole' => sub {
    my $channel = new_channel();
    my $bad = publish("/whole?channel=$channel", '[{"data":1},{"dat":2}]');
    is_deeply [$bad->status, $bad->json], [400, { error => 'unknown field', field => 'dat', envelope => 1, at => 13, events => 0 }],
        'what and where';
    is publish("/whole?channel=$channel", '[{"data":1}')->status, 400, 'an array that is not complete';
    is publish("/whole?channel=$channel", '{"data":1,"end":true}{"data":2}')->status, 409, 'an end with something after it';
    is $server->get("/json?channel=$channel")->json->{last_id}, undef, 'nothing of all that is published';
    my $good = publish("/whole?channel=$channel", '{"data":1}{"data":2,"end":true}');
    is_deeply [$good->status, @{ $good->json }{qw(events ended)}], [201, 2, JSON::PP::true], 'all of it is, with the end';
    is_deeply [map { $_->{data} } events($channel, 2)], [1, 2], 'in order';
    my $named = publish("/whole?channel=$channel", '{"data":1,"channel":"other"}');
    is_deeply [$named->status, $named->json->{error}], [400, 'a body that is published as a whole may not name channels'], 'no channels';
    my $open = $server->stream('/whole?channel=x');
    $open->feed('{"data":1,"channel":"open"}')->end;
    is $open->finish->status, 201, 'but in a stream';
    my @once = map { publish('/json?channel=once-only', '[{"data":1},{"data":2}]', headers => ['Idempotency-Key' => 'k']) } 1, 2;
    is_deeply [map { $_->status } @once], [201, 200], 'a request that comes again';
    is_deeply [@{ $once[1]->json }{qw(id repeated)}], [$once[0]->json->{id}, JSON::PP::true], 'is recognised';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
