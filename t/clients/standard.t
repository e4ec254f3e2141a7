# What the standard asks of a server of event streams, case by case, with the section that says it: HTML ("Server-sent events",
# 9.2), Fetch, HTTP (RFC 9110, 9112, 9113). Over HTTP/1.1 and HTTP/2, by sockets and in two browsers.
# needs: module browsers
#
# What other tests have of it:
#   9.2.2  an EventSource that is closed is gone                t/subscribe/response.t
#   9.2.3  reconnecting after a cut, and not after a 204        t/browser/drain.t, t/end/by_a_publish.t
#   9.2.3  credentials                                          t/browser/credentials.t
#   9.2.4  which cursor counts                                  t/subscribe/resume.t
#   9.2.5  the grammar of a stream, however it is cut           t/unit/parse.cpp, against a reference of its own
#   9.2.5  what is sent, of ten thousand random events          t/publish/round_trip.t, t/unit/encode.cpp
#   9.2.6  the reconnection time                                t/subscribe/response.t, t/unit/notices.cpp
#   9.2.7  heartbeats; polling instead                          t/subscribe/heartbeat.t, t/subscribe/polling.t
#   Fetch  CORS, origin by origin, preflights                   t/access/cors.t
use v5.36;
use lib 't/lib';
use Cwd      qw(abs_path);
use Encode   qw(decode_utf8);
use JSON::PP qw(decode_json encode_json);
use Test::More;
use SSE::Browser;
use SSE::Nginx;

my @via     = qw(h1 h2c);
my @codes   = (301, 302, 303, 307, 308);
my $server  = SSE::Nginx->new(
    listen  => [qw(h1 h2c tls h2 page-tls)], # the last one for a page, which has an origin of its own
    workers => 1,
    http    => 'sse_zone events 32m; sse_retry 250ms 0%; charset koi8-r; charset_types *; default_type text/plain;'
        . ' log_format asked "$arg_case $server_protocol $request_method $status [$http_last_event_id] $http_cookie";',
    allow   => [qr/"alias"/],
    server  => <<"END",
location = /sub       { sse_channel \$arg_channel; sse_cors \$http_origin_known credentials; }
        location = /history   { sse_channel \$arg_channel; sse_start earliest; }
        location = /pub       { sse_publish \$arg_channel; client_max_body_size 0; }
        location = /late      { sse_channel \$arg_channel; return 307 /sub?\$args; }
        @{[ map {"location = /moved/$_ { sse_channel x; sse_cors PAGE; access_log off; return $_ /brief?\$args; }\n"} @codes ]}
        location = /brief     { sse_channel \$arg_channel; sse_start earliest; sse_lifetime 400ms; sse_cors PAGE; }
        location = /absent    { sse_channel \$arg_channel; sse_absent 204; sse_cors PAGE; }
        location = /gone      { sse_channel \$arg_channel; sse_gap close; sse_cors PAGE; }
        location = /missing   { sse_channel \$arg_channel; sse_absent 404; sse_cors PAGE; }
        location = /forbidden { sse_channel \$arg_channel; sse_cors PAGE; deny all; }
        location = /unknown   { sse_channel \$arg_channel; sse_cors PAGE; return 401; }
        location = /full      { sse_channel \$arg_channel; sse_cors PAGE; sse_key me; sse_max_subscribers 1 per=key; }
        location = /busy      { sse_channel \$arg_channel; sse_cors PAGE; sse_max_subscribers 1 per=channel; }
        location = /broken    { sse_channel \$arg_channel; sse_cors PAGE; return 500; }
        location = /closed    { sse_channel \$arg_channel; }
        location = /open      { sse_channel \$arg_channel; sse_start earliest; sse_cors *; sse_cors_headers authorization; }
        location = /trusted   { sse_channel \$arg_channel; sse_start earliest; sse_cors PAGE credentials; }
        location /page/ {
            alias @{[ abs_path('t/clients') ]}/;
            charset off;
            types { text/html html; }
            add_header Set-Cookie "who=page; Path=/";
        }
        access_log asked.log asked;
END
);
$server->{server} =~ s{sse_cors \$http_origin_known credentials;}{};
$server->{server} =~ s{PAGE}{'https://127.0.0.1:' . $server->port('page-tls')}ge;
SSE::Browser::certify([], $server->prefix);
$server->write_configuration;
$server->launch or die $server->log;

# What an event stream of these bytes means, by HTML 9.2.5 and 9.2.6, as [type, data].
my @formats = (
    ['9.2.5: a byte order mark at the start is none of the text', "\xef\xbb\xbfdata: a\n\n", ['message', 'a']],
    ['9.2.5: a second one is', "\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", ['message', 'b']],
    ['9.2.5: one within it, too', "data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", ['message', 'a'], ['message', 'c']],
    ['9.2.5: lines end in CR, LF and both', "data:a\r\ndata\ndata:b\r\n\rdata: c\r\r", ['message', "a\n\nb"], ['message', 'c']],
    ['9.2.5: it is UTF-8, whatever is said of it', "data: ok\xe2\x80\xa6\n\n", ['message', "ok\xe2\x80\xa6"]],
    ['9.2.6: a comment of any length', "data: 1\r:\0\n:\r\ndata: 2\n:" . 'x' x 100_000 . "\rdata: 3\n:data: no\r:\rdata: 4\n\n",
        ['message', "1\n2\n3\n4"]],
    ['9.2.6: a field without a colon, and an empty one', "data:\n\ndata\ndata\n\ndata:end\n\n",
        ['message', ''], ['message', "\n"], ['message', 'end']],
    ['9.2.6: no data, no event', "event: a\n\ndata: x\n\n", ['message', 'x']],
    ['9.2.6: one space is not of the value', "data:\ttab\rdata:  space\ndata: plain\n\n", ['message', "\ttab\n space\nplain"]],
    ['9.2.6: names are exact', "data: 1\n data: 2\nDATA: 3\ndata : 4\nd\0ata: 5\ndata: 6\nmore: 7\nalone\n\n", ['message', "1\n6"]],
    ['9.2.6: a NUL is text', "data: a\0b\n\n", ['message', "a\0b"]],
    ['9.2.6: a type, and its end', "event: note\ndata: a\n\ndata: b\n\nevent: note\nevent:\ndata: c\n\n",
        ['note', 'a'], ['message', 'b'], ['message', 'c']],
    ['9.2.6: an id with a NUL is none', "id: 1\0\ndata: a\n\n", ['message', 'a']],
    ['9.2.6: no number, no time', "retry: 1000x\nretry: -1\nretry:\ndata: a\n\n", ['message', 'a']],
    ['9.2.6: a line of a megabyte', 'data: ' . 'x' x 1_000_000 . "\n\n", ['message', 'x' x 1_000_000]],
    ['9.2.6: what looks like a line end is none',
        "data: a\xe2\x80\xa8b\xc2\x85c\x0bd\n\n", ['message', "a\xe2\x80\xa8b\xc2\x85c\x0bd"]],
);

for my $via (@via) {
    subtest "what is published as a stream arrives as that, over $via" => sub {
        for my $number (0 .. $#formats) {
            my ($what, $stream, @events) = @{ $formats[$number] };
            my $channel = "format-$via-$number";
            my $reader = $server->subscribe("/sub?channel=$channel", via => $via)->ready;
            is $server->publish("/pub?channel=$channel", $stream, via => $via, type => 'text/event-stream')->status, 201, $what;
            my @got = $reader->events(scalar @events);
            is_deeply [map { [@$_{qw(type data)}] } @got], \@events, 'the events';
            is scalar(grep { $_->{id} !~ /\A[!-~]+\z/ } @got), 0, 'each has an id that any client can send back';
            is $reader->pending, '', 'and nothing is left over';
            $reader->close;
        }
    };

    subtest "9.2.5: the type of a stream that is published, over $via" => sub {
        my %events = (
            'text/event-stream'                      => 2,
            'text/event-stream;'                     => 2,
            'TEXT/Event-Stream'                      => 2,
            'text/event-stream;charset=iso-8859-1'   => 2,
            'text/event-stream; charset="utf-8"; x'  => 2,
            'text/event-streams'                     => 1,
            'text/x-event-stream'                    => 1,
        );
        for my $type (sort keys %events) {
            is $server->publish("/pub?channel=type-$via", "data: 1\n\ndata: 2\n\n", via => $via, type => $type)->json->{events},
                $events{$type}, $type;
        }
    };

    subtest "9.2.3: a request, over $via" => sub {
        my @headers = (
            'what browsers send' => [Accept => 'text/event-stream', 'Cache-Control' => 'no-cache', Pragma => 'no-cache'],
            'any type'           => [Accept => '*/*'],
            'nothing'            => [],
            'two types'          => [Accept => 'text/html, text/event-stream;q=0.1'],
        );
        while (my ($what, $headers) = splice @headers, 0, 2) {
            my $reader = $server->subscribe("/sub?channel=request-$via", via => $via, headers => $headers)->ready;
            is $reader->header('Content-Type'), 'text/event-stream; charset=utf-8', "$what: the type, whatever charset nginx has";
            like $reader->header('Cache-Control'), qr/no-store/, 'not to be stored';
            $reader->close;
        }
    };

    subtest "9.2.3: only a stream has the type of one, over $via" => sub {
        my @seats = map { $server->subscribe("/$_?channel=$_-$via", via => $via)->ready } qw(full busy);
        my %refusals = (
            "/sub"                        => 400,
            "/unknown?channel=a"          => 401,
            "/forbidden?channel=a"        => 403,
            "/missing?channel=none"       => 404,
            "/gone?channel=a&last_event_id=1-1" => 410,
            "/full?channel=other-$via"    => 429,
            "/broken?channel=a"           => 500,
            "/busy?channel=busy-$via"     => 503,
        );
        for my $path (sort { $refusals{$a} <=> $refusals{$b} } keys %refusals) {
            my $answer = $server->get($path, via => $via, headers => [Accept => 'text/event-stream']);
            is $answer->status, $refusals{$path}, "status $refusals{$path}";
            unlike $answer->header('Content-Type'), qr/event-stream/, 'is no stream';
        }
        my $answer = $server->request(PATCH => '/sub?channel=a', via => $via)->finish;
        is $answer->status, 405, 'status 405';
        unlike $answer->header('Content-Type'), qr/event-stream/, 'is no stream';
        $answer = $server->get('/absent?channel=none', via => $via, headers => [Accept => 'text/event-stream']);
        is_deeply [$answer->status, $answer->body, $answer->header('Content-Type')], [204, '', undef], '204 says nothing more';
        $_->close for @seats;
        wait_until(sub { !$server->get("/pub?channel=$_-$via")->json->{subscribers} }, 'the seats') for qw(full busy);
    };

    # Raw bytes, as an EventSource sends an id; RFC 9110 5.5 forbids some of them, which a server may refuse.
    subtest "9.2.4: ids of all kinds, over $via" => sub {
        $server->publish("/pub?channel=ids-$via", 'x');
        my @ids = (
            '…', "caf\xe9", "\xff\xfe", 'a b', "tab\there", 'a, b', '"quoted"', '%00', '0', '-1', '1e9', '9' x 30, '1-', '-', '~',
            'x' x 129, 'x' x 4000, '../..', '<script>', '1-1~',
        );
        for my $id (@ids) {
            my $reader = $server->subscribe("/sub?channel=ids-$via", via => $via, cursor => $id);
            my $event = $reader->next_event // { type => 'status ' . $reader->status };
            is $event->{type}, 'gap', 'unknown: ' . substr $id =~ s/[^!-~]/?/gr, 0, 20;
            $reader->close;
        }
        my $refused = $server->subscribe("/sub?channel=ids-$via", via => $via, cursor => "a\x01b");
        like $refused->status, qr/\A(?:200|400)\z/, 'a control character';
        $refused->close;
        my $none = $server->subscribe("/sub?channel=ids-$via", via => $via, cursor => '')->next_event;
        is $none->{type}, 'ready', 'an empty one is none';
    };

    subtest "9.2.4: an id that a publisher resets is still one to come back with, over $via" => sub {
        my $channel = "reset-$via";
        $server->publish("/pub?channel=$channel", "id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n", type => 'text/event-stream');
        my $reader = $server->subscribe("/history?channel=$channel", via => $via);
        my @events = $reader->events(3);
        like $events[0]{id}, qr/\A\d+-\d+~1\z/, 'it has one';
        like $events[1]{id}, qr/\A\d+-\d+\z/,   'then none of the publisher, but one of nginx';
        my $again = $server->subscribe("/history?channel=$channel", via => $via, cursor => $events[1]{id});
        is_deeply [$again->data(1)], ['c'], 'with which the client goes on';
        $_->close for $reader, $again;
    };

    subtest "9.2.3: a redirect in front, over $via" => sub {
        $server->publish("/pub?channel=moved-$via", $_) for 1 .. 3;
        my $first = $server->subscribe("/history?channel=moved-$via", via => $via)->next_event->{id};
        for my $code (@codes) {
            my $answer = $server->get("/moved/$code?channel=moved-$via", via => $via);
            is $answer->status, $code, "status $code";
            unlike $answer->header('Content-Type'), qr/event-stream/, 'is no stream';
            my ($path) = $answer->header('Location') =~ m{\A(?:https?://[^/]+)?(/.*)};
            my $reader = $server->subscribe($path, via => $via, cursor => $first);
            is_deeply [$reader->data(2)], [2, 3], 'and leads to one, with the same id';
            $reader->close;
        }
    };

    subtest "9.2.2, 9.2.3: a client that closes, and one that is cut, over $via" => sub {
        my $channel = "close-$via";
        my $count = sub { $server->get("/pub?channel=$channel")->json->{subscribers} };
        my $reader = $server->subscribe("/sub?channel=$channel", via => $via)->ready;
        $server->publish("/pub?channel=$channel", 1);
        my $id = $reader->next_event->{id};
        $reader->reset;
        wait_until(sub { $count->() == 0 }, 'nginx to notice');
        $server->publish("/pub?channel=$channel", 2);
        my $again = $server->subscribe("/sub?channel=$channel", via => $via, cursor => $id);
        is_deeply [$again->data(1)], [2], 'comes back to what it has missed';
        $again->close;
        wait_until(sub { $count->() == 0 }, 'nginx to notice');
        pass 'and is gone';
    };

    subtest "Fetch, CORS-unsafe request-header bytes: an id may need a preflight, over $via" => sub {
        my @asked = ('Access-Control-Request-Method' => 'GET',
            'Access-Control-Request-Headers' => 'authorization,cache-control,last-event-id');
        my $answer = $server->request(OPTIONS => '/open?channel=a', via => $via,
            headers => [Origin => 'https://page.example', @asked])->finish;
        is $answer->status, 204, 'which is allowed';
        my $headers = lc $answer->header('Access-Control-Allow-Headers');
        like $headers, qr/(?:\A|[, ])\Q$_\E(?:,|\z)/, "with $_" for qw(last-event-id authorization cache-control);
    };
}

# In browsers: t/clients/standard.html. Streams are of another origin than the page, over HTTP/1.1 and HTTP/2.
my %protocol = (tls => 'HTTP/1.1', h2 => 'HTTP/2.0');
my $home     = 'https://127.0.0.1:' . $server->port('page-tls');
my @seats    = map { $server->subscribe("/$_?channel=$_")->ready } qw(full busy);
my @plain    = grep { length $_->[1] < 5000 } @formats;
for my $number (0 .. $#plain) {
    $server->publish("/pub?channel=format-$number", $plain[$number][1], type => 'text/event-stream');
}
$server->publish('/pub?channel=numbers', $_) for 1 .. 3;

my %refused = (
    204 => '/absent?channel=none', 400 => '/brief?x=1', 401 => '/unknown?channel=a', 403 => '/forbidden?channel=a',
    404 => '/missing?channel=none', 410 => '/gone?channel=a&last_event_id=1-1', 429 => '/full?channel=other',
    500 => '/broken?channel=a', 503 => '/busy?channel=busy',
);

my @browsers = qw(chromium firefox);
my %open;
my $listener = $server->subscribe('/sub?channel=reports')->ready;
for my $browser (@browsers) {
    my %plan = (
        name    => $browser,
        origins => { map { $_ => 'https://127.0.0.1:' . $server->port($_) } keys %protocol },
        refused => \%refused,
        codes   => \@codes,
        formats => [map { @$_ - 2 } @plain],
    );
    my $plan = encode_json(\%plan) =~ s/([^\w.-])/sprintf '%%%02x', ord $1/ger;
    $open{$browser} = SSE::Browser->open($browser => "$home/page/standard.html?$plan", certified => $server->prefix);
}
my %report;
for (@browsers) {
    my $event = $listener->next_event(60) or last;
    my $report = decode_json($event->{data});
    $report{ $report->{name} } = $report;
}
$_->close for values %open, @seats, $listener;
is_deeply [$server->stop], [], 'no trouble'; # and all requests are in the log
my $log = sub ($case, $protocol) { return [$server->read_file('asked.log') =~ m{^\Q$case\E \Q$protocol\E (.*)$}mg] };

for my $browser (@browsers) {
    for my $via (sort keys %protocol) {
        my $seen = $report{$browser}{$via};
        subtest "$browser over $protocol{$via}" => sub {
            ok $seen, 'it reports' or do { diag $report{$browser}{error} // $open{$browser}->output; return };
            for my $number (0 .. $#plain) {
                my ($what, undef, @events) = @{ $plain[$number] };
                my @expected = map { [$_->[0], decode_utf8($_->[1])] } @events;
                if ($browser eq 'firefox') { # it leaves NULs out
                    $_->[1] =~ tr/\0//d for @expected;
                }
                is_deeply $seen->{formats}[$number], \@expected, $what;
            }
            for my $status (sort keys %refused) {
                is_deeply $seen->{refused}{$status}, ['error 2'], "9.2.3: $status closes it, without an event";
                is scalar @{ $log->("$browser-$via-$status", $protocol{$via}) }, 1, 'and it asks no more';
            }
            for my $code (@codes) {
                my $moved = $seen->{moved}{$code};
                is_deeply $moved->{data}, [1, 2, 3, 4], "9.2.3: $code leads to the stream, and to all of it after a cut";
                my @asked = @{ $log->("$browser-$via-moved-$code", $protocol{$via}) };
                is_deeply [map {/\[(.*)\]/} @asked[0, 1]], ['-', $moved->{ids}[2]], '9.2.4: with the id of the last event';
                is $moved->{origin}, 'https://127.0.0.1:' . $server->port($via),
                    '9.2.6: the origin of an event is where it came from';
            }
            is_deeply $seen->{closed}, ['error 2'], 'Fetch, CORS: a page that is not allowed to sees nothing';
            is_deeply $seen->{open}, ['open', 1, 2, 3], 'Fetch, CORS: one that is sees it';
            is_deeply $seen->{wildcard}, ['error 2'], 'Fetch, CORS: with credentials it must be allowed by name';
            is_deeply $seen->{trusted}, ['open', 1, 2, 3], 'Fetch, CORS: as it is here';
            like $log->("$browser-$via-trusted", $protocol{$via})->[0], qr/who=page/, 'with its cookie';
            unlike $log->("$browser-$via-open", $protocol{$via})->[0], qr/who=page/, 'and not where it sends none';
            is $seen->{fetched}, 'gap', 'Fetch, CORS: by fetch, with a token and a long id';
            my ($preflight) = @{ $log->("$browser-$via-fetched", $protocol{$via}) };
            like $preflight, qr/\AOPTIONS 204 /, 'after a preflight';
        };
    }
}

done_testing;
