# The state of a connection after an answer: a body that has not been read to its end is never taken for the next request.
use v5.36;
use lib 't/lib';
use IO::Select;
use Test::More;
use Time::HiRes qw(time);
use SSE::App;
use SSE::Nginx;
use SSE::Parallel;

# An application that decides before it has read the body.
my $app = SSE::App->start(
    sub ($method, $path, $headers, $body) {
        return (200, ['X-Accel-Redirect' => "/inner$1"]) if $path =~ m{^/early(/.*)};
        return (200, [], "path=$path");
    },
    body => 0
);
my $back = SSE::Nginx->start(
    http   => 'sse_zone events 8m; client_max_body_size 1m;',
    server => <<"END",
location /sub      { sse_channel \$arg_channel; }
        location /pub      { sse_publish \$arg_channel; }
        location /lines    { sse_publish \$arg_channel; sse_framing lines; }
        location /sse      { sse_publish \$arg_channel; sse_framing sse; }
        location /small    { sse_publish \$arg_channel; sse_framing lines; client_max_body_size 100; }
        location /tiny     { sse_publish \$arg_channel; sse_max_event_size 10; }
        location /ended    { sse_channel ended; }
        location /cors     { sse_publish \$arg_channel; sse_cors https://app.example; }
        location /status   { sse_status; }
        location /secret   { return 200 secret; }
        location /last     { return 200 last; }
        location /replay   { sse_channel ended; sse_start earliest; }
        location /early/   { proxy_request_buffering off; proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
        location /inner/sub    { internal; sse_channel none; }
        location /inner/pub    { internal; sse_publish early; }
        location /inner/ended  { internal; sse_channel ended; }
        location /inner/replay { internal; sse_channel ended; sse_start earliest; }
        location /inner/secret { internal; return 200 secret; }
END
);
# Another nginx in front, which keeps its connections to the first one and passes bodies on as they arrive.
my $front = SSE::Nginx->start(
    module => 0,
    http   => "upstream back { server 127.0.0.1:@{[ $back->port ]}; keepalive 1; } client_max_body_size 0;",
    server => 'location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }',
);
$back->publish('/pub?channel=ended', 'x');
$back->publish('/pub?channel=ended', '', method => 'DELETE');

my $evil = "GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $last = "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

sub chunk ($bytes) { return sprintf "%x\r\n%s\r\n", length $bytes, $bytes }

# name => [framing header, what follows the head, what completes the body if anything does]. Each part is sent on its own, once
# the one before it has been taken.
my $chunked = 'Transfer-Encoding: chunked';
my %body = (
    'no body'                 => ['',                  [],                                 ''],
    'a whole body'            => ['Content-Length: 4', ["a\n\nb"],                         ''],
    'a whole body in parts'   => ['Content-Length: 4', ["a\n", "\nb"],                     ''],
    'whole chunks'            => [$chunked,            [chunk("a\n") . "0\r\n\r\n"],       ''],
    'whole chunks in parts'   => [$chunked,            ["2\r\na", "\n\r\n0\r", "\n\r\n"],  ''],
    'not UTF-8'               => ['Content-Length: 4', ["a\n\xff\n"],                      ''],
    'not UTF-8, and more'     => rest_of(200_000, "\xff\n$evil"),
    'not UTF-8, and chunks'   => [$chunked, [chunk("\xff\n") . "20000\r\n$evil"], 'x' x (0x20000 - length $evil) . "\r\n0\r\n\r\n"],
    'a large chunk'           => [$chunked, ["200000\r\n$evil"],                  'x' x (0x200000 - length $evil) . "\r\n0\r\n\r\n"],
    'a large chunk, later'    => [$chunked, [chunk("a\n"), "200000\r\n$evil"],    'x' x (0x200000 - length $evil) . "\r\n0\r\n\r\n"],
    'a broken chunk'          => [$chunked, ["zz\r\n$evil"]],
    'a broken chunk, later'   => [$chunked, [chunk("a\n"), "zz\r\n$evil"]],
    'a chunk without its end' => [$chunked, ["2\r\na\nxx$evil"]],
    'too long'                => rest_of(2_000_000, $evil),
    'more to come'            => rest_of(500_000, "a\n$evil"),
    'a head that expects'     => rest_of(500_000, "a\n$evil", "\r\nExpect: 100-continue"),
);

sub rest_of ($length, $part, $more = '') { return ["Content-Length: $length$more", [$part], 'x' x ($length - length $part)] }

# The requests: name => [method, path, more headers].
my %door = (
    'publish'             => [POST    => '/pub?channel=c'],
    'put lines'           => [PUT     => '/lines?channel=c'],
    'publish a stream'    => [POST    => '/sse?channel=c'],
    'no more than 100'    => [POST    => '/small?channel=c'],
    'no event above 10'   => [POST    => '/tiny?channel=c'],
    'no channel'          => [POST    => '/pub'],
    'a bad channel'       => [POST    => '/pub?channel=' . 'x' x 300],
    'a bad type'          => [POST    => '/pub?channel=c&event=%0a'],
    'a bad retry'         => [POST    => '/lines?channel=c&retry=x'],
    'a compressed body'   => [POST    => '/pub?channel=c', 'Content-Encoding: gzip'],
    'a form'              => [POST    => '/pub?channel=c', 'Content-Type: multipart/form-data; boundary=x'],
    'another page'        => [POST    => '/pub?channel=c', 'Origin: https://evil.example'],
    'a method'            => [PATCH   => '/pub?channel=c'],
    'a figure'            => [GET     => '/pub?channel=c'],
    'end what is not'     => [DELETE  => '/pub?channel=none'],
    'a preflight'         => [OPTIONS => '/cors?channel=c', "Origin: https://app.example\r\nAccess-Control-Request-Method: POST"],
    'options'             => [OPTIONS => '/pub?channel=c'],
    'the status'          => [GET     => '/status'],
    'status by POST'      => [POST    => '/status'],
    'subscribe by POST'   => [POST    => '/sub?channel=c'],
    'subscribe nowhere'   => [GET     => '/sub'],
    'subscribe to an end' => [GET     => '/ended'],
    'a head of a stream'  => [HEAD    => '/sub?channel=c'],
    'early: publish'      => [POST    => '/early/pub'],
    'early: an end'       => [POST    => '/early/ended'],
    'a stream that ends'  => [GET     => '/replay'],
    'early: a stream'     => [POST    => '/early/replay'],
);

# The only worker and the only application do one thing after the other. Once these requests are answered, both have seen what was
# sent before, and what they answer to that immediately has arrived.
sub settle ($server, $path = '') { $server->get($path =~ m{^/early/} ? '/early/secret' : '/secret') for 1 .. 3 }

my $answered = qr{^HTTP/1\.\d [2-5].*?\r\n\r\n}ms;

# Sends a request and the first part of its body. Unless the answer says that the connection ends, it completes the body and sends
# one more request, the only other one that may be answered.
sub exchange ($server, $version, $door, $body) {
    my ($method, $path, $more) = @$door;
    my ($framing, $parts, $rest) = @$body;
    my $keep = $version eq '1.0' ? "Connection: keep-alive\r\n" : '';
    my $head = join("\r\n", "$method $path HTTP/$version", 'Host: localhost', grep {length} $framing, $more // '') . "\r\n$keep\r\n";
    my $client = $server->connect;
    $client->{in} = '';
    my ($first, @later) = @$parts;
    $client->write($head . ($first // ''));
    for my $part (@later) {
        settle($server, $path);
        $client->write($part);
    }
    settle($server, $path);
    if (defined $rest && !read_until($client, $answered, 0)) { # without an answer now, the server waits for the whole body
        $client->write($rest);
        $rest = '';
        read_until($client, $answered);
    }
    if (defined $rest && keeps($client->{in}, $version)) {
        $client->write($rest . $last);
        $client->{asked} = 1;
    }
    my $ended = read_until($client, undef);
    $client->close;
    return { text => $client->{in}, ended => $ended, asked => $client->{asked} // 0 };
}

# Reads until the pattern matches or, without a pattern, to the end of the connection.
sub read_until ($client, $pattern, $seconds = 30) {
    my $deadline = time + $seconds;
    while (!defined $pattern || $client->{in} !~ $pattern) {
        my $left = $deadline - time;
        return 0 unless IO::Select->new($client->{socket})->can_read($left > 0 ? $left : 0);
        my $count = $client->{socket}->sysread($client->{in}, 65536, length $client->{in});
        return !defined $pattern if defined $count ? !$count : $!{ECONNRESET};
    }
    return 1;
}

sub keeps ($text, $version) {
    my ($connection) = $text =~ /^Connection: (\S+)\r$/mi;
    return ($connection // ($version eq '1.0' ? 'close' : 'keep-alive')) eq 'keep-alive';
}

sub answers ($text) { return grep { $_ >= 200 } $text =~ m{^HTTP/1\.\d (\d+)}mg }

# nginx itself refuses some bodies over HTTP/1.0.
sub bodies ($version) { return grep { $version ne '1.0' || $body{$_}[0] !~ /chunked|Expect/ } sort keys %body }

# nginx takes seconds to end some of these connections. So all requests run side by side, each with one body after the other.
my @cases = map { my $version = $_; map { [$version, $_] } sort keys %door } qw(1.1 1.0);
my @got = parallel(
    sub ($case) {
        my ($version, $name) = @$case;
        return { map { $_ => exchange($back, $version, $door{$name}, $body{$_}) } bodies($version) };
    },
    @cases
);
for my $case (@cases) {
    my ($version, $name) = @$case;
    my $of = shift @got;
    subtest "$name, HTTP/$version" => sub {
        for my $kind (bodies($version)) {
            my $got     = $of->{$kind};
            my @answers = answers($got->{text});
            my $asked   = () = $got->{text} =~ /^last/mg;
            unlike $got->{text}, qr/^secret/m, "$kind: nothing of the body is taken for a request (@answers)";
            is $asked, $got->{asked}, 'what follows it is, if the connection is kept' or diag $got->{text};
            is scalar(@answers), 1 + $got->{asked}, 'one answer to each request' or diag $got->{text};
            ok $got->{ended}, 'and the connection ends';
            is $got->{asked}, 1, 'not before it has to' if $kind =~ /^(?:no|a whole) body|^whole/ && $name !~ /stream that|early/;
        }
    };
}

subtest 'behind an nginx that keeps its connections' => sub {
    for my $name ('publish', 'put lines', 'no more than 100', 'no event above 10', 'a bad type') {
        for my $kind (sort keys %body) {
            my ($method, $path) = @{ $door{$name} };
            my ($framing, $parts) = @{ $body{$kind} };
            my $client = $front->connect;
            $client->write("$method $path HTTP/1.1\r\nHost: localhost\r\n" . ($framing ? "$framing\r\n" : '') . "\r\n");
            for my $part (@$parts) {
                $client->write($part);
                settle($front);
            }
            for my $round (1 .. 2) {
                my $answer = $front->get("/status?$round");
                like $answer->body, qr/\A\{"zones"/, "$name, $kind: another client gets its own answer";
            }
            $client->close;
        }
    }
};

is_deeply [$_->stop], [], 'no trouble' for $front, $back;
done_testing;
