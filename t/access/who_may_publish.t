# A POST or a PUT publishes, and a GET only where nginx itself has made it from one of these. Nothing else that leads to a publish
# location from inside nginx publishes, whatever its body is.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;

# A page with an include, an application that redirects requests, and one that does not have what is asked for.
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => '/inner/pub'])       if $path =~ m{^/accel};
    return (200, ['X-Accel-Redirect' => '@named'])           if $path =~ m{^/at-accel};
    return (200, ['X-Accel-Redirect' => '/closed'])          if $path =~ m{^/closed-accel};
    return (200, ['X-Accel-Redirect' => '/rewrites/inside']) if $path =~ m{^/accel-rewrite};
    return (404, [], 'none')                                 if $path =~ m{^/missing};
    return (200, ['Content-Type' => 'text/html'], 'before <!--# include virtual="/inner/pub" --> after');
});
my $proxy = "proxy_pass http://127.0.0.1:@{[ $app->port ]};";

my $server = SSE::Nginx->start(
    listen => [qw(h1 h2c)],
    http   => 'sse_zone events 4m; client_body_buffer_size 16k;',
    server => <<"END",
location = /sub       { sse_channel \$arg_channel; }
        location = /pub       { sse_publish \$arg_channel; }
        location = /status    { sse_status; }
        location = /inner/pub { internal; sse_publish c; }
        location \@named       { sse_publish c; }
        location = /closed    { sse_publish c; limit_except GET { deny all; } }
        location \@closed      { sse_publish c; limit_except GET { deny all; } }

        location = /last      { rewrite ^ /inner/pub last; }
        location = /break     { rewrite ^ /elsewhere break; sse_publish c; }
        location /rewrites/   { rewrite ^ /inner/pub last; }
        location = /try       { try_files /none /inner/pub; }
        location = /at-try    { try_files /none \@named; }
        location /index/      { index /inner/pub; }
        location = /error     { return 404; error_page 404 = /inner/pub; }
        location = /at-error  { return 404; error_page 404 = \@named; }
        location = /missing   { $proxy proxy_intercept_errors on; error_page 404 = /inner/pub; }
        location = /twice     { return 404; recursive_error_pages on; error_page 404 = /again; }
        location = /again     { internal; return 403; recursive_error_pages on; error_page 403 = /inner/pub; }
        location = /if        { if (\$request_method) { rewrite ^ /inner/pub last; } }
        location = /accel     { $proxy }
        location = /at-accel  { $proxy }
        location = /accel-rewrite { $proxy }
        location = /gate      { auth_request /inner/pub; $proxy }
        location = /before    { add_before_body /inner/pub; addition_types *; $proxy }
        location = /after     { add_after_body /inner/pub; addition_types *; $proxy }
        location = /ssi       { ssi on; $proxy }
        location = /mirror    { mirror /inner/pub; $proxy }
        location = /bodiless  { mirror /inner/pub; mirror_request_body off; $proxy }
        location = /mirror-rewrite { mirror /rewrites/inside; $proxy }
        location = /mirror-error { mirror /error; $proxy }

        location = /closed-last   { rewrite ^ /closed last; }
        location = /closed-break  { rewrite ^ /elsewhere break; sse_publish c; limit_except GET { deny all; } }
        location = /closed-try    { try_files /none /closed; }
        location = /closed-at-try { try_files /none \@closed; }
        location /closed-index/   { index /closed; }
        location = /closed-mirror { mirror /closed; $proxy }
        location = /closed-if     { if (\$request_method) { rewrite ^ /closed last; } }
        location = /closed-error  { return 404; error_page 404 = \@closed; }
END
);

sub published { return $server->get('/status')->json->{zones}{events}{published} }

# How many events a request has published.
sub events_by ($method, $path, %option) {
    my $before = published();
    my $answer = $server->request($method, $path, headers => [Connection => 'close'], %option)->finish;
    return published() - $before;
}

# A channel that has ended tells its subscribers to stay away.
sub has_ended {
    my $subscriber = $server->subscribe('/sub?channel=c'); # without a cursor
    my $status = $subscriber->status;
    $subscriber->close;
    return $status == 204 ? 1 : 0;
}

# The methods by which each location publishes, and DELETE if it arrives as one and may end the channel.
my %door = (
    '/inner/pub'    => '',
    '/pub?channel=c' => 'POST PUT DELETE',
    '/last'         => 'POST PUT DELETE',
    '/break'        => 'POST PUT DELETE',
    '/if'           => 'POST PUT DELETE',
    '/try'          => 'POST PUT DELETE',
    '/at-try'       => 'POST PUT DELETE',
    '/index/'       => 'POST',
    '/error'        => 'POST PUT',
    '/at-error'     => 'POST PUT DELETE',
    '/missing'      => 'POST PUT',
    '/twice'        => 'POST PUT',
    '/accel'        => 'POST PUT',
    '/at-accel'     => 'POST PUT DELETE',
    '/accel-rewrite' => 'POST PUT',
    '/gate'         => '',
    '/before'       => '',
    '/after'        => '',
    '/ssi'          => '',
    '/mirror'       => 'POST PUT',
    '/bodiless'     => '',
    '/mirror-rewrite' => 'POST PUT',
    '/mirror-error' => '',
    '/closed'         => '',
    '/closed-last'    => '',
    '/closed-break'   => '',
    '/closed-try'     => '',
    '/closed-at-try'  => '',
    '/closed-index/'  => '',
    '/closed-mirror'  => 'POST PUT', # nginx applies access rules to clients, not to subrequests
    '/closed-if'      => '',
    '/closed-error'   => '',
);
my %has = ('/before' => 'http_addition_module', '/after' => 'http_addition_module', '/gate' => 'http_auth_request_module');

for my $via (qw(h1 h2c)) {
    for my $door (sort keys %door) {
        next if $has{$door} && !SSE::Nginx::has($has{$door});
        subtest "$door, $via" => sub {
            for my $method (qw(GET HEAD POST PUT)) {
                my $expected = $door{$door} =~ /\b$method\b/ ? 1 : 0;
                is events_by($method, $door, via => $via, body => 'evil'), $expected, "$method publishes $expected";
                next if $via eq 'h2c' && $method eq 'HEAD'; # curl sends no such body
                is events_by($method, $door, via => $via, body => 'x' x 40_000), $expected, 'and so with a body in a file';
                is events_by($method, $door, via => $via, body => "data: x\n\n", type => 'text/event-stream'), $expected,
                    'whatever the body is called';
                next if $method eq 'HEAD';
                my $stream = $server->stream($door, method => $method, via => $via);
                my $before = published();
                $stream->feed($_) for 'in ', 'chunks';
                $stream->end->finish;
                is published() - $before, $expected, 'or in chunks';
            }
            $server->publish('/pub?channel=c', 'begins the channel anew');
            $server->request('DELETE', $door, via => $via)->finish;
            my $expected = $door{$door} =~ /DELETE/ ? 1 : 0;
            is has_ended(), $expected, "DELETE ends the channel: $expected";
        };
    }
}

subtest 'what a POST through a door to a closed location is told' => sub {
    is $server->publish($_, 'x')->status, 403, $_
        for qw(/closed /closed-last /closed-break /closed-try /closed-at-try /closed-index/ /closed-if /closed-error);
    is $server->request('GET', $_, body => 'x')->finish->status, 200, "GET $_" for qw(/closed /closed-last /closed-try);
};

subtest 'methods that look like others' => sub {
    for my $method (qw(post Post POSTX PUTS POS GET/POST GETPOST)) {
        my $before = published();
        my $client = $server->connect->send_raw("$method /error HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
                . "X-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\nevil");
        $client->finish;
        is published() - $before, 0, $method;
    }
    is events_by(GET => '/pub?channel=c', body => 'evil', headers => ['X-HTTP-Method-Override' => 'POST', 'X-Method' => 'POST']), 0,
        'nor does a header say so';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
