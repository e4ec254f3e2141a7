# Polls: the events after a cursor as JSON, with the same cursors, gaps and refusals as a stream.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my @via = (qw(h1 h1.0 unchunked tls h2c), SSE::Nginx::lacks_http3() ? () : 'h3');
my $server = SSE::Nginx->start(
    listen    => [grep { $_ ne 'h1.0' } @via],
    workers   => 2,
    zone      => '8m',
    publish   => 'sse_event_id $arg_id;',
    locations => <<'END',
location = /earliest { sse_channel $arg_channel; sse_start earliest; }
        location = /last     { sse_channel $arg_channel; sse_start last=2; }
        location = /some     { sse_channel $arg_channel; sse_history 3; }
        location = /close    { sse_channel $arg_channel; sse_history 3; sse_gap close; error_page 410 = @snapshot; }
        location = /refuse   { sse_channel $arg_channel; sse_history 3; sse_gap close; }
        location = /silent   { sse_channel $arg_channel; sse_history 3; sse_gap off; }
        location = /none204  { sse_channel $arg_channel; sse_absent 204; }
        location = /none404  { sse_channel $arg_channel; sse_absent 404; }
        location = /off      { sse_channel $arg_channel; sse_poll off; }
        location = /model    { sse_channel $arg_channel; sse_profile model; }
        location = /several  { sse_channel $arg_channel separator=,; sse_start earliest; sse_max_channels 3; }
        location = /cursor   { sse_channel $arg_channel; sse_cursor $arg_since; }
        location = /expires  { sse_channel $arg_channel; sse_expires $arg_until; }
        location = /cors     { sse_channel $arg_channel; sse_cors https://app.example credentials; }
        location @snapshot   { default_type application/json; return 200 '{"snapshot":true}'; }
END
);

sub publish ($channel, $data, $more = '', %option) {
    return $server->publish("/pub?channel=$channel$more", $data, %option)->json->{id};
}
sub poll ($path, %option) { return $server->get($path =~ /[?&]poll/ || $option{headers} ? $path : "$path&poll", %option) }
sub data ($answer) { return [map { $_->{data} } @{ $answer->json->{events} }] }

for my $via (@via) {
    subtest "over $via" => sub {
        my $channel = "c$via";
        my $first   = poll("/sub?channel=$channel", via => $via);
        is $first->status, 200, 'a client without a cursor';
        is $first->header('Content-Type'), 'application/json', 'gets JSON';
        my $cursor = $first->json->{cursor};
        is_deeply $first->json, { events => [], cursor => $cursor }, 'with its position';
        like $cursor, qr/\A\d+-\d+\z/, 'which is one';
        my @id = map { publish($channel, $_) } 'one', "two\nlines", "\x{e2}\x{82}\x{ac} \"quoted\" \\ \x{7f}";
        push @id, publish($channel, 'typed', '&event=alert&retry=5000'), publish($channel, 'named', '&id=p%2F1');
        my $answer = poll("/sub?channel=$channel", via => $via, cursor => $cursor);
        is_deeply $answer->json, {
            events => [
                { id => $id[0], type => 'message', data => 'one' },
                { id => $id[1], type => 'message', data => "two\nlines" },
                { id => $id[2], type => 'message', data => "\x{20ac} \"quoted\" \\ \x{7f}" },
                { id => $id[3], type => 'alert',   data => 'typed', retry => 5000 },
                { id => $id[4], type => 'message', data => 'named' },
            ],
            cursor => $id[4],
            },
            'what came since, and where to go on';
        like $id[4], qr{~p/1\z}, 'an id may be a publisher\'s';
        is_deeply data(poll("/sub?channel=$channel", via => $via, cursor => $id[3])), ['named'], 'from any id';
        is_deeply data(poll("/sub?channel=$channel&last_event_id=$id[2]", via => $via)), [qw(typed named)], 'in the query';
        is_deeply data(poll("/sub?channel=$channel&last_event_id=p/1", via => $via)), [], 'a publisher\'s id';
        my $none = poll("/sub?channel=$channel", via => $via, cursor => $id[4])->json;
        is_deeply $none->{events}, [], 'nothing is newer';
        is_deeply data(poll("/sub?channel=$channel", via => $via, cursor => $none->{cursor})), [], 'nor than what that answers';
        my $six = publish($channel, 'six');
        is_deeply data(poll("/sub?channel=$channel", via => $via, cursor => $none->{cursor})), ['six'], 'nothing is lost after it';
    };
}

subtest 'who gets JSON' => sub {
    my @case = (
        [poll => '&poll'],
        [poll => '&poll=1'],
        [poll => '&poll=true'],
        [stream => '&poll=0'],
        [stream => ''],
        [stream => '', '*/*'],
        [stream => '', 'text/event-stream'],
        [stream => '', 'text/event-stream, application/json'],
        [stream => '', 'application/json', 'text/event-stream'],
        [stream => '', 'application/*'],
        [stream => '', 'application/jsonx'],
        [stream => '', 'text/html;x=application/json'],
        [stream => '', 'application/json;q=0'],
        [stream => '', 'application/json; Q=0.000'],
        [stream => '', ''],
        [poll => '', 'application/json'],
        [poll => '', 'Application/JSON ; charset=utf-8'],
        [poll => '', 'application/json, text/plain, */*'],
        [poll => '', '*/*;q=0.1, application/json;q=0.9'],
        [poll => '', 'application/json;q=0.01'],
        [poll => '', 'application/json, text/event-stream;q=0'],
        [poll => '', 'text/html', 'application/json'],
        [poll => '&poll', 'text/event-stream'],
    );
    for my $via (qw(h1 h2c)) {
        for (@case) {
            my ($what, $query, @accept) = @$_;
            my @headers = (headers => [map { (Accept => $_) } @accept]);
            my $client = $server->subscribe("/sub?channel=kinds$query", via => $via, @headers);
            my $type = $what eq 'poll' ? 'application/json' : 'text/event-stream; charset=utf-8';
            is $client->header('Content-Type'), $type, "$via, @accept $query: $what";
            is $client->header('Vary'), $query =~ /poll(?!=0)/ ? undef : 'Accept', 'and Vary where Accept has a say';
            $client->close;
            for my $path (qw(/off /model)) {
                my $off = $server->subscribe("$path?channel=kinds$query", via => $via, @headers);
                is $off->header('Content-Type'), 'text/event-stream; charset=utf-8', "$path: always a stream";
                is $off->header('Vary'), undef, 'which does not depend on Accept';
                $off->close;
            }
        }
    }
};

subtest 'headers' => sub {
    publish('heads', 'x');
    my $origin = [Origin => 'https://app.example'];
    my $answer = poll('/cors?channel=heads&poll&last_event_id=0-0', headers => $origin);
    is $answer->header('Cache-Control'), 'no-store', 'it may not be stored';
    is $answer->header('Content-Length'), length $answer->body, 'its length is known';
    is $answer->header($_), undef, "no $_" for qw(ETag Last-Modified Accept-Ranges Content-Range);
    is $answer->header('Access-Control-Allow-Origin'), 'https://app.example', 'other origins may read it';
    is $answer->header('Access-Control-Allow-Credentials'), 'true', 'with credentials';
    like $answer->header('Vary'), qr/\bOrigin\b/, 'and it depends on the origin';
    like poll('/cors?channel=heads', headers => [@$origin, Accept => 'application/json'])->header('Vary'), qr/Origin.*Accept|Accept.*Origin/,
        'or on both';
    my $past = 'Sat, 21 Nov 2020 10:00:00 GMT';
    for my $condition (['If-None-Match' => '*'], ['If-Match' => '"x"'], ['If-Modified-Since' => $past], ['If-Unmodified-Since' => $past], [Range => 'bytes=0-1']) {
        my $conditional = poll('/sub?channel=heads&poll&last_event_id=0-0', headers => $condition);
        is $conditional->status, 200, "@$condition: 200";
        is_deeply data($conditional), ['x'], 'all of it';
    }
    for my $via (qw(h1 tls h2c)) {
        my $head = $server->request(HEAD => '/sub?channel=heads&poll&wait=30&last_event_id=0-0', via => $via)->finish;
        is $head->status, 200, "$via: HEAD";
        is $head->header('Content-Length'), length $answer->body, 'as long as the answer to a GET';
        is $head->body, '', 'without it';
    }
};

subtest 'cursors and gaps are those of a stream' => sub {
    my @id = map { publish('many', $_) } 1 .. 6;
    is_deeply data(poll('/earliest?channel=many')), [1 .. 6], 'sse_start earliest';
    is_deeply data(poll('/last?channel=many')), [5, 6], 'sse_start last';
    is_deeply data(poll('/sub?channel=many')), [], 'sse_start new';
    is_deeply data(poll('/sub?channel=many&last_event_id=0-0')), [1 .. 6], '0-0';
    is_deeply data(poll("/cursor?channel=many&since=$id[3]")), [5, 6], 'sse_cursor';
    is_deeply poll('/some?channel=many', cursor => $id[2])->json->{gap}, undef, 'no gap';
    my $gap = poll('/some?channel=many', cursor => $id[0])->json;
    is_deeply $gap->{gap}, { reason => 'evicted', requested => $id[0], start => $id[2], missed => 2 }, 'a gap, counted';
    is_deeply [map { $_->{data} } @{ $gap->{events} }], [4 .. 6], 'and what follows it';
    my $stream = $server->subscribe('/some?channel=many', cursor => $id[0])->next_event;
    is_deeply(JSON::PP->new->decode($stream->{data}), $gap->{gap}, 'as the gap event of a stream tells it');
    my $unknown = poll('/sub?channel=nothing', cursor => "no \"such\" id\xff")->json;
    is_deeply $unknown, { gap => { reason => 'unknown', requested => "no \"such\" id\x{fffd}", start => $unknown->{gap}{start} }, events => [], cursor => $unknown->{cursor} },
        'an unknown id is a gap, also without an event';
    is_deeply poll('/sub?channel=nothing', cursor => $unknown->{cursor})->json->{gap}, undef, 'that is told once';
    is_deeply poll('/silent?channel=many', cursor => $id[0])->json->{gap}, undef, 'sse_gap off';
    is_deeply data(poll('/silent?channel=many', cursor => $id[0])), [4 .. 6], 'goes on';
    my $refused = poll('/refuse?channel=many', cursor => $id[0]);
    is $refused->status, 410, 'sse_gap close';
    like $refused->json->{error}, qr/gone/, 'with a reason';
    is poll('/close?channel=many', cursor => $id[0])->json->{snapshot}, JSON::PP::true, 'which an error_page may answer';
    is poll('/refuse?channel=many', cursor => $id[2])->status, 200, 'and only then';
};

subtest 'several channels' => sub {
    my @id = map { publish($_ % 2 ? 'odd' : 'even', $_) } 1 .. 4;
    my $answer = poll('/several?channel=odd,even,none');
    is_deeply data($answer), [1 .. 4], 'in one order';
    is $answer->json->{cursor}, $id[3], 'with one cursor';
    is_deeply data(poll('/several?channel=even,odd', cursor => $id[1])), [3, 4], 'for all of them';
    is poll('/several?channel=a,b,c,d')->status, 400, 'sse_max_channels';
};

subtest 'the end' => sub {
    my $first = publish('ends', 'first');
    publish('ends', 'last', '&end');
    my $answer = poll('/sub?channel=ends&last_event_id=0-0');
    is_deeply data($answer), [qw(first last)], 'all that is left';
    is $answer->json->{ended}, JSON::PP::true, 'says that it is all';
    is poll('/sub?channel=ends', cursor => $answer->json->{cursor})->status, 204, 'after that: 204';
    is poll('/sub?channel=ends')->status, 204, 'and for a client without a cursor';
    is $server->request(HEAD => '/sub?channel=ends&poll')->finish->status, 204, 'HEAD, too';
    is poll("/sub?channel=ends&wait=30", cursor => $answer->json->{cursor})->status, 204, 'who would wait does not';
    publish('deleted', 'x');
    $server->publish('/pub?channel=deleted', '', method => 'DELETE');
    is poll('/sub?channel=deleted&last_event_id=0-0')->json->{ended}, JSON::PP::true, 'by a DELETE, too';
    publish('ends', 'again');
    my $again = poll('/sub?channel=ends', cursor => $answer->json->{cursor})->json;
    is_deeply [$again->{events}[0]{data}, $again->{ended}], ['again', undef], 'a channel may begin anew';
};

subtest 'refusals' => sub {
    is poll('/none204?channel=absent')->status, 204, 'sse_absent 204';
    is poll('/none404?channel=absent')->status, 404, 'sse_absent 404';
    is poll('/sub?poll')->status, 400, 'no channel';
    is poll("/sub?channel=x&wait=$_")->status, 400, "wait=$_" for qw(x -1 1.5 61 99999999999999999999 1s %2d1);
    like poll('/sub?channel=x&wait=x')->json->{error}, qr/wait/, 'with a reason';
    is poll("/sub?channel=x&wait=$_")->status, 200, "wait=$_" for '', 0, '00', '%30';
    is $server->subscribe('/sub?channel=x&wait=x')->ready->status, 200, 'a stream does not ask for it';
    is poll('/expires?channel=x&until=1')->status, 403, 'sse_expires';
    is $server->request(POST => '/sub?channel=x&poll', body => '')->finish->status, 405, 'POST';
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
is $server->get('/pub?channel=many')->json->{subscribers}, 0, 'nor on a channel';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
