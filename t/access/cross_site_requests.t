# A request that a browser marks as coming from another site changes nothing, whatever way it takes. Other clients are let in.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => '/inner'])       if $path =~ m{^/accel};
    return (200, ['X-Accel-Redirect' => '@named'])       if $path =~ m{^/at-accel};
    return (404, ['X-Accel-Redirect' => '/inner'], 'no') if $path =~ m{^/ignored};
    return (200, ['X-Accel-Redirect' => '/none'])        if $path =~ m{^/lost};
    return (403, ['X-Accel-Redirect' => '/inner'], 'no') if $path =~ m{^/denies};
    return (200, [], "app $method");
});
my $proxy = "proxy_pass http://127.0.0.1:@{[ $app->port ]};";

my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    locations => <<"END",
location = /listed  { sse_publish c; sse_cors https://app.example http://[::1]:8080 https://x.example:8443; }
        location = /any     { sse_publish c; sse_cors *; }
        location = /null    { sse_publish c; sse_cors null https://app.example; }
        location = /off     { sse_publish c; sse_check_origin off; }
        location /nested/   { sse_check_origin off;
                              location = /nested/off { sse_publish c; }
                              location = /nested/on  { sse_publish c; sse_check_origin on; } }
        location = /lines   { sse_publish c; sse_framing lines; }
        location = /inner   { internal; sse_publish c; }
        location = /inner-off { internal; sse_publish c; sse_check_origin off; }
        location \@named     { sse_publish c; }
        location = /last    { rewrite ^ /inner last; }
        location = /break   { rewrite ^ /x break; sse_publish c; }
        location = /loosen  { sse_publish c; rewrite ^ /inner-off last; }
        location = /tighten { sse_check_origin off; rewrite ^ /inner last; }
        location = /try     { try_files /none \@named; }
        location = /error   { return 404; error_page 404 = /inner; }
        location = /at-error { return 404; error_page 404 = \@named; }
        location = /accel   { $proxy }
        location = /at-accel { $proxy }
        location = /ignored { $proxy proxy_ignore_headers X-Accel-Redirect; proxy_intercept_errors on; error_page 404 = /inner; }
        location = /denies  { $proxy proxy_intercept_errors on; error_page 403 = /inner; }
        location = /lost    { $proxy error_page 404 = /inner; }
        location = /none    { internal; root html; error_page 404 = /inner; }
        location = /mirror  { mirror /inner; $proxy }
        location = /mirror-off { mirror /inner-off; $proxy }
        location = /end     { sse_publish \$arg_channel; }
END
);
my $here = 'localhost'; # what the clients of these tests call the server

sub published { return $server->get('/status')->json->{zones}{events}{published} }

# If nginx answers a request over HTTP/2 without reading its body, curl may see the reset first and lose the answer: it is sent again.
sub answered ($method, $path, %option) {
    return wait_until(sub {
        my $answer = $server->request($method, $path, %option)->finish;
        defined $answer->{status} && $answer;
    }, 'an answer that curl does not lose');
}

# Sends a request with these headers. If it is refused, nothing is published; if it is answered with 201, something is.
sub asks ($path, $status, $headers, $what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $before = published();
    my $answer = answered($option{method} // 'POST', $path, body => 'x', headers => $headers, %option);
    my $count = published() - $before;
    is "$answer->{status}, $count", "$status, " . ($option{count} // ($status == 201 ? 1 : 0)), "$path: $what";
    return $answer;
}

for my $via (qw(h1 tls h2c)) {
    subtest "Sec-Fetch-Site, $via" => sub {
        my %site = ('same-origin' => 201, none => 201, 'SAME-ORIGIN' => 201, 'same-site' => 403, 'cross-site' => 403,
            'Cross-Site' => 403, 'something-new' => 403, '"same-origin"' => 403, 'same-origin, none' => 403, 'same-originx' => 403,
            'same' => 403);
        for my $site (sort keys %site) {
            asks('/pub?channel=c', $site{$site}, ['Sec-Fetch-Site' => $site], $site, via => $via);
            asks('/pub?channel=c', $site{$site}, ['Sec-Fetch-Site' => $site, Origin => 'null'], "$site, Origin null", via => $via);
            asks('/pub?channel=c', $site{$site}, ['Sec-Fetch-Site' => $site, Origin => 'https://evil.example'], "$site, a foreign Origin",
                via => $via);
            asks('/lines', $site{$site}, ['Sec-Fetch-Site' => $site], $site, via => $via, method => 'PUT');
            asks('/listed', 201, ['Sec-Fetch-Site' => $site, Origin => 'https://app.example'], "$site, a listed Origin", via => $via);
        }
        asks('/pub?channel=c', 403, ['Sec-Fetch-Site' => $_->[0], 'Sec-Fetch-Site' => $_->[1]], "'$_->[0]' and '$_->[1]'", via => $via)
            for ['same-origin', 'cross-site'], ['none', 'same-site'], ['cross-site', 'none'];
        asks('/any', 403, ['Sec-Fetch-Site' => 'cross-site', Origin => 'https://app.example'], 'sse_cors * lists nobody', via => $via);
    };
}

subtest 'Origin alone' => sub {
    my $port = $server->port;
    for my $via (qw(h1 tls)) {
        for my $origin ("http://$here", "https://$here", "http://LOCALHOST", "HTTP://Localhost") {
            asks('/pub?channel=c', 201, [Origin => $origin], "$origin is ours", via => $via);
        }
        for my $origin ('https://evil.example', 'null', 'NULL', "http://$here:80", "http://$here:$port", "http://$here.evil.example",
            "http://evil$here", "http://${here}x", "http://x.$here", 'http://', '://', "://$here.x", $here, 'x', "//$here", '*',
            "http://$here, http://$here", "http://$here http://evil.example", "http://evil.example\@$here", "http://$here\@evil.example",
            "http://$here/", "http://$here#", 'file://', 'http://[::1]', 'http://[::1]:8080', 'x' x 3000)
        {
            asks('/pub?channel=c', 403, [Origin => $origin], substr($origin, 0, 60) . ' is not', via => $via);
        }
    }
    asks('/pub?channel=c', 403, [Origin => "http://$here", Origin => "http://$here"], 'two of them');
    asks('/pub?channel=c', 403, [Origin => "http://$here", ORIGIN => 'http://evil.example'], 'two different ones');
    asks('/listed',        403, [Origin => 'https://app.example', Origin => 'https://app.example'], 'two listed ones');
    asks('/pub?channel=c', 403, [Origin => '', Origin => 'http://evil.example'], 'one after an empty one');
    asks('/pub?channel=c', 403, ['Sec-Fetch-Site' => '', 'Sec-Fetch-Site' => 'cross-site'], 'a site after an empty one');
    asks('/pub?channel=c', 201, [], 'without either header');
    asks('/pub?channel=c', 201, [Referer => 'https://evil.example/', Cookie => 'a=b', 'Sec-Fetch-Mode' => 'cors'], 'others do not matter');
};

# Host as it is sent, Origin, and whether they agree.
subtest 'Host' => sub {
    my @case = (
        ['localhost:8080', 'http://localhost:8080', 1], ['localhost:8080', 'http://localhost', 0],
        ['localhost:8080', 'http://localhost:808', 0],  ['LOCALHOST:8080', 'http://localhost:8080', 1],
        ['[::1]:8080',     'http://[::1]:8080', 1],     ['[::1]', 'http://[::1]', 1],
        ['[::1]:8080',     'http://[::1]', 0],          ['[::1]', 'http://[::2]', 0],
        ['127.0.0.1',      'http://127.0.0.1', 1],      ['127.0.0.1', 'http://127.0.0.11', 0],
        ['localhost.',     'http://localhost.', 1],     ['localhost', 'http://localhost.', 0],
        ['',               'http://', 0],               ['', 'null', 0],
    );
    for (@case) {
        my ($host, $origin, $same) = @$_;
        my $before = published();
        my $client = $server->connect->send_raw("POST /pub?channel=c HTTP/1.1\r\nHost: $host\r\nOrigin: $origin\r\n"
                . "Connection: close\r\nContent-Length: 1\r\n\r\nx", method => 'POST')->finish;
        my $wrong = $client->status == 400 ? 400 : 403; # nginx itself refuses some values of Host
        is $client->status, $same ? 201 : $wrong, "$host is asked by $origin";
        is published() - $before, $same, 'which publishes or does not';
    }
    my $client = $server->connect->send_raw("POST /pub?channel=c HTTP/1.0\r\nOrigin: http://\r\nContent-Length: 1\r\n\r\nx");
    is $client->finish->status, 403, 'none at all, in HTTP/1.0';
};

# The target of the request names the host, whatever Host says (RFC 9112, section 3.2.2). nginx chooses the server by it, too.
subtest 'a target with a host of its own' => sub {
    my @case = (
        ['localhost',      'evil.example', 'http://localhost', 201],      ['localhost',      'evil.example', 'http://evil.example', 403],
        ['localhost:8080', 'localhost',    'http://localhost:8080', 201], ['localhost:8080', 'localhost',    'http://localhost', 403],
        ['LOCALHOST',      'localhost',    'http://localhost', 201],      ['localhost',      'localhost:8080', 'http://localhost:8080', 403],
        ['[::1]:8080',     'localhost',    'http://[::1]:8080', 201],     ['localhost',      'localhost',    'http://localhost', 201],
    );
    for (@case) {
        my ($target, $host, $origin, $status) = @$_;
        my $client = $server->connect->send_raw("POST http://$target/pub?channel=c HTTP/1.1\r\nHost: $host\r\nOrigin: $origin\r\n"
                . "Connection: close\r\nContent-Length: 1\r\n\r\nx", method => 'POST')->finish;
        is $client->status, $status, "$target with the host \"$host\" is asked by $origin";
    }
    my $old = $server->connect->send_raw("POST http://localhost/pub?channel=c HTTP/1.0\r\nOrigin: http://localhost\r\nContent-Length: 1\r\n\r\nx");
    is $old->finish->status, 201, 'HTTP/1.0';
};

subtest 'the list' => sub {
    asks('/listed', 201, [Origin => $_], "$_ is in it") for 'https://app.example', 'http://[::1]:8080', 'https://x.example:8443';
    asks('/listed', 403, [Origin => $_], "$_ is not")
        for 'http://app.example', 'https://app.example:443', 'https://APP.example', 'https://app.example.', 'https://x.example',
        'http://[::1]', 'https://app.example.evil.example', 'https://app.example/', 'null';
    asks('/listed', 201, [Origin => "http://$here"], 'our own need not be');
    asks('/any', 403, [Origin => $_], "\"*\" does not list $_") for 'https://app.example', 'null', '*';
    asks('/any', 201, [Origin => "http://$here"], 'our own is not foreign there');
    my $answer = asks('/listed', 403, [Origin => 'https://evil.example'], 'refused');
    like $answer->json->{error}, qr/origin/, 'and told why';
    is asks('/any', 403, [Origin => 'https://evil.example'], 'a page that may read')->header('Access-Control-Allow-Origin'), '*',
        'can read why';
};

# Every page can put itself into a sandbox, and its origin is then "null".
subtest 'null is nobody' => sub {
    asks('/null', 403, [Origin => 'null'], 'though it may read');
    asks('/null', 403, [Origin => 'null', 'Sec-Fetch-Site' => 'cross-site'], 'marked or not');
    asks('/null', 201, [Origin => 'null', 'Sec-Fetch-Site' => 'same-origin'], 'unless the browser says that it is ours');
    asks('/null', 201, [Origin => 'https://app.example'], 'a name counts beside it');
};

subtest 'methods' => sub {
    my @evil = (Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site');
    $server->publish('/end?channel=e', 'x');
    my $witness = $server->subscribe('/sub?channel=e')->ready;
    asks('/end?channel=e', 403, \@evil, 'DELETE', method => 'DELETE');
    asks('/end?channel=e', 200, \@evil, $_, method => $_) for qw(GET HEAD);
    asks('/end?channel=e', 204, \@evil, 'OPTIONS', method => 'OPTIONS');
    asks('/end?channel=e', 405, \@evil, 'PATCH', method => 'PATCH');
    is $witness->closed, '', 'nothing has ended';
    asks('/end?channel=e', 200, [], 'DELETE by no browser', method => 'DELETE', count => 1);
    is $witness->wait_closed, 'clean', 'has ended it';
};

subtest 'switched off' => sub {
    my @evil = (Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site');
    asks($_, 201, \@evil, 'off')  for '/off', '/nested/off';
    asks($_, 403, \@evil, 'on')   for '/nested/on';
};

subtest 'ways through nginx' => sub {
    for my $foreign ([Origin => 'https://evil.example'], ['Sec-Fetch-Site' => 'cross-site'], ['Sec-Fetch-Site' => 'same-site']) {
        my $what = join ': ', @$foreign;
        for my $size (1, 40_000) {
            asks($_, 403, $foreign, $what, body => 'x' x $size)
                for qw(/last /break /try /error /at-error /tighten /ignored /denies /lost);
            asks('/loosen', 201, $foreign, "$what, the location that answers decides", body => 'x' x $size);
            asks($_, 201, $foreign, "$what, the application has let it pass", body => 'x' x $size) for qw(/accel /at-accel);
            asks('/mirror', 200, $foreign, "$what, the application gets it alone", body => 'x' x $size);
            asks('/mirror-off', 200, $foreign, "$what, nobody looks", body => 'x' x $size, count => 1);
        }
    }
    for my $ours ([], [Origin => "http://$here"], ['Sec-Fetch-Site' => 'same-origin', Origin => "http://$here"]) {
        asks($_, 201, $ours, "@$ours") for qw(/last /break /try /error /at-error /tighten /ignored /denies /lost /loosen /accel /at-accel);
        asks('/mirror', 200, $ours, "@$ours", count => 1);
    }
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
