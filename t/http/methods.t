# Methods other than the obvious ones, at every kind of location and over every transport.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 unchunked tls h2c h2)]);

sub asks ($method, $path, $status, %expected) {
    my $answer = $server->request($method, $path, via => $expected{via})->finish;
    is $answer->status, $status, "$method $path";
    is $answer->header('Allow'), $expected{allow}, 'allowed methods' if exists $expected{allow};
    is $answer->closed, 'clean', 'a whole answer';
    return $answer;
}

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    subtest $via => sub {
        my %sub = (via => $via, allow => 'GET, HEAD, OPTIONS');
        my $head = asks(HEAD => '/sub?channel=a', 200, via => $via);
        is $head->header('Content-Type'), 'text/event-stream; charset=utf-8', 'HEAD has the headers';
        is $head->body, '', 'and no body';
        my $answer = asks(OPTIONS => '/sub?channel=a', 204, %sub);
        for my $method (qw(POST PUT DELETE PATCH PROPFIND)) {
            my $answer = asks($method => '/sub?channel=a', 405, %sub);
            like $answer->json->{error}, qr/./, 'an error as JSON';
            is $answer->header('Content-Type'), 'application/json', 'that says so';
        }
        for my $method (qw(PATCH PROPFIND)) {
            my $answer = asks($method => '/pub?channel=a', 405, via => $via);
            like $answer->header('Allow'), qr/\bPOST\b/, 'allowed methods';
            like $answer->header('Allow'), qr/\bPUT\b/,  'both of them';
        }
        $answer = asks(OPTIONS => '/pub?channel=a', 204, via => $via);
        like $answer->header('Allow'), qr/\bPOST\b/, 'allowed methods';
        asks($_ => '/status', 405, via => $via) for qw(POST DELETE);
        is $server->publish('/sub?channel=a', 'a body', via => $via)->status, 405, 'with a body'
            if $via !~ /h2/;
    };
}

subtest 'GET and HEAD of a publish location tell about the channel' => sub {
    is_deeply asks(GET => '/pub?channel=new', 200)->json, { channel => 'new', subscribers => 0, last_id => undef }, 'a new one';
    my $id         = $server->publish('/pub?channel=used', 'x')->json->{id};
    my $subscriber = $server->subscribe('/sub?channel=used')->ready;
    my $answer     = asks(GET => '/pub?channel=used', 200);
    is_deeply $answer->json, { channel => 'used', subscribers => 1, last_id => $id }, 'a used one';
    like $answer->body, qr/\A[^\n]+\n\z/, 'one line';
    is $answer->header('Content-Type'), 'application/json', 'of JSON';
    is asks(HEAD => '/pub?channel=used', 200)->body, '', 'HEAD has no body';
};

subtest 'a connection can be used again' => sub {
    my $connection = $server->connect;
    is $server->request($_->[0], $_->[1], on => $connection)->finish->status, $_->[2], "@$_[0, 1]"
        for [HEAD => '/sub?channel=a', 200], [DELETE => '/sub?channel=a', 405], [OPTIONS => '/sub?channel=a', 204],
        [GET => '/sub', 400], [GET => '/pub?channel=a', 200], [GET => '/status', 200];
    is $server->publish('/pub?channel=a', $_, on => $connection)->status, 201, 'publish' for 1 .. 3;
    is $server->publish('/pub?channel=a', "\xff", on => $connection)->status, 400, 'refused';
    is $server->publish('/pub?channel=a', 'x', on => $connection)->status, 201, 'and again';
};

subtest 'HTTP/0.9 and half a request' => sub {
    my $client = $server->connect->send_raw("GET /sub?channel=a\r\n");
    $client->pump_until(sub { length $client->{in} });
    ok length $client->{in} || $client->closed, 'is answered or closed';
    $client->close;
    $server->connect->send_raw("GET /sub?channel=a HTTP/1.1\r\nHost: x\r\n")->close;
    $client = $server->connect->send_raw("GET /sub?channel=a HTTP/1.1\r\n\r\n");
    is $client->finish->status, 400, 'no Host';
    is $server->publish('/pub?channel=a', 'x')->status, 201, 'nothing is broken';
};

done_testing;
