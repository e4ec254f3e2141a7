# If the body of a request has gone when the request reaches a publish location, nothing is published, neither an empty event nor a part,
# and the answer says so. A body that has been kept is published, however it was sent and whatever its size.
# needs: module nghttp
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nghttp;
use SSE::Nginx;

my $answer = sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => '/inner']) if $path =~ m{accel};
    return (200, ['X-Accel-Redirect' => '@named']) if $path =~ m{named};
    return (404, [], 'none')                       if $path =~ m{missing};
    return (200, [], 'got ' . length $body);
};
my $app   = SSE::App->start($answer);
my $hasty = SSE::App->start($answer, body => 0); # answers before it has read the body

my ($proxy, $pass) = map { "proxy_http_version 1.1; proxy_pass http://127.0.0.1:@{[ $_->port ]};" } $app, $hasty;
my $streamed  = "$pass proxy_request_buffering off;";
my $intercept = 'proxy_intercept_errors on; error_page 404 =';

my $server = SSE::Nginx->start(
    listen => [qw(h1 tls h2c)],
    http   => 'sse_zone events 16m; sse_zone other 4m; client_max_body_size 4m; client_body_buffer_size 16k; client_header_buffer_size 1k;',
    server => <<"END",
location = /sub    { sse_channel \$arg_channel zone=events; }
        location = /status { sse_status; }
        location = /inner  { internal; sse_publish c zone=events; }
        location = /inner-lines { internal; sse_publish c zone=events; sse_framing lines; }
        location \@named    { sse_publish c zone=events; }

        # Kept.
        location = /accel   { $proxy }
        location = /named   { $proxy }
        location = /missing { $proxy $intercept /inner; }
        location = /at-missing { $proxy $intercept \@named; }
        location = /error   { return 404; error_page 404 = /inner; }
        location = /mirror  { mirror /inner; $proxy }
        location = /both    { mirror /inner; mirror /inner; $proxy }
        location = /file    { client_body_in_file_only clean; mirror /inner; $proxy }
        location = /single  { client_body_in_single_buffer on; mirror /inner; $proxy }
        location = /chain   { mirror /inner; $proxy }
        location = /mirror-missing { mirror /inner; $proxy $intercept /inner; }

        # Gone.
        location = /streamed-accel   { $streamed }
        location = /streamed-named   { $streamed }
        location = /streamed-missing { $streamed $intercept /inner; }
        location = /streamed-lines-missing { $streamed $intercept /inner-lines; }
        location = /streamed-at-missing { $streamed $intercept \@named; }
        location = /bodiless { mirror /inner; mirror_request_body off; $proxy }
        location = /small    { client_max_body_size 1k; $proxy error_page 413 = /inner; }
        location = /at-small { client_max_body_size 1k; $proxy error_page 413 = \@named; }
        location = /small-publish { client_max_body_size 1k; sse_publish x zone=other; error_page 413 400 = /inner; }
        location = /small-lines { client_max_body_size 1k; sse_publish x zone=other; sse_framing lines; error_page 413 400 = /inner-lines; }
        location = /static-missing { alias html/none; error_page 404 405 = /inner; }
END
);

my $text = substr join('', map {"line $_\n"} 1 .. 50_000), 0, 300_000;

sub published { return $server->get('/status')->json->{zones}{events}{published} }

# Functions that send a body, and return the answer.
my %sending = (
    length  => sub ($path, $body, %option) { return $server->publish($path, $body, %option) },
    chunks  => sub ($path, $body, %option) { return in_parts($path, 16_000, $body, %option) },
    'small chunks' => sub ($path, $body, %option) { return in_parts($path, length $body > 20_000 ? 1999 : 7, $body, %option) },
);

sub in_parts ($path, $size, $body, %option) {
    my $stream = $server->stream($path, %option);
    $stream->feed($_) for unpack "(a$size)*", $body;
    return $stream->end->finish;
}

my %framing = (
    length           => sub ($path, $body, %option) { return post_framed($server, $path, $body) },
    'without length' => sub ($path, $body, %option) { return post_framed($server, $path, $body, length => 0) },
);

my $subscriber = $server->subscribe('/sub?channel=c')->ready;

for my $via (qw(h1 tls h2c)) {
    for my $path (qw(/accel /named /missing /at-missing /error /mirror /both /file /single /mirror-missing)) {
        subtest "kept: $path, $via" => sub {
            my $times = $path =~ /both|mirror-missing/ ? 2 : 1;
            for my $sending (sort keys %sending) {
                for my $size (0, 1, 1023, 16_384, 300_000) {
                    my $body = substr $text, 0, $size;
                    my $before = published();
                    my $answer = $sending{$sending}->($path, $body, via => $via);
                    is $answer->{status}, $path =~ /mirror$|both|file|single/ ? 200 : 201, "$size bytes by $sending: answered";
                    # A mirrored request may be published after the answer.
                    eval { wait_until(sub { published() - $before >= $times }, 'all of it') };
                    is published() - $before, $times, "published $times times";
                    ok +($subscriber->next_event // { data => 'nothing' })->{data} eq $body, 'whole' for 1 .. $times;
                }
            }
        };
    }
}

# The path, the sizes from which on the body may be gone and must be gone, and the status then. nginx keeps a body that it has read
# together with the head.
my $most = 300_000;
my @gone = (
    (map { ["/streamed-$_", 1, $most, 400] } qw(accel named missing at-missing lines-missing)),
    ['/bodiless', 1, 1, 200], map { ["/$_", 1025, 1025, 400] } qw(small at-small small-publish small-lines),
);

sub heard_since ($before) {
    my $count = published() - $before;
    return map { ($subscriber->next_event // { data => 'nothing' })->{data} } 1 .. $count;
}

for my $via (qw(h1 tls h2c)) {
    for my $case (@gone) {
        my ($path, $may, $must, $status) = @$case;
        subtest "gone: $path, $via" => sub {
            my %way = $via eq 'h2c' ? %framing : %sending;
            for my $sending (sort keys %way) {
                for my $size (grep { $_ >= $may } 1, 1025, 16_384, $most) {
                    my $body   = substr $text, 0, $size;
                    my $before = published();
                    my $answer = $way{$sending}->($path, $body, via => $via);
                    my @heard  = heard_since($before);
                    if ($size < $must && $answer->{status} == 201) {
                        ok join("\n", @heard) eq ($path =~ /lines/ ? $body =~ s/\n\z//r : $body), "$size bytes by $sending: kept, and published as they are";
                        next;
                    }
                    is scalar @heard, 0, "$size bytes by $sending: nothing is published";
                    # If the first location has published a part, the answer says so instead.
                    if ($path eq '/small-lines' && $answer->{wire} =~ /"events":[1-9]/) {
                        is $answer->{status}, 413, 'answered, with the number';
                        next;
                    }
                    is $answer->{status}, $status, 'answered' or diag $answer->{wire};
                    like $answer->{wire}, qr/has not been kept/, 'and told why' if $status == 400;
                }
            }
        };
    }
}

subtest 'nothing is as good as kept' => sub {
    for my $via (qw(h1 h2c)) {
        for my $path (qw(/streamed-accel /streamed-missing /bodiless /static-missing)) {
            my $before = published();
            my $answer = $server->request(POST => $path, via => $via)->finish;
            is published() - $before, 1, "$path, $via: a request without a body publishes an empty event";
            is +($subscriber->next_event // { data => 'nothing' })->{data}, '', 'that is empty';
        }
    }
};

# The connection is ready for the next request, or closed after the answer. A body is never taken for a request.
subtest 'what follows on the connection' => sub {
    my $secret = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for my $path (map { $_->[0] } @gone) {
        for my $framing ('length', 'chunks') {
            my $body = $secret x 60;
            my $head = $framing eq 'length' ? 'Content-Length: ' . length $body : 'Transfer-Encoding: chunked';
            $body = sprintf "%x\r\n%s\r\n0\r\n\r\n", length $body, $body if $framing eq 'chunks';
            my $client = $server->connect;
            $client->send_raw("POST $path HTTP/1.1\r\nHost: localhost\r\n$head\r\n\r\n$body"
                    . "GET /sub HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method => 'POST');
            1 while eval { $client->receive(5); 1 } && $client->{in} !~ /no channel/ && !$client->{ended};
            unlike $client->{in}, qr/"zones"/, "$path by $framing: the body is no request";
            my @answers = $client->{in} =~ m{^HTTP/1\.1 (\d+)}mg;
            cmp_ok scalar(@answers), '<=', 2, "(@answers)";
            cmp_ok scalar(@answers), '>=', 1, 'answered';
            $client->close;
        }
    }
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
