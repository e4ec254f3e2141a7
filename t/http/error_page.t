# error_page applies to what the module refuses just as to what nginx refuses; afterwards the connection is in a known state.
# needs: module nghttp
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nghttp;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) { return (200, [], "app $method " . length $body) });

my $pages = join ' ', map {"error_page $_ = \@page$_;"} 400, 403, 404, 405, 410, 413, 415, 429, 503;
my $named = join "\n", map {"location \@page$_ { add_header X-Page $_ always; return 200 'page $_'; }"} 400, 403, 404, 405, 410, 413, 415, 429, 503;

my $server = SSE::Nginx->start(
    listen => [qw(h1 tls h2c)],
    http   => 'sse_zone events 1m; sse_zone tiny 256k channels=16; client_max_body_size 1m; lingering_timeout 200ms;',
    server => <<"END",
location = /sub     { sse_channel \$arg_channel zone=events; sse_gap close; sse_max_channels 2; $pages }
        location = /list    { sse_channel \$arg_channel zone=events separator=,; sse_max_channels 2; $pages }
        location = /start   { sse_channel \$arg_channel zone=events; sse_start \$arg_start; $pages }
        location = /full    { sse_channel \$arg_channel zone=tiny; $pages }
        location = /pub     { sse_publish \$arg_channel zone=events; $pages }
        location = /tiny    { sse_publish \$arg_channel zone=events; sse_max_event_size 10; $pages }
        location = /few     { sse_publish \$arg_channel zone=events; sse_max_events 1; sse_framing lines; $pages }
        location = /small   { sse_publish \$arg_channel zone=events; client_max_body_size 10; $pages }
        location = /lines   { sse_publish \$arg_channel zone=events; sse_framing lines; $pages }
        location = /stream  { sse_publish \$arg_channel zone=events; sse_framing sse; $pages }
        location = /memory  { sse_publish \$arg_channel zone=events; sse_max_client_memory 1k; sse_framing lines; $pages }
        location = /status  { sse_status; $pages }
        location = /secret  { return 200 secret; }
        $named

        # Other kinds of pages.
        location = /to-uri    { sse_publish \$arg_channel zone=events; error_page 400 = /page?from=\$uri; }
        location = /to-status { sse_publish \$arg_channel zone=events; error_page 400 =202 /page; }
        location = /same      { sse_publish \$arg_channel zone=events; error_page 400 /page; }
        location = /away      { sse_publish \$arg_channel zone=events; error_page 400 https://elsewhere.example/; }
        location = /to-app    { sse_publish \$arg_channel zone=events; error_page 400 = /app; }
        location = /to-sub    { sse_publish \$arg_channel zone=events; error_page 400 = \@sub; }
        location = /to-file   { sse_publish \$arg_channel zone=events; error_page 400 = /html/page.html; }
        location = /to-none   { sse_publish \$arg_channel zone=events; error_page 400 = /html/none.html; }
        location = /to-closed { sse_publish \$arg_channel zone=events; error_page 400 = /closed; }
        location = /loop      { sse_publish \$arg_channel zone=events; error_page 400 = /loop; }
        location = /circle    { sse_publish \$arg_channel zone=events; recursive_error_pages on; error_page 400 = /circle; }
        location = /twice     { sse_publish \$arg_channel zone=events; recursive_error_pages on; error_page 400 = /again; }
        location = /again     { sse_channel \$arg_channel zone=events; recursive_error_pages on; error_page 400 405 = \@page400; }
        location = /once      { sse_publish \$arg_channel zone=events; error_page 400 = /again; }
        location = /snapshot  { sse_channel \$arg_channel zone=events; sse_gap close; error_page 410 = \@snapshot; }
        location = /timed     { sse_publish \$arg_channel zone=events; client_body_timeout 300ms; error_page 408 = \@page400; }
        location \@snapshot    { proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
        location \@sub         { sse_channel page zone=events; }
        location = /app       { internal; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
        location = /page      { internal; return 200 "page of \$arg_from"; }
        location = /closed    { deny all; }
        location /html/       { root .; }
END
    allow => [qr/open\(\) .*none\.html/],
);
mkdir $server->prefix . '/html' or die "html: $!";
$server->write_file('html/page.html', 'a page');

# What causes each refusal: [status, method, path, options]. Each is also sent with a body.
my @refused = (
    [400, GET    => '/sub'],
    [400, GET    => "/sub?channel=\xff"],
    [400, GET    => '/list?channel=a,b,c'],
    [400, GET    => '/start?channel=a&start=x'],
    [410, GET    => '/sub?channel=a', cursor => '5-5'],
    [405, POST   => '/sub?channel=a'],
    [405, DELETE => '/sub?channel=a'],
    [405, PATCH  => '/pub?channel=a'],
    [405, POST   => '/status'],
    [400, POST   => '/pub'],
    [400, POST   => "/pub?channel=\xff"],
    [400, POST   => '/pub?channel=a&event=gap'],
    [400, POST   => '/pub?channel=a&event=%0a'],
    [400, PUT    => '/lines?channel=a&retry=x'],
    [403, POST   => '/pub?channel=a', headers => [Origin => 'https://evil.example']],
    [403, DELETE => '/pub?channel=a', headers => ['Sec-Fetch-Site' => 'cross-site']],
    [404, DELETE => '/pub?channel=none'],
    [413, POST   => '/tiny?channel=a'],
    [413, POST   => '/small?channel=a'],
    [415, POST   => '/pub?channel=a', headers => ['Content-Encoding' => 'gzip']],
    [415, POST   => '/pub?channel=a', type => 'multipart/form-data'],
);

my @body = ("a line\nand \xff another\n", "a line\nand another\n" x 10_000);

for my $via (qw(h1 tls h2c)) {
    for my $case (@refused) {
        my ($status, $method, $path, %option) = @$case;
        next if $via eq 'h2c' && $path =~ /\xff/; # curl escapes it
        subtest "$status: $method $path, $via" =~ s/\xff/?/r => sub {
            for my $body ($status == 413 || $status == 415 ? () : undef, $via eq 'h2c' ? () : @body) {
                my $answer = $server->request($method, $path, via => $via, %option, body => $body)->finish;
                my $with = defined $body ? length($body) . ' bytes' : 'no body';
                is $answer->status, 200, "$with: the page answers" or diag $answer->body;
                is $answer->body, "page $status", 'that of the status';
                is $answer->closed, 'clean', 'in full';
            }
            for my $body ($via eq 'h2c' && $method eq 'POST' ? @body : ()) {
                my $answer = post_framed($server, $path, $body, %option);
                is $answer->{status}, 200, length($body) . ' bytes: the page answers';
                like $answer->{wire}, qr/page $status/, 'that of the status';
            }
        };
    }
}

# Where something has been published, the publisher learns how much, and no page answers.
subtest 'a body in which the fault is found' => sub {
    my %fault = (
        '/pub?channel=f'    => [400, "\xff", 0],
        '/lines?channel=f'  => [413, 'x' x 300_000 . "\n", 0], # more than a quarter of the zone
        '/lines?channel=g'  => [413, "a\n" . 'x' x 300_000 . "\n", 1],
        '/stream?channel=f' => [400, "data: \xff\n\n", 0],
        '/stream?channel=g' => [400, "data: a\n\ndata: \xff\n\n", 1],
        '/few?channel=f'    => [413, "a\nb\n", 1],
    );
    for my $path (sort keys %fault) {
        for my $rest (0, 200_000) {
            my ($status, $text, $events) = @{ $fault{$path} };
            my $answer = $server->publish($path, $text . 'x' x $rest);
            if ($events) {
                is $answer->status, $status, "$path, and $rest bytes";
                is $answer->json->{events}, $events, 'the number is told';
            } else {
                is $answer->body, "page $status", "$path, and $rest bytes";
            }
        }
    }
    my $client = $server->stream('/memory?channel=f');
    $client->feed('x' x 3000);
    is $client->finish->body, 'page 429', 'too much memory';
    # After this status, nginx itself would keep the connection, on which the rest of the body follows.
    is $client->header('Connection'), 'close', 'and the connection ends';
};

# Sends a request, and another one after its body, which is answered as a request of its own unless the connection is closed. Returns
# all that the server sends.
sub exchange ($head, $body, $seconds, $then = "GET /secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") {
    my $client = $server->connect;
    $client->send_raw("$head\r\n\r\n$body$then", method => 'POST');
    $client->{in} = '';
    my $text = '';
    while (!$client->{ended}) {
        $client->receive($seconds);
        last if !length $client->{in};
        $text .= $client->{in};
        $client->{in} = '';
    }
    $client->close;
    return $text;
}

subtest 'the connection afterwards' => sub {
    my $evil = "GET /secret HTTP/1.1\r\nHost: localhost\r\nX-Evil: 1\r\n\r\n";
    my @path = ((map {"/$_?channel=a"} qw(tiny few small lines stream pub)), (map {"/$_"} qw(pub to-uri to-status same away to-app
        to-file to-none to-closed loop circle twice once)), '/sub?channel=a', '/pub?channel=a&event=gap', '/to-app?channel=a');
    for my $path (@path) {
        for my $case (
            ['whole', 'Content-Length: ' . length $evil, $evil, 1],
            ['not UTF-8', 'Content-Length: ' . (2 + length $evil), "\xff\n$evil", 1],
            ['cut short', 'Content-Length: 100000', "\xff\n$evil", 0],
            ['whole chunk', 'Transfer-Encoding: chunked', sprintf("%x\r\n%s\r\n0\r\n\r\n", length $evil, $evil), 1],
            ['bad chunk', 'Transfer-Encoding: chunked', "2\r\n\xff\n\r\n200000\r\n$evil", 0],
            ['no chunk', 'Transfer-Encoding: chunked', "zz\r\n$evil", 0],
            )
        {
            my ($what, $framing, $body, $ends) = @$case;
            my $text = exchange("POST $path HTTP/1.1\r\nHost: localhost\r\n$framing", $body, $what eq "cut short" ? 1 : 10, $ends ? () : '');
            my @answers = $text =~ m{HTTP/1\.1 (\d+) }g;
            my $secrets = () = $text =~ /secret/g;
            cmp_ok $secrets, '<=', $ends, "$path, $what: (@answers)" or diag $text;
            next if $what eq 'cut short' && !@answers; # the rest is waited for
            is scalar @answers, 1 + $secrets, 'one answer to each request' or diag $text;
            like $text, qr/^Connection: close\r$/m, 'the last one says that it is'
                if $secrets || (!$ends && $path !~ m{^/sub}); # there nginx itself discards the rest
        }
    }
};

subtest 'kinds of pages' => sub {
    my $bad = '?channel=a&event=gap';
    my %page = ('/to-uri' => [200, 'page of /to-uri'], '/to-status' => [202, 'page of '], '/same' => [400, 'page of '], '/to-file' => [200, 'a page'],
        '/to-app' => [200, 'app GET 0']);
    for my $path (sort keys %page) {
        my $answer = $server->publish("$path$bad", 'abc');
        is_deeply [$answer->status, $answer->body], $page{$path}, $path;
    }
    my $away = $server->publish("/away$bad", 'abc');
    is_deeply [$away->status, $away->header('Location')], [302, 'https://elsewhere.example/'], 'elsewhere';
    is $server->publish("/to-none$bad", 'abc')->status, 404, 'one that is not there';
    is $server->publish("/to-closed$bad", 'abc')->status, 403, 'one that is closed';
    is $server->publish("/loop$bad", 'abc')->status, 400, 'one that leads back is not asked again';
    is $server->publish("/circle$bad", 'abc')->status, 500, 'unless it wants so, and then not for ever';
    is $server->publish('/twice', 'abc')->body, 'page 400', 'one after the other';
    my $once = $server->publish('/once', 'abc');
    is $once->status, 400, 'but not by default';
    like $once->body, qr/"error"/, 'then the module itself answers';
    my $stream = $server->publish("/pub$bad", 'abc', headers => [Connection => 'close']);
    is $stream->header('Cache-Control'), undef, 'the page has its own headers';
};

subtest '410 and a snapshot' => sub {
    my $id = $server->publish('/pub?channel=snap', 'x')->json->{id};
    for my $via (qw(h1 tls h2c)) {
        my $answer = $server->get('/snapshot?channel=snap', via => $via, cursor => '5-5');
        is_deeply [$answer->status, $answer->body], [200, 'app GET 0'], "$via: the application answers who has missed something";
        my $subscriber = $server->subscribe('/snapshot?channel=snap', via => $via, cursor => $id);
        is $subscriber->status, 200, 'and nobody else';
        ok $subscriber->is_stream, 'who has a stream';
        $subscriber->close;
        is $server->request(HEAD => '/snapshot?channel=snap', via => $via, cursor => '5-5')->finish->status, 200, 'HEAD, too';
    }
};

subtest 'no room' => sub {
    my @held;
    my $refused;
    for my $number (1 .. 200) {
        my $client = $server->subscribe("/full?channel=$number");
        $client->status;
        if (!$client->is_stream) {
            $refused = $client->finish;
            last;
        }
        push @held, $client;
    }
    ok $refused, 'the zone has no room for another channel after ' . @held or return;
    is $refused->body, 'page 503', 'its page answers';
    is $refused->header('Retry-After'), undef, 'without the header of the refusal';
    $_->close for @held;
    $server->allow(qr/has no room/);
};

subtest 'a body that is cut when nginx leaves' => sub {
    my $head = "POST /lines?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf a li";
    my $client = $server->connect->send_raw($head, method => 'POST');
    $server->get('/secret') for 1 .. 2;
    my @old = $server->reload;
    $server->wait_gone(@old);
    $client->finish;
    is $client->body, 'page 503', 'its page answers a body that has been cut';
    is $client->header('Connection'), 'close', 'and the connection ends';
};

subtest 'a body that has paused for too long' => sub {
    my $client = $server->connect->send_raw("POST /timed?channel=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf", method => 'POST');
    my $answer = $client->finish;
    is $answer->status, 408, 'nginx asks no page for it';
    like $answer->body, qr/"error"/, 'so the module itself answers';
    is $answer->header('Connection'), 'close', 'and closes';
};

# Under a sanitizer, this shows whether nginx still has an upstream for a request whose body it discards.
subtest 'a page of an application that does not answer, and a client that leaves in its body' => sub {
    my $application = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1') or die "listen: $!";
    my $server = SSE::Nginx->start(locations => <<"END");
location = /gone { sse_publish \$arg_channel; error_page 404 = \@application; access_log gone.log; lingering_timeout 100ms; }
        location \@application { proxy_pass http://127.0.0.1:@{[$application->sockport]}; lingering_timeout 100ms; access_log gone.log; }
END
    my $client = $server->connect->send_raw("DELETE /gone?channel=none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhello");
    $server->get('/status') for 1 .. 2;
    $client->close;
    wait_until(sub { ($server->read_file('gone.log') // '') =~ /"DELETE [^"]*" 4\d\d/ }, 'the request to end');
    is $server->get('/status')->status, 200, 'the worker goes on';
    is_deeply [$server->stop], [], 'no trouble';
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'every stream to be counted off');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
