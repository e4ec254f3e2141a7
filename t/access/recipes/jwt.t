# docs/access.md, "A JSON Web Token": verified by nginx's module for JavaScript, and nothing else is believed. A page's reader
# goes on with one token after the other.
# needs: module njs node
use v5.36;
use lib 't/lib';
use Digest::SHA  qw(hmac_sha256);
use JSON::PP     ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use SSE::App;
use SSE::Nginx;
use SSE::Recipe;

my ($modules) = `@{[ SSE::Nginx::binary() ]} -V 2>&1` =~ /--modules-path=(\S+)/;
my $njs = ($modules // '') . '/ngx_http_js_module.so';
plan skip_all => "there is no $njs" if !-e $njs && $ENV{TEST_NGINX_BINARY}; # an nginx built from source

my $secret = 'c' x 32;
my $json   = JSON::PP->new->canonical;
my %head   = (alg => 'HS256', typ => 'JWT');

sub encoded ($value) { return encode_base64url(ref $value ? $json->encode($value) : $value) }
sub signed ($text, $key = $secret) { return "$text." . encode_base64url(hmac_sha256($text, $key)) }
sub token ($claims, $head = \%head, $key = $secret) { return signed(encoded($head) . '.' . encoded($claims), $key) }
sub bearer ($token) { return ['/jwt/events', [Authorization => "Bearer $token"]] }

my $now   = time;
my %alice = (sub => 'alice', aud => 'events', exp => $now + 3600);
my $valid = token(\%alice);
my ($head, $claims, $signature) = split /\./, $valid;

# Gives out tokens for three seconds each.
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    my $expires = time + 3;
    return (200, ['Content-Type' => 'application/json'],
        $json->encode({ value => token({ %alice, exp => $expires }), expires => $expires }));
});

my $server = start('jwt', app => $app, main => "load_module $njs;",
    files  => { 'jwt.js' => recipe('jwt.js'), 'jwt-secret.conf' => qq{map "" \$jwt_secret { default "$secret"; }} },
    http   => "sse_retry 250ms;\n",
    server => 'location = /token { proxy_pass http://127.0.0.1:9000; }');

my %claims = (
    'no end'            => { exp => undef },
    'an end in words'   => { exp => '' . ($now + 3600) },
    'an end that is past' => { exp => $now - 1 },
    'an endless end'    => { exp => 1e300 },
    'a list of ends'    => { exp => [$now + 3600] },
    'a start to come'   => { nbf => $now + 1000 },
    'a start in words'  => { nbf => 'now' },
    'nobody'            => { sub => undef },
    'an empty name'     => { sub => '' },
    'a list of names'   => { sub => ['alice'] },
    'a name and a line' => { sub => "alice\n" },
    'two names'         => { sub => 'alice,user-bob' },
    'for nobody'        => { aud => undef },
    'for somebody else' => { aud => 'payments' },
);

holds($server,
    grant  => sub ($user, $expires) { return @{ bearer(token({ %alice, sub => $user, exp => $expires })) } },
    refuse => {
        'nothing'                  => ['/jwt/events', []],
        'an empty token'           => bearer(''),
        'nonsense'                 => bearer('a.b.c'),
        'no signature'             => bearer("$head.$claims."),
        'another signature'        => bearer("$head.$claims." . reverse $signature),
        'part of the signature'    => bearer("$head.$claims." . substr $signature, 0, -1),
        'more than the signature'  => bearer("$valid$signature"),
        'a fourth part'            => bearer("$valid.x"),
        'claims of another token'  => bearer("$head." . encoded({ %alice, sub => 'bob' }) . ".$signature"),
        'another secret'           => bearer(token(\%alice, \%head, 'd' x 32)),
        'the secret is empty'      => bearer(token(\%alice, \%head, '')),
        'algorithm none'           => bearer(encoded({ alg => 'none' }) . ".$claims."),
        'none in other letters'    => bearer(encoded({ alg => 'nOnE' }) . ".$claims.x"),
        'none, but signed'         => bearer(token(\%alice, { alg => 'none' })),
        'signed as if by RS256'    => bearer(token(\%alice, { alg => 'RS256' })),
        'signed as if by HS384'    => bearer(token(\%alice, { alg => 'HS384' })),
        'a list of algorithms'     => bearer(token(\%alice, { alg => ['HS256'] })),
        'no algorithm'             => bearer(token(\%alice, { typ => 'JWT' })),
        'a critical extension'     => bearer(token(\%alice, { %head, crit => ['b64'], b64 => JSON::PP::false })),
        'a head that is no object' => bearer(signed(encoded('null') . ".$claims")),
        'claims that are none'     => bearer(signed("$head." . encoded('null'))),
        'claims that do not parse' => bearer(signed("$head." . encoded('{'))),
        'another scheme'           => ['/jwt/events', [Authorization => "Basic $valid"]],
        'two tokens'               => ['/jwt/events', [Authorization => "Bearer $valid, Bearer $valid"]],
        'a token in the URL'       => ["/jwt/events?jwt=$valid&access_token=$valid", []],
        map { $_ => bearer(token({ %alice, %{ $claims{$_} } })) } keys %claims,
    },
);

subtest 'a cookie' => sub {
    my $client = $server->subscribe('/jwt/events', headers => [Cookie => "jwt=$valid"]);
    is $client->ready->status, 200, 'is as good, for an EventSource';
    my $answer = $server->get('/jwt/events', headers => [Cookie => "jwt=$head.$claims."]);
    is $answer->status, 401, 'if it is verified';
    is $server->get('/jwt/events', headers => [Cookie => "jwt=$valid", Authorization => 'Bearer x'])->status, 401,
        'but not where a header says something else';
    is $server->get('/jwt/valid', headers => [Cookie => "jwt=$valid"])->status, 404, 'the check is not for clients';
};

subtest 'a page of another origin' => sub {
    my $preflight = $server->request(OPTIONS => '/jwt/events', headers => [
        Origin                           => 'https://app.example',
        'Access-Control-Request-Method'  => 'GET',
        'Access-Control-Request-Headers' => 'authorization',
    ])->finish;
    is $preflight->status, 204, 'may ask without a token';
};

# The function of the guide and the sample beside it; the sample ends when the last event has come.
subtest 'a reader whose tokens expire' => sub {
    my $guide = do { local (@ARGV, $/) = 'docs/guide.md'; readline };
    my ($reader) = $guide =~ /^(async function subscribe\(.*?^\}\n)/ms or return fail 'no reader in the guide';
    my ($sample) = recipe('token');
    my $port = $server->port;
    $server->write_file('reader.mjs', "$reader\nconst log = console.log;\nconsole.log = (type, data) => {\n"
        . "  log(type, data);\n  if (data === 'the end') process.exit();\n};\n" . $sample =~ s/\b8080\b/$port/gr);
    open my $reader_output, '-|', 'node', $server->prefix . '/reader.mjs' or BAIL_OUT("node does not start: $!");
    my @line = scalar readline $reader_output;
    like $line[0], qr/^ready /, 'listens';
    my $number = 0;
    while (2 > grep {/^expired /} @line) {
        $server->publish('/publish?channel=user-alice', ++$number);
        while (defined(my $line = readline $reader_output)) {
            push @line, $line;
            last if $line =~ /^message $number$/;
        }
        select undef, undef, undef, 0.05;
    }
    $server->publish('/publish?channel=user-alice', 'the end');
    push @line, readline $reader_output;
    close $reader_output;
    is $?, 0, 'to its end';
    is_deeply [map { /^message (\d+)$/ ? $1 : () } @line], [1 .. $number], 'every event once and in order, over two expiries';
};

subtest 'a secret that is too short' => sub {
    $server->write_file('jwt-secret.conf', 'map "" $jwt_secret { default ""; }');
    $server->wait_gone($server->reload);
    is $server->get($_->[0], headers => $_->[1])->status, 401, 'counts for nothing'
        for bearer(token(\%alice, \%head, '')), bearer($valid);
};

$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
