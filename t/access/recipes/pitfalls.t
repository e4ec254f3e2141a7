# docs/access.md, "Pitfalls": each of them exists as described there, and what the document recommends avoids it.
use v5.36;
use lib 't/lib';
use MIME::Base64 qw(encode_base64);
use Test::More;
use SSE::App;
use SSE::Nginx;
use SSE::Recipe;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    my ($user) = ($headers->{authorization} // '') =~ /\ABearer (\w+)\z/ or return (401, []);
    return (204, ['X-Channel' => "user-$user"]);
});

# The location of the check under another name, with more directives.
sub check ($name, $more) {
    my ($auth) = join('', recipe('application')) =~ /^(location = \/auth \{.*?^\}\n)/ms or die 'no check';
    return $auth =~ s{/auth \{}{/$name \{ $more}r;
}

my $server = start('application', app => $app,
    files => { users => 'alice:' . `openssl passwd -apr1 tulip` },
    http  => "proxy_cache_path cache keys_zone=answers:1m;\n",
    server => check('cached', 'proxy_cache answers; proxy_cache_valid 204 1h; proxy_cache_key $uri;')
        . check('keyed', 'proxy_cache answers; proxy_cache_valid 204 1h; proxy_cache_key "$http_authorization $cookie_session";')
        . <<'END',
location = /front  { auth_request /auth; rewrite ^ /inner last; }
        location = /tries  { auth_request /auth; try_files /none /inner; }
        location = /inner  { sse_channel user-alice; }
        location = /return { auth_request /auth; sse_channel user-alice; return 200 returned; }
        location = /any    {
            satisfy any;
            allow 127.0.0.1;
            deny all;
            auth_basic events;
            auth_basic_user_file users;
            sse_channel user-$remote_user;
        }
        location = /named  { sse_channel user-$remote_user; }
        location = /login  { default_type text/html; return 200 login; }
        location = /page   { auth_request /auth; sse_channel user-alice; error_page 401 = /login; }
        location = /status { auth_request /auth; sse_channel user-alice; error_page 401 /login; }
        location /pages/   {
            error_page 401 = /login;
            location = /pages/inherits { auth_request /auth; sse_channel user-alice; }
            location = /pages/own      { auth_request /auth; sse_channel user-alice; error_page 404 /none; }
        }
        location = /with-cache { auth_request /cached; auth_request_set $cached $upstream_http_x_channel; sse_channel $cached; }
        location = /with-key   { auth_request /keyed; auth_request_set $keyed $upstream_http_x_channel; sse_channel $keyed; }
        location = /unset  { auth_request /auth; sse_channel $upstream_http_x_channel; }
        location = /forged { auth_request /auth; sse_channel $http_x_channel; }
        location = /list   { sse_channel $arg_user separator=,; }
END
);
$server->publish("/publish?channel=user-$_", "of $_") for qw(alice bob);

# The first thing that a client gets: the data of an event, or the status of a refusal.
sub first ($path, @headers) {
    my $client = $server->subscribe($path, headers => \@headers, cursor => '0-0');
    return $client->status if $client->status != 200 || ($client->header('Content-Type') // '') !~ /event-stream/;
    my $data = $client->next_event->{data};
    $client->close;
    return $data;
}

sub bearer ($user) { return (Authorization => "Bearer $user") }
sub basic ($text) { return (Authorization => 'Basic ' . encode_base64($text, '')) }

subtest 'internal redirects' => sub {
    is first('/front'), 'of alice', 'rewrite comes before the check';
    is first('/tries'), 401, 'try_files after it,';
    is first('/inner'), 'of alice', 'but where it leads there must be one, too';
};

subtest 'return and if' => sub {
    is $server->get('/return')->body, 'returned', 'a return comes before the check';
    for my $directive ('auth_request /auth;', 'auth_basic x;', 'allow all;', 'sse_channel c;', 'sse_expires 1;', 'sse_cors *;') {
        my ($good, $output) = SSE::Nginx->new(http => 'sse_zone events 1m;',
            server => "location /x { if (\$arg_x) { $directive } }")->check;
        ok !$good, "$directive is refused in an if";
        like $output, qr/directive is not allowed here/, 'with this reason';
    }
};

subtest '\$remote_user' => sub {
    is first($_, basic('bob:wrong')), 'of bob', "$_: anybody can say that he is bob" for qw(/any /named);
};

subtest 'error_page' => sub {
    for my $path (qw(/page /pages/inherits)) {
        my $page = $server->get($path);
        is_deeply [$page->status, $page->header('Content-Type')], [200, 'text/html'], "$path: the refusal is a page";
    }
    is $server->get($_)->status, 401, "$_: it is told" for qw(/status /pages/own);
};

subtest 'a cache' => sub {
    is first('/with-cache', bearer('alice')), 'of alice', 'after one client';
    is first('/with-cache', bearer('bob')), 'of alice', 'another one gets the same';
    is first('/with-cache'), 'of alice', 'and so does anybody';
    is first('/with-key', bearer($_)), "of $_", "but not with a key: $_" for qw(alice bob alice);
    is first('/with-key'), 401, 'and nobody without access';
};

subtest 'variables' => sub {
    is first('/unset', bearer('alice')), 400, 'there is none without auth_request_set';
    is first('/forged', bearer('alice'), 'X-Channel' => 'user-bob'), 'of bob', 'a header of the client says what it likes';
};

subtest 'a separator' => sub {
    is first('/list?user=x,user-bob'), 'of bob', 'makes two channels of one name';
};

$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
