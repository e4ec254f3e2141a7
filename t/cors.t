# Cross-origin requests: who may, what a preflight is told, and that errors can be read, too.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => ['h1', 'h2c'],
    locations => <<'END',
location = /listed {
            sse_channel $arg_channel;
            sse_cors https://app.example https://other.example:8443;
        }
        location = /private {
            sse_channel $arg_channel;
            sse_cors https://app.example credentials;
        }
        location = /open    { sse_channel $arg_channel; sse_cors *; }
        location = /denied  { sse_channel $arg_channel; sse_cors https://app.example credentials; deny all; }
        location = /plain   { sse_channel $arg_channel; }
        location = /post    { sse_publish $arg_channel; sse_cors https://app.example; }
        location = /soft    { sse_channel $arg_channel; sse_cors https://app.example; sse_gap close; }
END
);

my @refused = ('https://app.example.evil', 'https://evil-app.example', 'https://app.example:8443', 'http://app.example',
    'https://other.example', 'null', 'https://app.exampl', 'https://app.example/', 'https://', '*', '%', 'x' x 1000);

sub cors ($path, $origin, %option) {
    my $client = $server->request($option{method} // 'GET', $path, %option,
        headers => [defined $origin ? (Origin => $origin) : (), @{ $option{headers} // [] }]);
    my %got = map { $_ => $client->header($_) }
        grep { defined $client->header($_) } qw(access-control-allow-origin access-control-allow-credentials vary);
    my $status = $client->status;
    $client->close;
    return { status => $status, %got };
}

sub allowed ($origin, @more) { return ('access-control-allow-origin' => $origin, vary => 'Origin', @more) }
my @credentials = ('access-control-allow-credentials' => 'true');

for my $via (qw(h1 h2c)) {
    subtest "who may, over $via" => sub {
        for my $origin ('https://app.example', 'https://other.example:8443') {
            is_deeply cors('/listed?channel=a', $origin, via => $via), { status => 200, allowed($origin) }, $origin;
        }
        is_deeply cors('/private?channel=a', 'https://app.example', via => $via),
            { status => 200, allowed('https://app.example', @credentials) }, 'with credentials';
        is cors('/private?channel=a', $_, via => $via)->{'access-control-allow-origin'}, undef, "not $_"
            for map { substr $_, 0, 60 } @refused;
        is cors('/private?channel=a', $_, via => $via)->{vary}, 'Origin', 'yet caches are told'
            for 'https://evil.example', undef;
        my $open = cors('/open?channel=a', 'https://anyone.example', via => $via);
        is $open->{'access-control-allow-origin'}, '*', 'everybody';
        is $open->{'access-control-allow-credentials'}, undef, 'without credentials';
        is_deeply cors('/plain?channel=a', 'https://app.example', via => $via), { status => 200 }, 'off by default';
    };
}

subtest 'preflight' => sub {
    for my $path (qw(/private /denied /listed /post)) {
        my $method = $path eq '/post' ? 'POST' : 'GET';
        my $answer = $server->request(OPTIONS => "$path?channel=a",
            headers => [Origin => 'https://app.example', 'Access-Control-Request-Method' => 'GET',
                'Access-Control-Request-Headers' => 'last-event-id, authorization'])->finish;
        is $answer->status, 204, "$path is answered whatever the access rules say";
        is $answer->header('Access-Control-Allow-Origin'), 'https://app.example', 'allowed';
        like $answer->header('Access-Control-Allow-Methods'), qr/\b$method\b/, 'method';
        my %header = map { lc $_ => 1 } split /\s*,\s*/, $answer->header('Access-Control-Allow-Headers') // '';
        ok $header{$_}, $_ for qw(authorization cache-control content-type last-event-id);
        is $answer->header('Access-Control-Max-Age'), 86400, 'for a day';
        is $answer->body, '', 'no body';
    }
    my $answer = $server->request(OPTIONS => '/private?channel=a',
        headers => [Origin => 'https://evil.example', 'Access-Control-Request-Method' => 'GET'])->finish;
    is $answer->header('Access-Control-Allow-Origin'), undef, 'not for others';
};

subtest 'errors can be read' => sub {
    is_deeply cors('/denied?channel=a', 'https://app.example'), { status => 403, allowed('https://app.example', @credentials) },
        'forbidden by nginx';
    is_deeply cors('/listed', 'https://app.example'), { status => 400, allowed('https://app.example') }, 'no channel';
    is_deeply cors('/listed?channel=a', 'https://app.example', method => 'DELETE'), { status => 405, allowed('https://app.example') },
        'method';
    is_deeply cors('/post?channel=a', 'https://app.example', method => 'POST', body => "\xff"),
        { status => 400, allowed('https://app.example') }, 'a refused event';
    is_deeply cors('/post?channel=a', 'https://app.example', method => 'POST', body => 'x'),
        { status => 201, allowed('https://app.example') }, 'an accepted one';
    is_deeply cors('/soft?channel=a', 'https://app.example', cursor => '999999999999999-0'),
        { status => 410, allowed('https://app.example') }, 'a gap';
};

done_testing;
