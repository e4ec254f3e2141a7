# docs/access.md, "Ask an application" and "A session cookie": an application decides by a cookie or a token who may listen, and
# until when; pages of other origins cannot publish with the cookie.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;
use SSE::Recipe;

# A credential names a user and the time of its expiry; a real one would be signed or looked up.
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    my $credential = join ' ', map { $headers->{$_} // '' } qw(authorization cookie);
    my ($user, $expires) = $credential =~ /(?:Bearer |session=)(\w+)\.(\d+)/ or return (401, [], '');
    return (403, [], '')                                     if $user eq 'mallory' || $expires <= time;
    return (204, ['X-Channel' => '', 'X-Expires' => $expires]) if $user eq 'nobody';
    return (204, ['X-Channel' => "user-$user", 'X-Expires' => $expires]);
});

my $server = start(['application', 'cookie'], app => $app);
my $later  = time + 3600;

for my $carrier (['Authorization', 'Bearer '], ['Cookie', 'a=b; session=']) {
    my ($header, $before) = @$carrier;
    subtest $header => sub {
        holds($server,
            grant  => sub ($user, $expires) { return ('/private', [$header => "$before$user.$expires"]) },
            refuse => {
                'nothing'       => ['/private', []],
                'nonsense'      => ['/private', [$header => "${before}x"]],
                'another user'  => ['/private', [$header => "${before}mallory.$later"]],
                'what was valid' => ['/private', [$header => "${before}alice.1"]],
                'a name in the URL' => ['/private?channel=user-alice', []],
                'the check itself'  => ['/private', ['X-Channel' => 'user-alice', 'X-Expires' => $later]],
            },
        );
    };
}

subtest 'a user without a channel' => sub {
    my $answer = $server->get('/private', headers => [Cookie => "session=nobody.$later"]);
    is $answer->status, 400, 'is refused';
    is $server->get('/auth', headers => [Cookie => "session=alice.$later"])->status, 404, 'the check is not for clients';
};

subtest 'publishing with the cookie' => sub {
    my $say = sub (@headers) { $server->publish('/say', 'said', headers => \@headers) };
    my @cookie = (Cookie => "session=alice.$later");
    is $say->()->status, 401, 'not without it';
    is $say->(@cookie, 'Sec-Fetch-Site' => 'same-origin')->json->{channel}, 'user-alice', 'a page of this origin';
    is $say->(@cookie, 'Sec-Fetch-Site' => $_)->status, 403, "not a page that is $_" for qw(same-site cross-site);
    is $say->(@cookie, Origin => 'https://evil.example')->status, 403, 'not by an old browser, either';
    is $say->(Cookie => 'session=alice.1', 'Sec-Fetch-Site' => 'same-origin')->status, 403, 'not when it has expired';
};

$app->stop;
subtest 'an application that is gone' => sub {
    $server->allow(qr/connect\(\) failed/);
    my $answer = $server->get('/private', headers => [Cookie => "session=alice.$later"]);
    is $answer->status, 500, 'is an error for the client';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
