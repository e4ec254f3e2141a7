# Locations that are reached from inside nginx: mirror, X-Accel-Redirect, error_page, try_files, subrequests.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;

# The application decides, and nginx holds the connections.
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (204) if $path =~ m{^/auth} && ($headers->{authorization} // '') eq 'Bearer good';
    return (401) if $path =~ m{^/auth};
    return (404, [], 'none') if $path =~ m{^/missing};
    return (200, ['X-Accel-Redirect' => "/inner/sub/$1"]) if $path =~ m{^/chat/(\w+)};
    return (200, ['X-Accel-Redirect' => "/inner/pub/$1"]) if $path =~ m{^/say/(\w+)};
    return (200, [], "$method $path " . length $body);
});
my $port = $app->port;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    http      => 'sse_zone events 8m; client_max_body_size 4m; client_body_buffer_size 16k;',
    server    => <<"END",
location = /sub    { sse_channel \$arg_channel; }
        location = /pub    { sse_publish \$arg_channel; }
        location = /status { sse_status; }
        location /app/     { mirror /tee; proxy_pass http://127.0.0.1:$port; }
        location = /tee    { internal; sse_publish tee; }
        location /chat/    { proxy_pass http://127.0.0.1:$port; }
        location /say/     { proxy_pass http://127.0.0.1:$port; }
        location ~ ^/inner/sub/(?<name>.+)\$ { internal; sse_channel \$name; }
        location ~ ^/inner/pub/(?<name>.+)\$ { internal; sse_publish \$name; }
        location /missing  { proxy_pass http://127.0.0.1:$port; proxy_intercept_errors on; error_page 404 = /fallback; }
        location = /fallback { internal; sse_publish fallback; }
        location /try      { try_files /no-such-file \@named; }
        location \@named    { sse_channel named; }
        location /rewritten { rewrite ^ /sub?channel=rewritten last; }
        location /if       { if (\$arg_x) { set \$y 1; } sse_channel if; }
        location /gate     { auth_request /auth; sse_channel gate; }
        location /gatepub  { auth_request /auth; sse_publish gate; }
        location = /auth   { internal; proxy_pass http://127.0.0.1:$port; proxy_pass_request_body off;
                             proxy_set_header Content-Length ""; }
        location /as-auth  { auth_request /sub?channel=x; sse_channel x; }
        location /as-auth2/ { auth_request /inner/sub/x; alias html/; index page.html; }
        location /denied   { deny all; sse_channel x; error_page 403 /sub-instead; }
        location = /sub-instead { internal; sse_channel instead; }
        location /before   { add_before_body /inner/sub/x; addition_types *; alias html/; }
END
);
$server->write_file('page.html', 'page');

for my $via (qw(h1 tls h2c)) {
    subtest "mirror, over $via" => sub {
        my $subscriber = $server->subscribe('/sub?channel=tee')->ready;
        for my $size (0, 1, 1000, 20_000, 300_000) {
            my $body = substr(join('', map {"line $_\n"} 1 .. 40_000), 0, $size);
            my $answer = $server->publish("/app/$size", $body, via => $via);
            is $answer->body, "POST /app/$size $size", "the application gets its $size bytes";
            ok +($subscriber->next_event->{data} // 'nothing') eq $body, 'and so does the channel';
        }
    };
}

subtest 'X-Accel-Redirect to a stream' => sub {
    for my $via (qw(h1 tls h2c)) {
        my $subscriber = $server->subscribe("/chat/room$via", via => $via);
        is $subscriber->status, 200, $via;
        is $subscriber->header('Content-Type'), 'text/event-stream; charset=utf-8', 'a stream';
        my $first = $server->publish("/pub?channel=room$via", 'hello');
        $subscriber->ready;
        is $subscriber->next_event->{data}, 'hello', 'that is live';
        $server->publish("/pub?channel=room$via", 'again');
        my $back = $server->subscribe("/chat/room$via", via => $via, cursor => $first->json->{id});
        is $back->next_event->{data}, 'again', 'and resumes';
    }
};

subtest 'X-Accel-Redirect to publishing' => sub {
    my $subscriber = $server->subscribe('/sub?channel=room')->ready;
    for my $via (qw(h1 tls h2c)) {
        for my $body ('hello', 'x' x 100_000) {
            my $answer = $server->publish('/say/room', $body, via => $via);
            is $answer->status, 201, "$via: published";
            is $answer->json->{channel}, 'room', 'there';
            ok +($subscriber->next_event->{data} // '') eq $body, 'what the client sent';
        }
    }
};

subtest 'error_page' => sub {
    my $subscriber = $server->subscribe('/sub?channel=fallback')->ready;
    $server->publish('/missing', 'lost letter');
    is $subscriber->next_event->{data}, 'lost letter', 'to publishing';
    my $instead = $server->subscribe('/denied');
    ok $instead->status == 200 || $instead->status == 403, 'to a stream: ' . $instead->status;
    is $server->get('/sub')->status, 400, 'nothing is broken';
};

subtest 'try_files, rewrite, if' => sub {
    for my $case (['/try', 'named'], ['/rewritten', 'rewritten'], ['/if', 'if'], ['/if?x=1', 'if']) {
        my ($path, $channel) = @$case;
        my $subscriber = $server->subscribe($path)->ready;
        $server->publish("/pub?channel=$channel", $path);
        is $subscriber->next_event->{data}, $path, $path;
        $subscriber->close;
    }
};

subtest 'auth_request' => sub {
    my @good = (headers => [Authorization => 'Bearer good']);
    is $server->get('/gate')->status, 401, 'no stream without it';
    is $server->publish('/gatepub', 'x')->status, 401, 'no publishing without it';
    my $subscriber = $server->subscribe('/gate', @good)->ready;
    is $server->publish('/gatepub', 'x' x 50_000, @good)->status, 201, 'published with it';
    is length $subscriber->next_event->{data}, 50_000, 'and received';
};

subtest 'a stream as subrequest is refused' => sub {
    for my $path ('/as-auth', '/as-auth2/page.html', '/before/page.html') {
        my $answer = $server->get($path);
        ok $answer->closed, "$path ends";
        cmp_ok $answer->status, '>=', 400, "it is an error ($answer->{status})" if $path =~ /auth/;
    }
};

subtest 'internal means internal' => sub {
    is $server->get('/inner/sub/room')->status, 404, 'no stream from outside';
    is $server->publish('/inner/pub/room', 'x')->status, 404, 'no publishing from outside';
    is $server->publish('/tee', 'x')->status, 404, 'nor to the mirror';
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'every stream to be counted off');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
