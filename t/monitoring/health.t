# sse_health answers probes: 200 while the zones that it names can be used, otherwise 503 with the reason, whatever error_page the
# configuration has.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 1m; sse_zone other 1m;',
    server  => <<'END',
error_page 503 = @page;
        location @page     { return 200 'a page'; }
        location = /all    { sse_health; }
        location = /events { sse_health events; }
        location = /other  { sse_health other; }
        location = /status { sse_status; }
        location = /stop   { sse_publish x zone=events; sse_test_crash_at stop1; }
END
);

sub health ($path, $connection = undef) {
    my $answer = $server->get($path, defined $connection ? (on => $connection) : ());
    is $answer->header('Content-Type'), 'application/json', "$path: JSON";
    like $answer->body, qr/\A[^\n]+\n\z/, 'in a line';
    return [$answer->status, $answer->json];
}

is_deeply health($_), [200, { healthy => JSON::PP::true }], 'all is well' for qw(/all /events /other);
is $server->request(HEAD => '/all')->finish->status, 200, 'HEAD tells the same';
is $server->request($_ => '/all')->finish->header('Allow'), 'GET, HEAD, OPTIONS', "no $_" for qw(POST PUT DELETE);

subtest 'a zone whose lock is held by a worker that has been stopped' => sub {
    my ($holder, $other) = $server->workers;
    my @connection = map { $server->connect_to($_) } $holder, $other;
    my $stopped = $server->request(POST => '/stop', body => 'x', on => $connection[0]);
    wait_stopped($holder);
    $server->allow(qr/is locked by $holder, which has not let go/);
    for my $path (qw(/all /events)) {
        my ($status, $health) = health($path, $connection[1])->@*;
        is $status, 503, "$path is not well";
        is $health->{healthy}, JSON::PP::false, 'which is a member';
        like $health->{reason}, qr/lock/, 'and why';
        is $server->request(HEAD => $path, on => $connection[1])->finish->status, 503, 'HEAD tells the same';
    }
    is_deeply health('/other', $connection[1]), [200, { healthy => JSON::PP::true }], 'who asks for another zone is not concerned';
    thaw($holder);
    is $stopped->finish->status, 201, 'it goes on';
    is_deeply health('/all', $connection[1]), [200, { healthy => JSON::PP::true }], 'and all is well';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
