# A subscriber whose request has a body, whatever the way to the stream: the stream does not wait for the body, works like any
# other, ends its connection when it ends, and notices at once when its client leaves.
# needs: module quiet
use v5.36;
use lib 't/lib';
use List::Util qw(sum0);
use POSIX      ();
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::App;
use SSE::Client::Window;
use SSE::Nginx;

# An application that decides before it has read the body.
my $app = SSE::App->start(
    sub ($method, $path, $headers, $body) { return (200, ['X-Accel-Redirect' => "/inner$1"]) if $path =~ m{^/early(/.*)} },
    body => 0
);

our ($server, $control);

sub start_server (%option) {
    $server = SSE::Nginx->start(
        listen => [qw(h1 tls h2c)],
        http   => 'sse_zone events 4m; sse_heartbeat off; limit_conn_zone $server_name zone=all:1m; client_max_body_size 0;',
        server => <<"END",
location /sub      { sse_channel \$arg_channel; }
        location /pub      { sse_publish \$arg_channel; }
        location /status   { sse_status; }
        location /static   { return 200 static; }
        location /allowed  { internal; return 204; }
        location /tee      { internal; return 204; }
        location /limited  { sse_channel \$arg_channel; limit_conn all 3; }
        location /authed   { sse_channel \$arg_channel; auth_request /allowed; }
        location /mirrored { sse_channel \$arg_channel; mirror /tee; }
        location /teed     { sse_channel \$arg_channel; mirror /tee; mirror_request_body off; }
        location /early/   { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
        location /large    { sse_publish large; client_max_body_size 4; error_page 413 = /inner/sub?channel=\$arg_channel; }
        location /inner/   { internal; sse_channel \$arg_channel; }
END
        %option
    );
    $control = $server->connect;
}

# There is only one worker, so after these requests it has read everything that was sent before.
sub settle { $server->get('/status', on => $control) for 1 .. 3 }

sub subscribers ($channel = undef) {
    my $path = defined $channel ? "/pub?channel=$channel" : '/status';
    return $server->get($path, on => $control)->json->{subscribers};
}

# The number of sockets that the server has not closed although their clients have gone.
sub forgotten {
    my %port = map { sprintf('%04X', $server->port($_)) => 1 } qw(h1 tls h2c);
    my $count = 0;
    for my $file (grep { -r } '/proc/net/tcp', '/proc/net/tcp6') {
        open my $table, '<', $file or die "$file: $!";
        while (<$table>) {
            $count++ if /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 08 / && $port{$1};
        }
    }
    return $count;
}

# All clients have left: does nginx notice that in time?
sub all_are_gone ($what, @channel) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $start = time;
    my $gone  = eval { wait_until(sub { subscribers() == 0 && forgotten() == 0 }, 'all to be gone', 2) };
    ok $gone, sprintf '%s: noticed after %.3f s', $what, time - $start
        or diag 'still there: ', join ', ', forgotten() . ' sockets', grep { subscribers($_) } @channel;
}

my $second = "GET /static HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $chunked = 'Transfer-Encoding: chunked';

# name => [framing header, what comes with the head, what comes later, whether all of the body is there then]
my %body = (
    'none'                            => ['',                        '',          '',                                1],
    'a second request'                => ['',                        '',          $second,                           1],
    'a second request at once'        => ['',                        $second,     '',                                1],
    'a length, at once'               => ['Content-Length: 7',       'abcdefg',   '',                                1],
    'a length, later'                 => ['Content-Length: 7',       '',          'abcdefg',                         1],
    'a length, in parts'              => ['Content-Length: 7',       'abc',       'defg',                            1],
    'a length, and a second request'  => ['Content-Length: 7',       '',          "abcdefg$second",                  1],
    'chunks, at once'                 => [$chunked,                  "7\r\nabcdefg\r\n0\r\n\r\n", '',                1],
    'chunks, later'                   => [$chunked,                  '',          "7\r\nabcdefg\r\n0\r\n\r\n",       1],
    'chunks, and a second request'    => [$chunked,                  '',          "7\r\nabcdefg\r\n0\r\n\r\n$second", 1],
    'a length, and nothing'           => ['Content-Length: 7',       '',          '',                                0],
    'half of it'                      => ['Content-Length: 1000000', '',          'x' x 50_000,                      0],
    'half a chunk'                    => [$chunked,                  '',          "f4240\r\n" . 'x' x 50_000,        0],
    'a chunk without the end'         => [$chunked,                  "7\r\nabcdefg\r\n", '',                         0],
    'a broken chunk, later'           => [$chunked,                  '',          "zz\r\nabc",                       0],
);

# name => [method, path, which bodies]. A body may be needed to get there, or be read before.
my %way = (
    'directly'              => [GET  => '/sub',       sub ($body) {1}],
    'after auth_request'    => [GET  => '/authed',    sub ($body) {1}],
    'mirrored without body' => [GET  => '/teed',      sub ($body) {1}],
    'mirrored'              => [GET  => '/mirrored',  sub ($body) { $body->[3] }],
    'after X-Accel-Redirect' => [POST => '/early/sub', sub ($body) { $body->[2] !~ /^zz/ }],
    # A chunk must have arrived before it can be too large.
    'after error_page 413'  => [POST => '/large',     sub ($body) { $body->[0] =~ /Length/ || "$body->[1]$body->[2]" =~ /^[7f]/ }],
);

# Where something may have read all of a body before the stream begins.
my %reads = map { $_ => 1 } 'mirrored', 'after X-Accel-Redirect';

sub channel_of (@word) { return join('-', @word) =~ s/\W+/-/gr }

# Sends the head, then the rest. The client reads events like any other.
sub subscribe_with ($body, $method, $path, $via = 'h1', @header) {
    my ($framing, $now, $later) = @$body;
    my $client = $server->connect($via);
    my $head = join "\r\n", "$method $path HTTP/1.1", 'Host: localhost', (grep {length} $framing), @header, '', '';
    $client->send_raw("$head$now", method => 'GET');
    settle();
    $client->write($later);
    settle();
    return $client;
}

# The same over HTTP/2, where a body is framed by itself.
sub subscribe_by_frames ($parts, $method, $path, @header) {
    my $client = SSE::Client::Window->new(port => $server->port('h2c'))->request($method => $path, @header);
    for my $part (@$parts) {
        settle();
        defined $part ? $client->feed($part) : $client->end;
    }
    return $client;
}

my %frames = (
    'none'            => [[undef]],
    'later'           => [['abcdefg', undef]],
    'a length, later' => [['abc', 'defg', undef], 'content-length' => 7],
    'half of it'      => [['x' x 50_000], 'content-length' => 1_000_000],
    'without its end' => [['abcdefg']],
    'nothing of it'   => [[]],
);

sub hears ($client, $channel, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $event = $client->next_event(10) // {};
    is $event->{type}, 'ready', "$what: the stream is there" or return;
    $server->publish("/pub?channel=$channel", "for $channel", on => $control);
    is +($client->next_event(10) // {})->{data}, "for $channel", 'and works';
}

my %leave = (
    'end'   => sub ($client) { $client->shut },
    'close' => sub ($client) { $client->close },
    'reset' => sub ($client) { $client->reset },
);

sub leaves_are_noticed ($method_of_events) {
    for my $way (sort keys %way) {
        my ($method, $path, $suits) = @{ $way{$way} };
        for my $via (qw(h1 tls)) {
            subtest "$method_of_events, $way, over $via" => sub {
                for my $leave (sort keys %leave) {
                    my %client;
                    for my $name (grep { $suits->($body{$_}) } sort keys %body) {
                        my $channel = channel_of($way, $via, $leave, $name);
                        $client{$channel} = subscribe_with($body{$name}, $method, "$path?channel=$channel", $via);
                        hears($client{$channel}, $channel, $name);
                    }
                    is subscribers(), scalar keys %client, 'all are counted';
                    $leave{$leave}->($_) for values %client;
                    all_are_gone($leave, sort keys %client);
                    $_->close for values %client;
                }
            };
        }
        subtest "$method_of_events, $way, over h2c" => sub {
            my %client;
            for my $name (sort keys %frames) {
                my ($parts, @header) = @{ $frames{$name} };
                my $has_body = @$parts && defined $parts->[0];
                my $is_whole = @$parts && !defined $parts->[-1];
                next if !$has_body && $path eq '/large' || !$is_whole && $path eq '/mirrored';
                my $channel = channel_of($way, 'h2c', $name);
                $client{$channel} = subscribe_by_frames($parts, $method, "$path?channel=$channel", @header);
                hears($client{$channel}, $channel, $name);
            }
            my ($first, @other) = values %client;
            $first->frame('RST_STREAM', 0, 1, pack 'N', 8);
            ok eval { wait_until(sub { subscribers() == @other }, 'one to be gone', 2) }, 'a stream that is cancelled is noticed';
            $_->close for $first, @other;
            all_are_gone('close', sort keys %client);
        };
    }
}

# Clients that keep sending a megabyte a second.
sub keeps_sending ($method_of_events) {
    for my $via (qw(h1 tls)) {
        my %endless = (length => "Content-Length: 100000000000\r\n\r\n", chunk => "$chunked\r\n\r\nfffffffffff\r\n");
        subtest "$method_of_events, a body that never ends, over $via" => sub {
            for my $way ('directly', 'after X-Accel-Redirect', 'mirrored without body') {
                my ($method, $path) = @{ $way{$way} };
                for my $framing (sort keys %endless) {
                    my $channel = channel_of('endless', $way, $via, $framing);
                    my $client = $server->connect($via);
                    $client->send_raw("$method $path?channel=$channel HTTP/1.1\r\nHost: localhost\r\n$endless{$framing}");
                    my $piece = 'x' x 20_000;
                    my $send = sub ($count) { $client->write($piece), sleep 0.02 for 1 .. $count };
                    $send->(10);
                    hears($client, $channel, "$way, $framing");
                    $send->(20);
                    is subscribers($channel), 1, 'is still there';
                    $client->shut;
                    all_are_gone('end', $channel);
                    $client->close;
                }
            }
        };
    }
}

sub slots_are_freed ($method_of_events) {
    subtest "$method_of_events, limit_conn" => sub {
        for my $name ('none', 'a length, later', 'chunks, later', 'half of it') {
            for my $round (1 .. 3) {
                my @client = map { subscribe_with($body{$name}, GET => '/limited?channel=limited') } 1 .. 4;
                my @status = map { $_->status } @client;
                is_deeply \@status, [200, 200, 200, 503], "$name: three have a place";
                $_->shut for @client;
                all_are_gone('they end', 'limited');
                $_->close for @client;
            }
        }
    };
}

# The median time of a request for something else, in seconds.
sub usual_time {
    my @seconds = map { my $start = time; $server->get('/static', on => $control); time - $start } 1 .. 101;
    return (sort { $a <=> $b } @seconds)[50];
}

# Sends as fast as possible, in a process of its own.
sub flood ($via, $head) {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    eval {
        my $client = $server->connect($via);
        $client->write($head);
        my $piece = 'x' x 1_000_000;
        $client->write($piece) while 1;
    };
    POSIX::_exit(1);
}

sub others_are_served ($method_of_events) {
    for my $via (qw(h1 tls)) {
        subtest "$method_of_events, a client that sends without a pause, over $via" => sub {
            # The reference is the same load on a location that ignores it: nginx itself discards the body. Other load of the
            # machine may affect only one of the two, so a bad ratio is measured again.
            my %seconds;
            for my $attempt (1 .. 3) {
                for my $path ('/static', '/sub') {
                    $seconds{$path} = time_beside_flood($via, $path);
                }
                note sprintf 'a small answer takes %.3f ms, beside the stream %.3f ms', map { 1000 * $_ } @seconds{ '/static', '/sub' };
                last if $seconds{'/sub'} < 10 * $seconds{'/static'};
            }
            cmp_ok $seconds{'/sub'}, '<', 10 * $seconds{'/static'}, 'slows down nobody else';
        };
    }
}

sub time_beside_flood ($via, $path) {
    my $channel = channel_of('busy', $via, $path);
    my $pid = flood($via, "GET $path?channel=$channel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n");
    wait_until(sub { subscribers($channel) }, 'the stream') if $path eq '/sub';
    my $seconds = usual_time();
    kill KILL => $pid;
    waitpid $pid, 0;
    all_are_gone('end', $channel);
    return $seconds;
}

# Whether the connection has ended, and nothing came after the stream.
sub ends_the_connection ($client) {
    my $text = $client->{in};
    my $ended = wait_until(
        sub {
            my $count = $client->{socket}->sysread($text, 65536, length $text);
            return defined $count ? !$count : $!{ECONNRESET} || $!{EPIPE};
        },
        'the end of the connection'
    );
    return $ended && $text eq '';
}

sub is_drained ($method_of_events) {
    for my $way (sort keys %way) {
        my ($method, $path, $suits) = @{ $way{$way} };
        subtest "$method_of_events, $way: a drain" => sub {
            my %client;
            my $channel = channel_of('drain', $way);
            my @name = grep { $suits->($body{$_}) && $body{$_}[0] } sort keys %body;
            $client{$_} = subscribe_with($body{$_}, $method, "$path?channel=$channel") for @name;
            $_->ready for values %client;
            $server->publish("/pub?channel=$channel", 'before');
            is_deeply [map { $_->data(1) } values %client], [('before') x @name], 'all hear';
            my @old = $server->reload;
            $control = $server->connect;
            for my $name (@name) {
                my $client = $client{$name};
                is $client->wait_closed, 'abort', "$name: the stream is cut off";
                if (!$body{$name}[3] || !$reads{$way}) {
                    is $client->header('Connection'), 'close', 'as its connection does';
                    ok ends_the_connection($client), 'and nothing comes after it';
                }
                my $last = $client->last_event_id;
                $client->close;
                $client = $client{$name} = subscribe_with($body{$name}, $method, "$path?channel=$channel", 'h1', "Last-Event-ID: $last");
            }
            $server->publish("/pub?channel=$channel", 'after');
            is_deeply [map { $_->data(1) } values %client], [('after') x @name], 'whoever comes back misses nothing';
            $_->close for values %client;
            $server->wait_gone(@old);
            all_are_gone('close', $channel);
        };
    }
}

# The channel ends, and the worker does not leave: so only the stream can be the reason that the connection ends.
sub is_ended ($method_of_events) {
    for my $via (qw(h1 tls)) {
        subtest "$method_of_events, an end over $via" => sub {
            my @name = grep { $body{$_}[0] || $body{$_}[2] } sort keys %body;
            my $channel = channel_of('end', $via);
            my %client = map { $_ => subscribe_with($body{$_}, GET => "/sub?channel=$channel", $via)->ready } @name;
            $server->publish("/pub?channel=$channel", 'last');
            $server->publish("/pub?channel=$channel", '', method => 'DELETE');
            for my $name (@name) {
                is_deeply [$client{$name}->data(1)], ['last'], "$name: all of the stream comes";
                is $client{$name}->wait_closed, 'clean', 'to its end';
                ok ends_the_connection($client{$name}), 'and the connection with it';
                $client{$name}->close;
            }
            all_are_gone('close', $channel);
        };
    }
}

for my $method_of_events ('epoll', grep { SSE::Nginx::has("${_}_module") } qw(poll select)) {
    start_server(events => "worker_connections 256; use $method_of_events;");
    $_->($method_of_events) for \&leaves_are_noticed, \&keeps_sending, \&slots_are_freed, \&others_are_served, \&is_ended, \&is_drained;
    is_deeply [$server->stop], [], "$method_of_events: no trouble";
}
done_testing;
