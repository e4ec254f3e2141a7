# Cross-origin requests: which origins may read, what a preflight is told, that every answer of an endpoint carries the
# headers, nginx's own refusals included, and that no other location does.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => "/inner/$1", 'Access-Control-Allow-Origin' => 'https://app-itself.example'])
        if $path =~ m{^/go/(\w+)};
    return (404, [], 'none') if $path =~ m{^/missing};
    return (200, ['Access-Control-Allow-Origin' => 'https://app-itself.example', 'X-Method' => $method], "app $method");
});
my $port = $app->port;

my $server = SSE::Nginx->start(
    listen => ['h1', 'h2c'],
    http   => 'sse_zone events 4m; limit_conn_zone $uri zone=places:1m; sse_cors https://app.example credentials;'
        . ' sse_cors_headers TraceParent baggage authorization baggage;',
    allow  => [qr/\[crit\] .* open\(\) .*none\.htm/],
    server => <<"END",
# Locations that are not endpoints.
        location = /page.html { root html; }
        location /app         { proxy_pass http://127.0.0.1:$port; }
        location /go/         { proxy_pass http://127.0.0.1:$port; sse_cors https://first.example; }
        location = /returned  { return 200 ok; }

        # Endpoints that inherit the list of the http level.
        location = /inherits  { sse_channel \$arg_channel; }
        location = /post      { sse_publish \$arg_channel; client_max_body_size 10; }
        location = /status    { sse_status; sse_cors https://app.example; }
        location = /if        { sse_channel \$arg_channel; if (\$arg_x) { return 403; } if (\$arg_y) { set \$z 1; } }
        location = /limited   { sse_channel \$arg_channel; limit_except GET { deny all; } }
        location = /denied    { sse_channel \$arg_channel; deny all; }
        location = /returns   { sse_channel \$arg_channel; return 401; }
        location = /moved     { sse_channel \$arg_channel; return 302 /elsewhere; }
        location = /crowded   { sse_channel \$arg_channel; limit_conn places 1; }
        location = /broken    { sse_channel \$arg_channel; auth_request /breaks; }
        location = /breaks    { internal; return 500; }
        location = /kick      { sse_kick; }
        location = /soft      { sse_channel \$arg_channel; sse_gap close; sse_cors https://app.example; }

        # Endpoints with a list of their own.
        location = /listed {
            sse_channel \$arg_channel;
            sse_cors https://app.example https://other.example:8443;
        }
        location /nest/ {
            sse_channel \$arg_channel;
            location = /nest/page.html { alias html/page.html; }
        }
        location = /open      { sse_channel \$arg_channel; sse_cors *; sse_cors_headers x-other; }
        location = /open-post { sse_publish \$arg_channel; sse_cors *; sse_cors_headers x-other; }
        location = /open-kick { sse_kick; sse_cors *; sse_cors_headers x-other; }
        location = /unchecked { sse_publish \$arg_channel; sse_cors *; sse_cors_headers x-other; sse_check_origin off; }
        location = /plain     { sse_channel \$arg_channel; sse_cors off; }
        location = /schemes   { sse_channel \$arg_channel; sse_cors capacitor://localhost http://[::1]:8080 null; }
        location = /added {
            sse_channel \$arg_channel;
            sse_cors https://app.example;
            add_header Access-Control-Allow-Origin https://added.example always;
            add_header Access-Control-Allow-Credentials true always;
            add_header Access-Control-Expose-Headers X-More always;
            add_header Access-Control-Allow-Headers x-added always;
            add_header Vary "Accept-Encoding, origin" always;
            add_header Cache-Control "private, max-age=5" always;
        }
        location = /off-added { sse_channel \$arg_channel; sse_cors off; add_header Access-Control-Allow-Origin * always; }
        location = /expires   { sse_status; expires 1h; }

        # Locations that pass a request on, and those that answer it in the end.
        location = /inner/second { internal; sse_channel second; sse_cors https://second.example; }
        location = /inner/ended  { internal; sse_publish \$arg_channel; sse_cors https://second.example; }
        location = /inner/static { internal; alias html/page.html; }
        location = /forbidden { sse_channel x; sse_cors https://first.example; deny all; error_page 403 /page.html; }
        location = /named     { sse_channel x; sse_cors https://first.example; deny all; error_page 403 = \@second; }
        location \@second      { sse_channel second; sse_cors https://second.example; }
        location = /missing   { proxy_pass http://127.0.0.1:$port; proxy_intercept_errors on; error_page 404 = /inner/second; }
        location = /no-page   { sse_channel x; deny all; error_page 403 /none.html; }
        location = /rewritten { sse_channel x; sse_cors https://first.example; rewrite ^ /page.html last; }
        location = /rewrites  { rewrite ^ /inner/second last; }
        location = /tries     { try_files /none \@second; }
        location /            { root html; }
END
);
mkdir $server->prefix . '/html' or die "html: $!";
$server->write_file('html/page.html', 'page');

my @cors = qw(access-control-allow-origin access-control-allow-credentials vary cache-control);

# The status and these headers of an answer; a repeated header is a list. Accept is removed from Vary: it has nothing to do with CORS.
sub cors ($path, $origin, %option) {
    my $client = $server->request($option{method} // 'GET', $path, %option,
        headers => [(map { (Origin => $_) } ref $origin ? @$origin : $origin // ()), @{ $option{headers} // [] }]);
    my $status = $client->status;
    my %got = map { $_ => $client->header($_) } grep { defined $client->header($_) } @cors;
    $client->close;
    $got{vary} =~ s{\AAccept(?:, |\z)}{} if defined $got{vary};
    delete $got{vary} if ($got{vary} // "") eq "";
    return { status => $status, %got };
}

my @stream      = ('cache-control' => 'no-store, no-cache, no-transform');
my @no_store    = ('cache-control' => 'no-store');
my @credentials = ('access-control-allow-credentials' => 'true');

sub allowed ($origin, @more) { return ('access-control-allow-origin' => $origin, vary => 'Origin', @no_store, @more) }

my @preflight = ('Access-Control-Request-Method' => 'GET', 'Access-Control-Request-Headers' => 'last-event-id, authorization');

my @refused = ('https://app.example.evil', 'https://evil-app.example', 'https://app.example:8443', 'http://app.example',
    'https://other.example', 'null', 'https://app.exampl', 'https://app.example/', 'https://', '*', '%', 'x' x 1000,
    'https://app.example, https://app.example');

for my $via (qw(h1 h2c)) {
    subtest "who may, over $via" => sub {
        for my $origin ('https://app.example', 'https://other.example:8443') {
            is_deeply cors('/listed?channel=a', $origin, via => $via), { status => 200, allowed($origin, @stream) }, $origin;
        }
        is_deeply cors('/inherits?channel=a', 'https://app.example', via => $via),
            { status => 200, allowed('https://app.example', @credentials, @stream) }, 'with credentials, from the http level';
        is cors('/inherits?channel=a', $_, via => $via)->{'access-control-allow-origin'}, undef, 'not ' . substr $_, 0, 60
            for @refused;
        is_deeply cors('/inherits?channel=a', $_, via => $via), { status => 200, vary => 'Origin', @stream }, 'yet caches are told'
            for 'https://evil.example', undef;
        is_deeply cors('/open?channel=a', 'https://anyone.example', via => $via),
            { status => 200, 'access-control-allow-origin' => '*', @stream }, 'everybody, without credentials';
        is_deeply cors('/plain?channel=a', 'https://app.example', via => $via), { status => 200, @stream }, 'off';
        for my $origin ('capacitor://localhost', 'http://[::1]:8080', 'null') {
            is_deeply cors('/schemes?channel=a', $origin, via => $via), { status => 200, allowed($origin, @stream) }, $origin;
        }
    };

    subtest "the value of Origin, over $via" => sub {
        is cors('/listed?channel=a', "\t https://app.example \t", via => $via)->{'access-control-allow-origin'},
            'https://app.example', 'spaces and tabs around it are none of it';
        my @two = ('https://app.example') x 2;
        is_deeply cors('/listed?channel=a', \@two, via => $via), { status => 200, vary => 'Origin', @stream }, 'two are none';
        is cors('/post?channel=a', \@two, via => $via, method => 'OPTIONS', headers => \@preflight)->{vary}, 'Origin',
            'and no preflight';
    };

    subtest "every answer of an endpoint, over $via" => sub {
        my $ask = sub ($status, $path, $what, %option) {
            is_deeply cors($path, 'https://app.example', via => $via, %option),
                { status => $status, allowed('https://app.example', @credentials) }, "$status: $what";
        };
        my @post = (method => 'POST');
        # Over HTTP/2, curl may lose an answer that comes before it has sent the whole body.
        my $large = wait_until(sub {
            my $got = cors('/post?channel=a', 'https://app.example', via => $via, @post, body => 'x' x 100);
            $got->{status} != 0 && $got;
        }, 'an answer to a body that is too long');
        is_deeply $large, { status => 413, allowed('https://app.example', @credentials) }, '413: too long, found by its length';
        $ask->(401, '/returns?channel=a', 'return');
        $ask->(302, '/moved?channel=a', 'return of a redirect');
        $ask->(403, '/denied?channel=a', 'deny');
        $ask->(403, '/if?channel=a&x=1', 'in a block of "if"');
        $ask->(403, '/limited?channel=a', 'in a block of "limit_except"', @post);
        $ask->(500, '/broken?channel=a', 'a failed subrequest');
        $ask->(400, '/inherits', 'no channel');
        $ask->(405, '/inherits?channel=a', 'method', method => 'PATCH');
        $ask->(204, '/inherits?channel=a', 'OPTIONS that is no preflight', method => 'OPTIONS');
        $ask->(400, '/post?channel=a', 'a refused event', @post, body => "\xff");
        $ask->(201, '/post?channel=a', 'an accepted one', @post, body => 'x');
        $ask->(200, '/post?channel=a', 'figures');
        $ask->(404, '/post?channel=nobody', 'the end of a channel that is none', method => 'DELETE');

        my $place = $server->subscribe('/crowded?channel=a')->ready;
        $ask->(503, '/crowded?channel=a', 'limit_conn');
        $place->close;

        my @listed = allowed('https://app.example');
        is_deeply cors('/soft?channel=a', 'https://app.example', via => $via, cursor => '999999999999999-0'),
            { status => 410, @listed }, '410: a gap';
        is_deeply cors('/status', 'https://app.example', via => $via), { status => 200, @listed }, '200: status';
        is_deeply cors('/plain', 'https://app.example', via => $via), { status => 400, @no_store }, '400: where it is off';

        my $last = $server->publish("/post?channel=over$via", 'x')->json->{id};
        my $end = $server->request(DELETE => "/post?channel=over$via")->finish->json->{ended_id};
        $ask->(204, "/inherits?channel=over$via", 'an ended channel', cursor => $end);
        is_deeply cors("/inherits?channel=over$via", undef, via => $via, cursor => $end),
            { status => 204, vary => 'Origin', @no_store }, '204: an ended channel, asked by nobody';
    };

    subtest "no other location, over $via" => sub {
        my @origin = ('https://app.example', via => $via);
        is_deeply cors('/page.html', @origin), { status => 200 }, 'a static file';
        is_deeply cors('/nest/page.html', @origin), { status => 200 }, 'a static file whose location is inside of that of an endpoint';
        is_deeply cors('/none.html', @origin), { status => 404 }, 'that is not there';
        is_deeply cors('/returned', @origin),  { status => 200 }, 'return';
        my %own = ('access-control-allow-origin' => 'https://app-itself.example');
        is_deeply cors('/app', @origin), { status => 200, %own }, 'an application has its own';
        is_deeply cors('/app', @origin, method => 'OPTIONS', headers => \@preflight), { status => 200, %own }, 'for a preflight, too';
        my $answer = $server->request(OPTIONS => '/app', via => $via, headers => [Origin => 'https://app.example', @preflight])->finish;
        is $answer->body, 'app OPTIONS', 'which the application answers';
        is cors('/page.html', @origin, method => 'OPTIONS', headers => \@preflight)->{status}, 405, 'nginx answers that of a file';
    };

    subtest "who answers in the end decides, over $via" => sub {
        my @second = allowed('https://second.example', @stream);
        my %path = ('X-Accel-Redirect' => '/go/second', rewrite => '/rewrites', 'error_page of a proxy' => '/missing',
            'error_page to a named location' => '/named', try_files => '/tries');
        for my $way (sort keys %path) {
            is_deeply cors($path{$way}, 'https://second.example', via => $via), { status => 200, @second }, "$way: the second list";
            is_deeply cors($path{$way}, 'https://first.example', via => $via), { status => 200, vary => 'Origin', @stream },
                'not the first' if $way !~ /proxy/;
        }
        is_deeply cors('/forbidden', 'https://first.example', via => $via), { status => 403 }, 'error_page: a file answers';
        is_deeply cors('/rewritten', 'https://first.example', via => $via), { status => 200 }, 'rewrite: a file answers';
        is_deeply cors('/no-page', 'https://app.example', via => $via), { status => 404 }, 'error_page: a file that is not there';
        is_deeply cors('/go/static', 'https://first.example', via => $via), { status => 200 }, 'X-Accel-Redirect: a file answers';
        is_deeply cors('/go/ended', 'https://second.example', via => $via),
            { status => 400, allowed('https://second.example') }, 'X-Accel-Redirect: an error of the second';
    };

    subtest "what add_header and expires add, over $via" => sub {
        my %mine = (vary => 'Accept-Encoding, origin', 'cache-control' => 'private, max-age=5');
        is_deeply cors('/added', 'https://app.example', via => $via),
            { status => 400, %mine, 'access-control-allow-origin' => 'https://app.example' }, 'the list wins';
        is_deeply cors('/added', 'https://added.example', via => $via), { status => 400, %mine }, 'also over whom it does not name';
        is_deeply cors('/off-added', 'https://app.example', via => $via),
            { status => 400, 'access-control-allow-origin' => '*', @no_store }, 'without a list the configuration is free';
        is cors('/expires', undef, via => $via)->{'cache-control'}, 'max-age=3600', 'expires has its way';
        my $answer = $server->get('/added', via => $via, headers => [Origin => 'https://app.example']);
        is_deeply [sort split /, /, $answer->header('Access-Control-Expose-Headers')], ['Last-Event-ID', 'Retry-After', 'X-More'],
            'one more header can be read';
    };
}

# Sends a preflight, checks that it is answered, and returns the answer.
sub preflight ($path, $origin = 'https://app.example', %option) {
    my $answer = $server->request(OPTIONS => "$path?channel=a", %option, headers => [Origin => $origin, @preflight])->finish;
    is $answer->status, 204, "$path is answered";
    is $answer->body, '', 'no body';
    return $answer;
}

subtest 'preflight' => sub {
    my @default = qw(authorization cache-control content-type idempotency-key if-match if-none-match last-event-id
        producer-epoch producer-id producer-seq);
    my @more = (@default, qw(traceparent baggage));
    my ($read, $write) = ('GET, HEAD', 'GET, HEAD, POST, PUT, DELETE');
    for my $case (['/inherits', $read, @more], ['/denied', $read, @more], ['/limited', $read, @more], ['/crowded', $read, @more],
        ['/post', $write, @more], ['/kick', 'POST, DELETE', @more], ['/status', $read, @more], ['/added', $read, @more],
        ['/open', $read, @default, 'x-other'], ['/open-post', $read, @default, 'x-other'], ['/unchecked', $write, @default, 'x-other'],
        ['/open-kick', undef, @default, 'x-other'])
    {
        my ($path, $methods, @header) = @$case;
        for my $via (qw(h1 h2c)) {
            my $answer = preflight($path, 'https://app.example', via => $via);
            is $answer->header('Access-Control-Allow-Origin'), $path =~ /open|unchecked/ ? '*' : 'https://app.example', 'allowed';
            is $answer->header('Access-Control-Allow-Methods'), $methods, 'methods';
            is $answer->header('Access-Control-Allow-Headers'), join(', ', @header), 'headers';
            is $answer->header('Access-Control-Max-Age'), 86400, 'for a day';
            is $answer->header('Cache-Control'), 'no-store', 'not to be stored' if $path ne '/added';
        }
    }
    my $refused = preflight('/inherits', 'https://evil.example');
    is $refused->header("Access-Control-$_"), undef, "no $_ for others" for qw(Allow-Origin Allow-Methods Allow-Headers Max-Age);

    my $place = $server->subscribe('/crowded?channel=a')->ready;
    preflight('/crowded');
    $place->close;
};

subtest 'OPTIONS that is no preflight' => sub {
    for my $headers ([], [Origin => 'https://app.example'], \@preflight) {
        my $answer = $server->request(OPTIONS => '/inherits?channel=a', headers => $headers)->finish;
        is $answer->status, 204, 'is answered';
        is $answer->header('Allow'), 'GET, HEAD, OPTIONS', 'by the endpoint';
        is $answer->header('Access-Control-Allow-Methods'), undef, 'not as a preflight';
        is $server->request(OPTIONS => '/denied?channel=a', headers => $headers)->finish->status, 403, 'and not before access rules';
    }
};

subtest 'reload' => sub {
    my @old = $server->reload(http => 'sse_zone events 4m; limit_conn_zone $uri zone=places:1m;');
    $server->wait_gone(@old);
    is_deeply cors('/inherits', 'https://app.example'), { status => 400, @no_store }, 'without a list';
    is_deeply cors('/soft', 'https://app.example'), { status => 400, allowed('https://app.example') }, 'with one';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
