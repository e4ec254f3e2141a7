# With sse_framing form, a body contains the fields of one event, encoded as curl, a page or any library encodes a form.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    workers   => 2,
    locations => <<"END",
location = /form { sse_publish \$arg_channel; sse_framing form; client_max_body_size 0; }
        location = /own { sse_publish \$arg_channel; sse_framing form; sse_body_channels own-; }
        location = /small { sse_publish \$arg_channel; sse_framing form; sse_max_event_size 10; client_max_body_size 0; }
        location = /repair { sse_publish \$arg_channel; sse_framing form; sse_invalid_utf8 replace; }
        location = /id { sse_publish \$arg_channel; sse_framing form; sse_event_id \$arg_id; }
        location = /noend { sse_publish \$arg_channel; sse_framing form; sse_publish_end ''; }
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

my %way = ('at once' => \&publish, 'byte by byte' => \&in_bytes, 'HTTP/2' => sub ($path, $body) { publish($path, $body, via => 'h2c') });

# The data of an event, and its type, publisher id and retry if it has them. A stream begins with a retry of at least 3 seconds.
sub fields_of ($event) {
    my ($type, $id, $retry) = @$event{qw(type id retry)};
    return [$event->{data}, $type eq 'message' ? undef : $type, $id =~ /~(.*)/ ? $1 : undef, ($retry // 3000) < 3000 ? $retry : undef];
}

subtest 'every value' => sub {
    my @case = (
        ['data=hello', 'hello'],
        ['data=', ''],
        ['data', ''],
        ['data=a+b%2Bc%26d%3De=f', 'a b+c&d=e=f'],
        ['data=one%0D%0Atwo%0Athree', "one\ntwo\nthree"],
        ['data=%e2%82%AC', "\xe2\x82\xac"],
        ["data=\xe2\x82\xac", "\xe2\x82\xac"],
        ['data=100%&event=%zz', '100%', '%zz'],
        ['%64%61%74%61=x', 'x'],
        ['event=price&id=order+7&retry=700&data=x', 'x', 'price', 'order%207', 700],
        ['&&data=x&event=&id=&retry=&', 'x'],
        ["\xef\xbb\xbfdata=x", 'x'],
        ['data=x&end=0', 'x'],
    );
    for my $case (@case) {
        my ($body, @expected) = @$case;
        for my $way (sort keys %way) {
            my $channel = new_channel();
            my $answer = $way{$way}->("/form?channel=$channel", $body);
            is_deeply [$answer->status, $answer->json->{events}], [201, 1], "$body, $way" or diag $answer->body;
            is_deeply fields_of(events($channel, 1)), [@expected[0 .. 3]], 'arrives';
        }
    }
};

subtest 'every fault' => sub {
    my @fault = (
        ['data=x&†dat=y',            400, 'unknown field', 'dat'],
        ['†Data=x',                  400, 'unknown field', 'Data'],
        ['†=x',                      400, 'unknown field', ''],
        ['†{"data":1}',              400, 'unknown field', '{"data":1}'],
        ['data=x&&†data=y',          400, 'duplicate field', 'data'],
        ['event=x†',                 400, 'no data'],
        ['†',                        400, 'no data'],
        ['data=x&†event=a%0Ab',      400, 'invalid event type', 'event'],
        ['data=x&†event=%67ap',      400, 'reserved event type', 'event'],
        ['data=x&†id=%ff',           400, 'invalid event id', 'id'],
        ['data=x&†id=' . 'x' x 87,   400, 'invalid event id', 'id'],
        ['data=x&†retry=1.5',        400, 'invalid retry', 'retry'],
        ['data=x&†end=yes',          400, 'invalid end', 'end'],
        ['data=x&†channel=other',    403, 'a body may not name channels here', 'channel'],
        ['data=x&†channel=',         400, 'invalid channel name', 'channel'],
        ['event=e&†data=%ff',        400, 'invalid UTF-8', 'data'],
    );
    for my $fault (@fault) {
        my ($marked, $status, $error, $field) = @$fault;
        my $body = $marked =~ s/†//r;
        my $what = { error => $error, defined $field ? (field => $field) : (), at => index($marked, '†') };
        for my $way (sort keys %way) {
            my $answer = $way{$way}->('/form?channel=fault', $body);
            is_deeply [$answer->status, $answer->json], [$status, $what], "$body, $way";
        }
    }
    is $server->get('/form?channel=fault')->json->{last_id}, undef, 'nothing is published';
};

subtest 'limits' => sub {
    is publish('/small?channel=s', 'data=' . '%41' x 10)->status, 201, 'the text counts, not its encoding';
    my $large = publish('/small?channel=s', 'data=' . '%41' x 11);
    is_deeply [$large->status, @{ $large->json }{qw(field at)}], [413, 'data', 0], 'one byte more';
    is publish('/small?channel=s', '&' x 200_000)->status, 413, 'no more than a form of that size can need';
    is in_bytes('/form?channel=long', 'data=' . '%41' x 20_000)->status, 201, 'escapes in chunks of a byte';
    is length((events('long', 1))[0]{data}), 20_000, 'are whole';
    is publish('/repair?channel=r', 'data=%ff')->status, 201, 'sse_invalid_utf8 replace';
    is +(events('r', 1))[0]{data}, "\xef\xbf\xbd", 'repairs what an escape stands for';
};

subtest 'arguments and directives' => sub {
    publish('/form?channel=args&event=usual&retry=900', $_) for 'data=1', 'data=2&event=own&retry=800';
    is_deeply [map { [@$_{qw(type retry)}] } events('args', 2)], [['usual', 900], ['own', 800]], 'are for what the form does not say';
    publish('/id?channel=ids&id=a', $_) for 'data=1', 'data=2&id=b';
    is_deeply [map { $_->{id} =~ /~(.*)/ } events('ids', 2)], [qw(a b)], 'sse_event_id, too';
    is publish('/form?channel=args&encode=base64', 'data=x')->status, 400, 'an encoding is not for forms';
    is publish('/form?channel=args', 'data=x', type => 'multipart/form-data')->status, 415, 'nor is this one a form';
    is publish('/own?channel=args', 'data=x&channel=own-a&channel=own-b')->status, 201, 'several channels';
    is_deeply [map { (events($_, 1))[0]{data} } qw(own-a own-b)], [qw(x x)], 'each has it';
};

subtest 'a request that comes again' => sub {
    my @key = (headers => ['Idempotency-Key' => 'k']);
    my @once = map { publish('/form?channel=again', 'data=x', @key) } 1, 2;
    is_deeply [map { $_->status } @once], [201, 200], 'is recognised';
    is $once[1]->json->{id}, $once[0]->json->{id}, 'as the same event';
    is publish('/own?channel=again', 'data=x&channel=own-a', @key)->status, 400, 'only in the channel of the location';
};

subtest 'the end' => sub {
    for my $end ('end', 'end=', 'end=1', 'end=true') {
        my $answer = publish('/form?channel=end', "data=x&$end");
        is_deeply [$answer->status, $answer->json->{ended}], [201, JSON::PP::true], $end;
    }
    is publish('/form?channel=end&end', '')->status, 200, 'without a form it is no event';
    is publish('/form?channel=end&end', 'event=e')->status, 400, 'half a form is a fault all the same';
    is publish('/noend?channel=end', 'data=x&end')->status, 403, 'where sse_publish_end does not want it';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
