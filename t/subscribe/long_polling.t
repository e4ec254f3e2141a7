# A poll may wait for an event. While it waits, it is a subscriber like any other; afterwards the connection stays open.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;

# Accepts connections and never responds, so that an action goes on.
my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no socket: $!";
my $port   = $silent->sockport;

my @via = (qw(h1 h1.0 unchunked tls h2c), SSE::Nginx::lacks_http3() ? () : 'h3');
my $server;

sub start_server (%option) {
    $server = SSE::Nginx->start(
        listen    => [grep { $_ ne 'h1.0' } @via],
        http      => 'sse_zone events 1m; log_format sse "$uri $status [$sse_channel] $sse_events $sse_last_event_id $sse_close_reason $sse_subscribers";',
        servers   => 'keepalive_timeout 2s;', # over HTTP/3 a client that dies is missed only after that
        server    => <<"END",
access_log access.log sse;
        location = /sub      { sse_channel \$arg_channel; }
        location = /several  { sse_channel \$arg_channel separator=,; }
        location = /off      { sse_channel \$arg_channel; sse_gap off; }
        location = /close    { sse_channel \$arg_channel; sse_gap close; error_page 410 = /snapshot; }
        location = /snapshot { default_type application/json; return 200 '{"snapshot":true}'; }
        location = /until    { sse_channel \$arg_channel; sse_expires \$arg_until; }
        location = /acts     { sse_channel \$arg_channel; post_action /action; }
        location = /again    { sse_channel \$arg_channel; post_action /sub; }
        location = /action   { internal; proxy_pass http://127.0.0.1:$port; }
        location = /pub      { sse_publish \$arg_channel; client_max_body_size 0; access_log off; }
        location = /status   { sse_status; access_log off; }
        location = /file     { default_type text/html; return 200 '<a>file</a>'; access_log off; }
END
        %option,
    );
}

sub publish ($channel, $data, $more = '') { return $server->publish("/pub?channel=$channel$more", $data)->json->{id} }
sub position ($channel) { return $server->get("/sub?channel=$channel&poll")->json->{cursor} }
sub subscribers ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }
sub data ($answer) { return [map { $_->{data} } @{ $answer->json->{events} }] }

# Starts a poll, and waits until the count of its channel shows that it waits.
sub poll ($path, %option) {
    my ($channel) = $path =~ /channel=(\w+)/;
    my $before = subscribers($channel);
    my $client = $server->request(GET => "$path&poll&wait=" . ($option{wait} // 30), %option);
    wait_until(sub { subscribers($channel) == $before + 1 }, 'a poll that waits');
    return $client;
}

sub nobody_waits ($channel) {
    ok eval { wait_until(sub { subscribers($channel) == 0 }, 'it to be counted off') }, 'it is no subscriber any more';
}

sub logged ($pattern) {
    ok eval { wait_until(sub { $server->read_file('access.log') =~ /^$pattern$/m }, $pattern) }, "the log says so: $pattern"
        or diag $server->read_file('access.log');
}

start_server();

for my $via (@via) {
    subtest "an event, over $via" => sub {
        my $channel = "c$via" =~ tr/.//dr;
        my $cursor  = position($channel);
        my @client  = (poll("/sub?channel=$channel", via => $via), poll("/sub?channel=$channel", via => $via, cursor => $cursor));
        is $_->poll->raw, '', 'there is no answer yet' for @client;
        my $id = publish($channel, 'first');
        for my $client (@client) {
            is $client->status, 200, 'then there is';
            is_deeply $client->json, { events => [{ id => $id, type => 'message', data => 'first' }], cursor => $id }, 'with the event';
        }
        nobody_waits($channel);
        logged("/sub 200 \\[$channel\\] 1 " . ($id =~ s/~.*//r) . ' - [12]');
    };
}

subtest 'what is there is not waited for' => sub {
    my $cursor = position('now');
    publish('now', 'x');
    my $start = time;
    is_deeply data($server->get('/sub?channel=now&poll&wait=60', cursor => $cursor)), ['x'], 'an event';
    is $server->get('/sub?channel=now&poll&wait=60', cursor => 'unknown')->json->{gap}{reason}, 'unknown', 'a gap';
    is $server->request(HEAD => '/sub?channel=now&poll&wait=60')->finish->status, 200, 'HEAD does not wait';
    is_deeply $server->request(GET => '/sub?channel=now&poll&wait=60', body => 'body')->json->{events}, [], 'nor does a request with a body';
    cmp_ok time - $start, '<', 20, 'all of it at once';
};

subtest 'the time is over' => sub {
    my $cursor = position('late');
    publish('other', 'moves the zone on');
    for my $via (@via) {
        my $start  = time;
        my $answer = $server->get('/sub?channel=late&poll&wait=1', via => $via, cursor => $cursor)->json;
        cmp_ok time - $start, '>', 0.9, "$via: not before";
        is_deeply $answer, { events => [], cursor => $answer->{cursor} }, 'an empty list';
        publish('late', $via);
        my $next = $server->get('/sub?channel=late&poll&wait=30', via => $via, cursor => $answer->{cursor})->json;
        is $next->{events}[0]{data}, $via, 'after whose cursor nothing is lost';
        $cursor = $next->{cursor};
    }
    my $start = time;
    is_deeply $server->get('/until?channel=late&poll&wait=60&until=' . (2 + int time))->json->{events}, [], 'the access expires';
    cmp_ok time - $start, '<', 20, 'which ends the wait';
    logged('/sub 200 \\[late\\] 0 - - 1');
};

subtest 'several channels' => sub {
    my $client = poll('/several?channel=left,right');
    my $id = publish('right', 'x');
    is_deeply data($client), ['x'], 'any of them';
    my $both = poll('/several?channel=left,right', cursor => $id);
    publish('left', 'last', '&end');
    is_deeply [data($both), $both->json->{ended}], [['last'], undef], 'an end of one is none of all';
};

subtest 'the end' => sub {
    my $cursor = position('ends');
    my ($first, $second) = map { poll('/sub?channel=ends', cursor => $cursor) } 1 .. 2;
    my $id = publish('ends', 'last', '&end');
    is_deeply $_->json, { events => [{ id => $id, type => 'message', data => 'last' }], cursor => $id, ended => JSON::PP::true }, 'comes with the last event'
        for $first, $second;
    is $server->get('/sub?channel=ends&poll&wait=60', cursor => $id)->status, 204, 'after it nobody waits';
    publish('alone', 'x');
    my $client = poll('/sub?channel=alone');
    $server->publish('/pub?channel=alone', '', method => 'DELETE');
    my $answer = $client->json;
    is_deeply $answer, { events => [], cursor => $answer->{cursor}, ended => JSON::PP::true }, 'or alone';
    logged('/sub 200 \\[alone\\] 0 - ended 1');
};

subtest 'a connection that is kept' => sub {
    for my $via (qw(h1 tls)) {
        my $connection = $server->connect($via);
        my $cursor     = position("kept$via");
        for my $round (1 .. 5) {
            my $client = poll("/sub?channel=kept$via", cursor => $cursor, on => $connection);
            my $id = publish("kept$via", $round);
            is_deeply data($client), [$round], "$via: poll $round";
            isnt $client->header('Connection'), 'close', 'leaves it open';
            $cursor = $id;
            is $server->get('/file', on => $connection)->body, '<a>file</a>', 'for another request';
        }
    }
};

# A connection for pipelined requests; `answer` returns the body of the next response, which has a Content-Length.
sub pipe_to ($server) {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) or die "connect: $!";
    return { socket => $socket, text => '' };
}

sub ask ($pipe, @path) { $pipe->{socket}->syswrite(join '', map {"GET $_ HTTP/1.1\r\nHost: localhost\r\n\r\n"} @path) }

sub answer ($pipe) {
    while (1) {
        if ($pipe->{text} =~ /\A(HTTP.*?\r\n\r\n)/s) {
            my $head = $1;
            my ($length) = $head =~ /^Content-Length: (\d+)/mi;
            return substr substr($pipe->{text}, 0, length($head) + $length, ''), length $head
                if length $pipe->{text} >= length($head) + $length;
        }
        IO::Select->new($pipe->{socket})->can_read($SSE::Client::Patience) or die 'no answer';
        sysread $pipe->{socket}, $pipe->{text}, 65536, length $pipe->{text} or die 'the connection is closed';
    }
}

subtest 'pipelined requests' => sub {
    my $cursor = position('pipe');
    my $id     = publish('pipe', 'one');
    my $pipe   = pipe_to($server);
    ask($pipe, "/sub?channel=pipe&poll&wait=30&last_event_id=$cursor", "/sub?channel=pipe&poll&wait=30&last_event_id=$id", '/file');
    like answer($pipe), qr/"data":"one"/, 'the first one';
    wait_until(sub { subscribers('pipe') == 1 }, 'the second one');
    ask($pipe, '/sub?channel=pipe&poll&wait=1');
    publish('pipe', 'two');
    like answer($pipe), qr/"data":"two"/, 'the second one, which has waited';
    is answer($pipe), '<a>file</a>', 'what was sent with it';
    like answer($pipe), qr/\A\{"events":\[\]/, 'what was sent meanwhile';
    # The connection is closed while another request is queued, too.
    ask($pipe, '/sub?channel=pipe&poll&wait=60', '/file');
    wait_until(sub { subscribers('pipe') == 1 }, 'another one');
    close $pipe->{socket};
    nobody_waits('pipe');
};

subtest 'a client that goes' => sub {
    for my $via (@via) {
        for my $leave (qw(close reset)) {
            my @client = map { poll('/sub?channel=gone', via => $via) } 1 .. 3;
            $_->$leave for @client;
            nobody_waits('gone');
            publish('gone', 'x');
        }
    }
    logged('/sub 499 \\[gone\\] 0 - client \\d');
};

subtest 'and a post_action' => sub {
    for my $via (grep { $_ ne 'h1.0' } @via) {
        for my $path (qw(/acts /again)) {
            my $witness = poll("/sub?channel=action");
            poll("$path?channel=action", via => $via)->close;
            ok eval { wait_until(sub { subscribers('action') == 1 }, 'its end') }, "$via, $path: a client that has gone is no subscriber";
            publish('action', 'x');
            is_deeply data($witness), ['x'], 'others go on';
            my $answered = poll("$path?channel=action", via => $via);
            publish('action', 'y');
            is_deeply data($answered), ['y'], 'an answer is not in its way';
            $answered->close;
            nobody_waits('action');
        }
    }
    $silent->close;
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a worker that was stopped, and whose zone has been overwritten' => sub {
    start_server(workers => 2);
    my ($other, $worker) = $server->workers;
    my $on = sub ($pid) { $server->connect_to($pid) };
    my $publisher = $on->($other);
    my $first = $server->publish('/pub?channel=c', 'old', on => $publisher)->json->{id};
    my @client = map { $server->request(GET => "$_?channel=c&poll&wait=60", on => $on->($worker)) } qw(/sub /off /close);
    wait_until(sub { $server->get('/pub?channel=c', on => $publisher)->json->{subscribers} == 3 }, 'three polls that wait');
    freeze($worker);
    $server->publish("/pub?channel=c", 'lost', on => $publisher);
    $server->publish('/pub?channel=big', 'x' x 200_000, on => $publisher) for 1 .. 6;
    my $last = $server->publish('/pub?channel=c', 'new', on => $publisher)->json->{id};
    thaw($worker);
    my ($event, $off, $close) = map { $_->json } @client;
    is_deeply [$event->{gap}{reason}, map { $_->{data} } @{ $event->{events} }], ['evicted', 'new'], 'a gap, and what follows it';
    is_deeply [$off->{gap}, map { $_->{data} } @{ $off->{events} }], [undef, 'new'], 'sse_gap off';
    is $close->{snapshot}, JSON::PP::true, 'sse_gap close';
    $publisher->close;
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a worker that leaves' => sub {
    start_server(workers => 1, drain => '3s');
    my $cursor = position('drained');
    my @client = map { poll('/sub?channel=drained', via => $_, cursor => $cursor) } map { ($_) x 3 } @via;
    my $start = time;
    my @old = $server->reload;
    for my $client (@client) {
        my $answer = $client->json;
        is_deeply $answer, { events => [], cursor => $answer->{cursor} }, 'an empty list';
        is $client->header('Connection'), 'close', 'and a connection that ends' if $client->isa('SSE::Client::Socket');
    }
    cmp_ok time - $start, '<', 15, 'in time';
    $server->wait_gone(@old);
    logged('/sub 200 \\[drained\\] 0 - drain \\d+');
    publish('drained', 'x');
    is_deeply data($server->get('/sub?channel=drained&poll&wait=30', cursor => $client[0]->json->{cursor})), ['x'], 'nothing is lost';
    is_deeply [$server->stop], [], 'no trouble';
};

# The worker has half of the request when it begins to leave.
subtest 'a poll that comes while its worker leaves' => sub {
    start_server(workers => 1, drain => '2s');
    my $stream = $server->subscribe('/sub?channel=c')->ready;
    my $client = $server->connect;
    $client->send_raw("GET /sub?channel=c&poll&wait=60 HTTP/1.1\r\nHost: localhost\r\n");
    $server->get('/status') for 1 .. 3;
    my @old = $server->reload;
    $client->write("\r\n");
    my $answer = $client->json;
    is_deeply $answer, { events => [], cursor => $answer->{cursor} }, 'does not wait';
    $stream->close;
    $server->wait_gone(@old);
    is_deeply [$server->stop], [], 'no trouble';
};

for my $method (grep { SSE::Nginx::has("${_}_module") } qw(poll select)) {
    subtest $method => sub {
        start_server(events => "worker_connections 256; use $method;");
        for my $via (qw(h1 tls h2c)) {
            my $client = poll("/sub?channel=$method", via => $via);
            publish($method, 'x');
            is_deeply data($client), ['x'], "$via: an event";
            poll("/sub?channel=$method", via => $via)->close;
            nobody_waits($method);
        }
        my $pipe = pipe_to($server);
        ask($pipe, "/sub?channel=$method&poll&wait=30", '/file');
        wait_until(sub { subscribers($method) == 1 }, 'a poll that waits');
        publish($method, 'y');
        like answer($pipe), qr/"data":"y"/, 'with another request after it';
        is answer($pipe), '<a>file</a>', 'which is answered';
        is_deeply [$server->stop], [], 'no trouble';
    };
}

done_testing;
