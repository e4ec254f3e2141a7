# GET ?list pages through the channels that sse_list permits: who sees which, what is reported of each, what a cursor guarantees, and that
# a long walk delays nobody.
use v5.36;
use lib 't/lib';
use Test::More;
use JSON::PP;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(
    workers => 2,
    listen  => [qw(h1 h2c)],
    http    => 'sse_zone events 8m channels=65536; sse_zone other 1m; log_format uri "$request_uri";',
    server  => <<'END',
        location = /sub    { sse_channel $arg_channel zone=events; }
        location = /pub    { sse_publish $arg_channel zone=events; }
        location = /ended  { sse_publish $arg_channel zone=events; sse_publish_end 1; }
        location = /all    { sse_publish $arg_channel zone=events; sse_list on; }
        location = /other  { sse_publish $arg_channel zone=other; sse_list on; }
        location = /off    { sse_publish $arg_channel zone=events; sse_list off; }
        location = /rooms  { sse_publish $arg_channel zone=events; sse_list room- lobby; }
        location = /mine   { sse_publish $arg_channel zone=events; sse_list user:$http_x_user:; }
        location = /bare   { sse_publish $arg_channel zone=events; sse_list $http_x_prefix; }
        location ~ ^/path/(.*) { sse_publish $1 zone=events; }
        location /outer/   {
            sse_publish c zone=events;
            sse_list on;
            location /outer/inner { sse_publish $arg_channel zone=events; }
            limit_except POST PUT { deny 192.0.2.1; }
        }
        location = /turned { error_page 403 = /all?list&channel=turned; deny all; }
        location = /if     { sse_publish c zone=events; sse_list room-; if ($arg_x) { set $y 1; } }
        location = /sub/request { sse_publish c zone=events; sse_list on; }
        location = /lines  { sse_publish $arg_channel zone=events; sse_framing json; sse_body_channels on; client_max_body_size 0; }
        location = /walk   { sse_publish $arg_channel zone=events; sse_list on; access_log order.log uri; }
END
);

sub list ($query, %option) { return $server->get($query, %option) }
sub names ($answer) { return [sort map { $_->{channel} } @{ ($answer->json // {})->{channels} // ["@{[$answer->status]}"] }] }

sub publish ($channel, @data) { return map { $server->publish("/pub?channel=$channel", $_)->json->{id} } @data }

subtest 'nothing is there' => sub {
    my $answer = list('/all?list');
    is $answer->status, 200, 'an answer';
    is_deeply $answer->json, { channels => [], unnamed => 0, cursor => undef }, 'of an empty page';
    like $answer->header('content-type'), qr{^application/json}, 'in JSON';
};

my @id = (publish('room-1', 1 .. 3), publish('room-2', 1), publish('lobby', 1), publish('user:al:1', 1), publish('user:al-ice:1', 1), publish('user:alice:1', 1));
my $subscriber = $server->subscribe('/sub?channel=room-1')->ready;

subtest 'what is told' => sub {
    my ($room) = grep { $_->{channel} eq 'room-1' } @{ list('/all?list')->json->{channels} };
    my ($time) = $id[2] =~ /^(\d+)/;
    is_deeply $room, { channel => 'room-1', subscribers => 1, events => 3, last_id => $id[2], time => $room->{time} }, 'of a channel';
    cmp_ok abs($room->{time} - $time), '<', 2000, 'and the time is that of its newest event';
    my $end = $server->publish('/ended?channel=done', 'x')->json->{id};
    my ($done) = grep { $_->{channel} eq 'done' } @{ list('/all?list&prefix=done')->json->{channels} };
    is_deeply $done, { channel => 'done', subscribers => 0, events => 1, last_id => $end, time => $done->{time}, ended => JSON::PP::true },
        'of one that has ended with an event';
    $server->publish('/pub?channel=room-2', '', method => 'DELETE');
    my ($gone) = grep { $_->{channel} eq 'room-2' } @{ list('/all?list')->json->{channels} };
    is $gone->{ended},  JSON::PP::true, 'of one that has been ended';
    is $gone->{events}, 1,              'which keeps its event';
    is_deeply names(list('/other?list')), [], 'another zone has others';
};

subtest 'who sees what' => sub {
    my @all = qw(done lobby room-1 room-2 user:al-ice:1 user:al:1 user:alice:1);
    is_deeply names(list('/all?list')), \@all, 'all';
    is_deeply names(list('/all?list&channel=room-1')), \@all, 'whatever channel the request names';
    is_deeply names(list('/rooms?list')), [qw(lobby room-1 room-2)], 'some prefixes';
    is_deeply names(list('/rooms?list&prefix=room-1')), ['room-1'], 'and a longer one';
    is_deeply names(list('/rooms?list&prefix=user')), [], 'but no other';
    is_deeply names(list('/rooms?list&prefix=')), [qw(lobby room-1 room-2)], 'nor all';
    is_deeply names(list('/mine?list', headers => ['X-User' => 'al'])), ['user:al:1'], 'a prefix of the request ends where it ends';
    is_deeply names(list('/bare?list', headers => ['X-Prefix' => 'room'])), [qw(room-1 room-2)], 'one that is a variable';
    is list('/bare?list')->status, 403, 'an empty one permits nothing';
    is_deeply list('/bare?list')->json, { error => 'sse_list does not permit listing channels here' }, 'and says so';
    is list($_)->status, 403, "not at $_" for '/off?list', '/pub?list', '/path/room-1?list', '/pub?list&channel=room-1';
    is list('/outer/inner?list')->status, 403, 'a location inside does not inherit it';
    is_deeply names(list('/outer/?list')), \@all, 'a block does';
    is_deeply names(list('/if?list&x=1')), [qw(room-1 room-2)], 'and another kind of block';
    is list("/pub?list=$_&channel=room-1")->json->{channel}, 'room-1', "\"list=$_\" describes the channel" for 0, 'false';
    is $server->publish('/pub?list&channel=room-1', 'x')->status, 201, 'a POST publishes';
    is $server->publish('/turned',                  'x')->status, 201, 'also one that nginx has turned into a GET with that argument';
    is list('/all?list&prefix=turned')->json->{channels}[0]{events}, 1, 'and the event is there';
};

subtest 'prefixes are bytes' => sub {
    $server->publish('/lines', encode_json([map { { channel => $_, data => 1 } } 'q"\\%41', "\x{fc}/x", 'a b', "\x{20ac}"]));
    is_deeply names(list('/all?list&prefix=q%22')), ['q"\\%41'], 'quotes and backslashes are escaped';
    is_deeply names(list('/all?list&prefix=q%22%5C%2541')), ['q"\\%41'], 'the argument is decoded once';
    is_deeply names(list('/all?list&prefix=%C3%BC')), ["\x{fc}/x"], 'a character';
    is_deeply names(list('/all?list&prefix=%E2%82')), ["\x{20ac}"], 'a part of one';
    is_deeply names(list('/all?list&prefix=a%20')), ['a b'], 'a space';
    is_deeply names(list('/all?list&prefix=A%20')), [], 'upper and lower case differ';
    is_deeply names(list('/all?list&prefix=%00')), [], 'NUL';
    is_deeply names(list('/all?list&prefix=' . 'a' x 300)), [], 'what is longer than a name';
};

subtest 'wrong use' => sub {
    is list("/all?list&limit=$_")->status, 400, "limit=$_" for qw(0 -1 1001 x 1.5 99999999999999999999);
    is list("/all?list&cursor=$_")->status, 400, "cursor=$_" for qw(x 00 zzzzzzzzzzzzzzzzzzzzzzzz), '0' x 25, '-' . '0' x 23;
    is list('/all?list&cursor=' . '0' x 24)->status, 410, 'a cursor of another zone';
    is list('/all?list&cursor=' . (list('/all?list&limit=1')->json->{cursor}) . '&limit=1')->status, 200, 'one of this';
    is $server->request(HEAD => '/all?list')->status, 200, 'HEAD';
    is $server->request(GET => '/all?list', body => 'abc')->status, 200, 'a body does no harm';
};

# Reads all pages; between() is called before each but the first.
sub pages ($query, $between = sub { }, %option) {
    my (@channel, $cursor, $pages);
    for (;;) {
        my $answer = list($query . ($cursor ? "&cursor=$cursor" : ''), %option)->json;
        ++$pages;
        push @channel, map { $_->{channel} } @{ $answer->{channels} };
        $cursor = $answer->{cursor} // last;
        $between->($pages);
    }
    return ($pages, @channel);
}

subtest 'pages' => sub {
    my @many = map { sprintf 'many-%05d', $_ } 1 .. 3000;
    $server->publish('/lines', join '', map { qq({"channel":"$_","data":1}) } @many);
    for my $case ([100, 'h1'], [1000, 'h1'], [7, 'h1'], [999, 'h2c']) {
        my ($limit, $via) = @$case;
        my ($pages, @names) = pages("/all?list&prefix=many-&limit=$limit", sub { }, via => $via);
        is_deeply [sort @names], \@many, "each channel is on one page of $limit over $via";
        cmp_ok abs($pages - 3000 / $limit), '<=', 1, 'and the pages are full' or diag $pages;
    }
    my $default = list('/all?list')->json;
    is scalar @{ $default->{channels} }, 100, '100 without a limit';

    my $count = 0;
    my ($pages, @names) = pages('/all?list&prefix=many-&limit=100', sub ($page) {
        $server->publish('/lines', join '', map { qq({"channel":"new-@{[$count++ % 5000]}","data":1}) } 1 .. 500);
        $server->publish("/pub?channel=many-@{[sprintf '%05d', $page * 90]}", 'x');
        $server->reload if $page == 7;
    });
    is_deeply [sort @names], \@many, 'also while others come, and over a reload';
};

subtest 'channels without events' => sub {
    my @quiet = map { $server->subscribe("/sub?channel=quiet-$_")->ready } 1 .. 3;
    my ($unnamed, $cursor) = (0);
    do {
        my $page = list('/all?list&limit=1000' . ($cursor ? "&cursor=$cursor" : ''))->json;
        $unnamed += $page->{unnamed};
        $cursor = $page->{cursor};
    } while $cursor;
    is $unnamed, 3, 'are counted: their names are not in the zone';
    is list('/rooms?list&limit=1000')->json->{unnamed}, 0, 'but not for those who may not see all';
    $_->close for @quiet;
};

# A walk through the whole index takes many slices, between which other requests are answered. It ends when its client hangs up or when its
# worker has to leave.
subtest 'beside others' => sub {
    $server->publish('/lines', join '', map { qq({"channel":"bulk-$_","data":1}) } 1 .. 20_000);
    # All requests have arrived before the worker sees one of them, the publisher's last. The log lists them in the order of their answers.
    my ($worker)    = $server->workers;
    my @connection  = map { $server->connect_to($worker, '/pub?channel=a') } 1 .. 20;
    my $publisher   = $server->connect_to($worker, '/pub?channel=a');
    freeze($worker);
    my @walk = map { $server->request(GET => '/walk?list&prefix=nothing', on => $_) } @connection;
    $server->request(POST => '/walk?channel=between', body => 'x', on => $publisher);
    thaw($worker);
    is $publisher->finish->status, 201, 'a publisher is answered';
    is_deeply $_->json, { channels => [], unnamed => 0, cursor => undef }, 'a page of nothing' for @walk;
    my @order;
    wait_until(sub { @order = $server->read_file('order.log') =~ m{^/walk\?(\w+)}mg; @order == 21 }, 'the log of all of them');
    is $order[-1], 'list', 'before all who walk through the index' or diag "@order";
    my @left = map { $server->request(GET => '/all?list&prefix=nothing') } 1 .. 20;
    $_->reset for @left;
    is list('/all?list&prefix=between')->json->{channels}[0]{channel}, 'between', 'clients that hang up do no harm';
    my @more = map { $server->request(GET => '/all?list&prefix=nothing') } 1 .. 5;
    my @old = $server->reload;
    ok $_->status == 200 || $_->status == 503, 'one that is asked for before a reload is answered' for @more;
    $server->wait_gone(@old);
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
