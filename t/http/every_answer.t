# What all answers have in common: none may be stored, HEAD is answered as GET would be, and nothing gets into a header without having
# been checked.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen => [qw(h1 tls h2c)],
    http   => 'sse_zone events 4m; limit_conn_zone $uri zone=places:1m; add_header X-Channel $sse_channel always;',
    server => <<'END',
add_header X-Channel $sse_channel always;
        location = /sub      { sse_channel $arg_channel; sse_cors https://app.example; }
        location = /close    { sse_channel $arg_channel; sse_gap close; }
        location = /list     { sse_channel $arg_channel separator=,; }
        location = /pub      { sse_publish $arg_channel; sse_cors https://app.example; }
        location = /small    { sse_publish $arg_channel; client_max_body_size 10; }
        location = /tiny     { sse_publish $arg_channel; sse_max_event_size 10; }
        location = /lines    { sse_publish $arg_channel; sse_framing lines; }
        location = /status   { sse_status; }
        location = /health   { sse_health; }
        location ~ "(?s)^/path/sub/(.*)$"  { sse_channel $1; }
        location ~ "(?s)^/path/pub/(.*)$"  { sse_publish $1; }
        location ~ "(?s)^/path/list/(.*)$" { sse_channel x $1 separator=,; }
        location ~ "(?s)^/path/page/(.*)$" { sse_publish $1; error_page 400 = @page; }
        location @page       { return 200 "page of $sse_channel"; add_header X-Channel $sse_channel always; }
        location = /denied   { sse_channel x; deny all; }
        location = /limited  { sse_publish x; limit_except GET { deny all; } }
        location = /returns  { sse_publish x; return 401; }
        location = /moved    { sse_channel x; return 302 /elsewhere; }
        location = /crowded  { sse_channel x; limit_conn places 1; }
        location = /rate     { sse_publish x; auth_basic closed; auth_basic_user_file none; }
        location = /if       { sse_publish x; if ($arg_no) { return 403; } }
        location = /own      { sse_status; add_header Cache-Control "private, max-age=5" always; }
END
    allow => [qr/open\(\) .*none/],
);
$server->publish('/pub?channel=gone', 'x');
$server->publish('/pub?channel=gone', '', method => 'DELETE');
$server->publish('/pub?channel=ending', 'x');

sub subscribers { return $server->get('/status')->json->{subscribers} }

subtest 'no answer may be stored' => sub {
    my $crowd = $server->subscribe('/crowded')->ready;
    my @origin = (headers => [Origin => 'https://app.example', 'Access-Control-Request-Method' => 'POST']);
    my @case = (
        [200, GET     => '/sub?channel=a'],          [200, HEAD    => '/sub?channel=a'],     [204, GET     => '/sub?channel=gone'],
        [400, GET     => '/sub'],                    [410, GET     => '/close?channel=a', cursor => '5-5'],
        [204, OPTIONS => '/sub?channel=a'],          [204, OPTIONS => '/sub?channel=a', @origin],
        [405, DELETE  => '/sub?channel=a'],          [200, GET     => '/pub?channel=a'],     [200, HEAD    => '/pub?channel=a'],
        [201, POST    => '/pub?channel=a', body => 'x'], [200, POST => '/lines?channel=a', body => ''],
        [400, POST    => '/pub', body => 'x'],       [400, POST    => '/pub?channel=a', body => "\xff"],
        [403, POST    => '/pub?channel=a', headers => [Origin => 'null']],
        [404, DELETE  => '/pub?channel=none'],       [200, DELETE  => '/pub?channel=ending'],     [405, PATCH   => '/pub?channel=a'],
        [204, OPTIONS => '/pub?channel=a'],          [413, POST    => '/small?channel=a', body => 'x' x 11],
        [413, POST    => '/tiny?channel=a', body => 'x' x 11], [415, POST => '/pub?channel=a', body => 'x', type => 'multipart/form-data'],
        [200, GET     => '/health'],                 [405, POST    => '/health'],
        [200, GET     => '/status'],                 [405, POST    => '/status'],            [403, GET     => '/denied'],
        [403, POST    => '/limited', body => 'x'],   [401, POST    => '/returns', body => 'x'], [302, GET  => '/moved'],
        [503, GET     => '/crowded'],                [401, POST    => '/rate'],              [403, POST    => '/if?no=1'],
    );
    for my $via (qw(h1 tls h2c)) {
        for (@case) {
            my ($status, $method, $path, %option) = @$_;
            next if $via eq 'h2c' && $option{body} && $status >= 400; # curl may lose an answer that comes before the body is there
            my $client = $server->request($method, $path, via => $via, %option);
            is $client->status, $status, "$via: $method $path is answered with $status";
            like $client->header('Cache-Control') // '', qr/\Ano-store(?:, no-cache, no-transform)?\z/, 'no-store, once';
            $client->close;
        }
    }
    is $server->get('/own')->header('Cache-Control'), 'private, max-age=5', 'unless the configuration has said something else';
    $crowd->close;
};

# Status and headers, without those that differ from request to request.
sub head_of ($client) {
    my $status = $client->status;
    my @lines = sort grep { !/^(?:Date|Transfer-Encoding|X-Worker|Connection):/i } @{ $client->{header_lines} // [] };
    return [$status, @lines];
}

subtest 'HEAD answers what GET would' => sub {
    my $id = $server->publish('/pub?channel=h', 'x')->json->{id};
    my @origin = (headers => [Origin => 'https://app.example']);
    my @case = (
        [200, '/sub?channel=h'], [200, '/sub?channel=h', @origin], [200, '/sub?channel=h', cursor => $id],
        [200, '/sub?channel=h', cursor => '0-0'], [200, '/sub?channel=h', cursor => 'unknown'], [200, '/close?channel=h', cursor => $id],
        [204, '/sub?channel=gone'], [204, '/sub?channel=gone', @origin], [400, '/sub'], [400, '/sub', @origin], [400, '/sub?channel=%2' . "\xff"],
        [410, '/close?channel=h', cursor => '5-5'], [410, '/close?channel=h', cursor => 'unknown'],
        [200, '/pub?channel=h'], [200, '/pub?channel=new'], [400, '/pub'], [200, '/status'], [200, '/health'], [403, '/denied'], [302, '/moved'],
    );
    my $before = subscribers();
    for my $via (qw(h1 h1.0 tls h2c)) {
        for (@case) {
            my ($status, $path, %option) = @$_;
            next if $via eq 'h2c' && $path =~ /\xff/;
            my $get  = $server->request(GET => $path, via => $via, %option);
            my $told = head_of($get);
            $get->close;
            wait_until(sub { subscribers() == $before }, 'the stream to end');
            my $head = $server->request(HEAD => $path, via => $via, %option)->finish;
            my $got  = head_of($head);
            @$_ = grep { $path ne '/status' || !/^content-length/i } @$_ for $told, $got; # its figures change
            is $told->[0], $status, "$via: GET $path" =~ s/\xff/?/r;
            is_deeply $got, $told, 'HEAD has the same status and headers';
            is $head->body, '', 'and no body';
            is $head->closed, 'clean', 'and ends';
            is subscribers(), $before, 'nobody is left behind';
        }
    }
};

subtest 'HEAD takes no channel\'s place' => sub {
    my $count = sub { return $server->get('/pub?channel=hh')->json->{subscribers} };
    $server->request(HEAD => '/sub?channel=hh')->finish for 1 .. 20;
    is $count->(), 0, 'it counts nowhere';
    my $connection = $server->connect;
    for my $path ('/sub?channel=hh', '/sub?channel=gone', '/sub', '/pub?channel=hh', '/status') {
        $server->request(HEAD => $path, on => $connection)->finish;
        is $server->request(GET => '/pub?channel=hh', on => $connection)->finish->status, 200, "the connection goes on after HEAD $path";
    }
    my $witness = $server->subscribe('/sub?channel=hh')->ready;
    $server->request(HEAD => '/sub?channel=hh')->finish;
    $server->publish('/pub?channel=hh', 'x');
    is $witness->next_event->{data}, 'x', 'and disturbs nobody';
    is $count->(), 1, 'who is there';
};

# None of these names may appear in a header, not even as part of a list.
my @bad = ('a%0d%0aX-Evil:%20yes', 'a%0aX-Evil:%20yes', 'a%0dX-Evil: yes' =~ s/ /%20/r, 'a%7fb', 'a%1bb', 'a%c2%85b', 'a%c2%80', 'a%c2%9f',
    'a%e2%80%a8b', 'a%e2%80%a9b', 'a%ffb', 'a%c0%8ab', 'a%ed%a0%80', 'a%09b', '%0d%0a%0d%0abody', 'x' x 256, '%e2%80%a8' x 10);
for my $via (qw(h1 tls h2c)) {
    subtest "\$sse_channel, $via" => sub {
        for my $name (@bad) {
            for my $door (qw(sub pub list page)) {
                for my $method (qw(GET HEAD POST DELETE)) {
                    # Over HTTP/2 curl may lose an answer that comes before the body is there.
                    my @body = $method eq 'POST' ? (body => $via eq 'h2c' ? '' : 'x') : ();
                    my $client = $server->request($method, "/path/$door/$name", via => $via, @body);
                    my $short = length $name > 60 ? substr($name, 0, 60) . '…' : $name;
                    my $expected = $door eq 'page' ? 200 : $method =~ /POST|DELETE/ && $door =~ /sub|list/ ? 405 : 400;
                    is $client->status, $expected, "$method $door $short";
                    is $client->header('X-Channel'), undef, 'no name in a header';
                    is $client->header('X-Evil'), undef, 'no header of its own';
                    $client->finish;
                    unlike $client->body, qr/X-Evil|a\r|a\n/, 'nor in the body';
                }
            }
        }
        for my $name (['good', 'good'], ['a%20b', 'a b'], ['a%2Cb', 'a,b'], ['gr%C3%BCn', "gr\xc3\xbcn"], ['x' x 255, 'x' x 255]) {
            is $server->get("/path/pub/$name->[0]", via => $via)->header('X-Channel'), $name->[1], 'a good one stands there';
            my $client = $server->subscribe("/path/sub/$name->[0]", via => $via);
            is $client->header('X-Channel'), $name->[1], 'also of a stream';
            $client->close;
            is $server->request(HEAD => "/path/sub/$name->[0]", via => $via)->finish->header('X-Channel'), $name->[1], 'also of a HEAD';
        }
        is $server->get('/path/list/a%0a', via => $via)->header('X-Channel'), undef, 'a list with one bad name is none';
        is $server->publish('/path/pub/fault', "\xff", via => $via)->header('X-Channel'), 'fault', 'a refusal after the name has been checked has it';
    };
}

wait_until(sub { subscribers() == 0 }, 'every stream to be counted off');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
