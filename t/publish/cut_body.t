# Bodies that are good up to some point: whole events before it are published and counted, however the body is cut into packets.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Client::Window;
use SSE::Nginx;

my %framing = (lines => 'sse_invalid_utf8 reject;', ndjson => '', sse => '', event => '');
my $locations = join '', map {
    "location = /$_ { sse_publish \$arg_channel; sse_framing $_; sse_max_event_size 20; sse_max_events 4; $framing{$_} }\n"
        . "location = /rate/$_ { sse_publish \$arg_channel; sse_framing $_; sse_max_rate 20; }\n"
        . "location = /short/$_ { sse_publish \$arg_channel; sse_framing $_; client_body_timeout 1s; sse_publish_timeout 1s; }\n"
} sort keys %framing;
sub start_server (%option) {
    return SSE::Nginx->start(
        listen    => [qw(h1 tls h2c)],
        subscribe => 'sse_start earliest;',
        locations => $locations,
        %option
    );
}
our $server = start_server();
my $control = $server->connect;

# The only worker has seen everything that was sent before these requests when they are answered.
sub settle { $server->get('/status', on => $control) for 1 .. 2 }

# The events of a channel. A mark that is published after them shows where they end.
sub published ($channel) {
    $server->publish("/pub?channel=$channel", 'the end', on => $control);
    my $subscriber = $server->subscribe("/sub?channel=$channel");
    my @data;
    while (my $event = $subscriber->next_event) {
        last if $event->{data} eq 'the end';
        push @data, $event->{data};
    }
    $subscriber->close;
    return \@data;
}

sub new_channel { state $number = 0; return 'c' . ++$number }

sub chunk ($bytes) { return sprintf "%x\r\n%s\r\n", length $bytes, $bytes }

# How a body goes over the wire: name => a function that sends a request, and each part of its body separately.
my %wire = (
    'with a length' => sub ($path, @part) { send_parts($path, 'Content-Length: ' . length(join '', @part), @part) },
    'chunked'       => sub ($path, @part) { send_parts($path, 'Transfer-Encoding: chunked', (map { chunk($_) } @part), "0\r\n\r\n") },
    'in one chunk' => sub ($path, @part) {
        my $size = sprintf "%x\r\n", length join '', @part;
        return send_parts($path, 'Transfer-Encoding: chunked', $size . $part[0], @part[1 .. $#part], "\r\n0\r\n\r\n");
    },
    'over h2c' => sub ($path, @part) {
        my $client = SSE::Client::Window->new(port => $server->port('h2c'))->request(POST => $path);
        for my $part (@part) {
            $client->feed($part);
            settle();
        }
        return $client->end->finish;
    },
);

sub send_parts ($path, $header, $first, @part) {
    my $client = $server->connect;
    $client->send_raw("POST $path HTTP/1.1\r\nHost: localhost\r\n$header\r\n\r\n$first", method => 'POST');
    for my $part (@part) {
        settle();
        $client->write($part);
    }
    return $client->finish;
}

# name => [framing, body, status, the events that are published, the error]. The limits are four events, and twenty bytes for each.
my $json = qq({"n":1}\n{"n":2}\n);
my $sse  = "data: a\n\nid: 7\ndata: b\n\n";
my @ab   = qw(a b);
my @one  = ('{"n":1}', '{"n":2}');
my %case = (
    'lines: not UTF-8'              => [lines  => "a\nb\n\xff\nc\n",                    400, \@ab,  'invalid UTF-8'],
    'lines: half a character'       => [lines  => "a\nb\n\xc3\nc\n",                    400, \@ab,  'invalid UTF-8'],
    'lines: half of the last one'   => [lines  => "a\nb\n\xe2\x82",                     400, \@ab,  'invalid UTF-8'],
    'lines: too large'              => [lines  => "a\nb\n" . 'x' x 21 . "\nc\n",        413, \@ab,  'the event is too large'],
    'lines: too large, without end' => [lines  => "a\nb\n" . 'x' x 21,                  413, \@ab,  'the event is too large'],
    'lines: one byte less'          => [lines  => "a\r\nb\r\n" . 'x' x 20 . "\r\n",     201, [@ab, 'x' x 20]],
    'lines: too many'               => [lines  => "a\nb\n\n\nc\n",                      413, [@ab, '', ''], 'more events than sse_max_events allows'],
    'lines: as many as are allowed' => [lines  => "a\nb\n\nc",                          201, [@ab, '', 'c']],
    'lines: nothing good'           => [lines  => "\xff\na\nb\n",                       400, [],    'invalid UTF-8'],
    'ndjson: not UTF-8'             => [ndjson => qq($json\n{"n":"\xff"}\n{"n":4}\n),   400, \@one, 'invalid UTF-8'],
    'ndjson: too large'             => [ndjson => $json . 'x' x 21 . "\n{}\n",          413, \@one, 'the event is too large'],
    'ndjson: too many'              => [ndjson => "$json\n1\n2\n3",                     413, [@one, 1, 2], 'more events than sse_max_events allows'],
    'sse: not UTF-8'                => [sse    => "${sse}data: \xff\n\ndata: c\n\n",    400, \@ab,  'invalid UTF-8'],
    'sse: too large'                => [sse    => "${sse}data: " . 'x' x 21 . "\n\n",   413, \@ab,  'the event is too large'],
    'sse: too large together'       => [sse    => "${sse}data: @{['x' x 10]}\ndata: @{['x' x 10]}\n\n", 413, \@ab, 'the event is too large'],
    'sse: a reserved type'          => [sse    => "${sse}event: gap\ndata: c\n\n",      400, \@ab,  'reserved event type'],
    'sse: a type that is none'      => [sse    => "${sse}event: a\x01\ndata: c\n\n",    400, \@ab,  'invalid event type'],
    'sse: too many'                 => [sse    => $sse . "data: c\r\n\r\n" x 3,         413, [@ab, qw(c c)], 'more events than sse_max_events allows'],
    'sse: ends inside an event'     => [sse    => "${sse}data: c\n",                    400, \@ab,  'the body ends inside an event'],
    'sse: ends inside a line'       => [sse    => "${sse}dat",                          400, \@ab,  'the body ends inside an event'],
    'sse: ends after a comment'     => [sse    => "$sse: c\n",                          201, \@ab],
    'event: not UTF-8'              => [event  => "a\nb\n\xff\n",                       400, [],    'invalid UTF-8'],
    'event: too large'              => [event  => 'x' x 21,                             413, [],    'the event is too large'],
    'event: one byte less'          => [event  => 'x' x 20,                             201, ['x' x 20]],
);

sub told ($answer) {
    my $json = $answer->json // {};
    return [$answer->status, $json->{error}, $json->{events}];
}

for my $name (sort keys %case) {
    my ($framing, $body, $status, $data, $error) = @{ $case{$name} };
    # The refusal of a body that is a single event has no number of events.
    my $expected = [$status, $error, $framing eq 'event' && $error ? undef : scalar @$data];
    subtest $name => sub {
        for my $wire (sort keys %wire) {
            my @wrong;
            for my $cut (0 .. length($body) - 1) {
                my $channel = new_channel();
                my @part    = $cut ? (substr($body, 0, $cut), substr $body, $cut) : $body;
                my $answer  = $wire{$wire}->("/$framing?channel=$channel", @part);
                my $got     = [@{ told($answer) }, @{ published($channel) }];
                push @wrong, [$cut, $got] if explain_one($got) ne explain_one([@$expected, @$data]);
            }
            is_deeply \@wrong, [], "$wire: $status, and " . @$data . ' published, wherever it is cut in two';
        }
    };
}

sub explain_one ($list) { return join ' | ', map { $_ // 'none' } @$list }

# --- Bodies that are cut by the end of a worker ---

my %half = (
    lines  => ["a\nb\n",             "a\nb\nc",           "c\nd\n"],
    ndjson => ["1\n2\n",             "1\n2\n{",           "}\n4\n"],
    sse    => ["data: a\n\ndata: b\n\n", "data: a\n\ndata: b\n\ndata: c\n", "\ndata: d\n\n"],
    event  => ['',                   'a',                 'b'],
);

# Begins a request with a body of that length, or without a length, over h1, tls or h2c.
sub begin ($via, $path, $length, $server_of = $server) {
    if ($via eq 'h2c') {
        my @length = defined $length ? ('content-length' => $length) : ();
        return SSE::Client::Window->new(port => $server_of->port('h2c'))->request(POST => $path, @length);
    }
    my $client = $server_of->connect($via);
    my $header = defined $length ? "Content-Length: $length" : 'Transfer-Encoding: chunked';
    $client->send_raw("POST $path HTTP/1.1\r\nHost: localhost\r\n$header\r\n\r\n", method => 'POST');
    $client->{length} = $length;
    return $client;
}

sub feed ($client, $bytes) { exists $client->{length} && defined $client->{length} ? $client->write($bytes) : $client->feed($bytes) }
sub end  ($client) { $client->end unless defined $client->{length} }

sub figures ($channel) { return $server->get("/pub?channel=$channel")->json }

# Waits until what was fed has been taken: a witness has received the events, and the worker has seen the part of an event after them.
sub wait_for_events ($channel, $count) {
    my $witness = $server->subscribe("/sub?channel=$channel");
    is scalar(() = $witness->events($count)), $count, "$count events are there" if $count;
    $witness->close;
    settle();
}

sub channel_of (@word) { return join('-', @word) =~ s/\W+/-/gr }

# name => [whether it has a length, index of the part that is sent before the reload, what comes after the reload (undef: nothing),
# status, number of events; for each framing but "event"]
my %cut = (
    'a length, all of it comes'            => [1, 1, 2,     201, 4],
    'a length, nothing more comes'         => [1, 0, undef, 503, 2],
    'a length, nothing more comes inside'  => [1, 1, undef, 503, 2],
    'no length, between events'            => [0, 0, undef, 201, 2],
    'no length, inside an event'           => [0, 1, undef, 503, 2],
    'no length, the event comes to an end' => [0, 1, 2,     201, 4],
);

# Begins a body for each framing, and waits until one part of it has been taken: framing => publisher.
sub half_bodies ($via, $name, $has_length, $index) {
    my %client;
    for my $framing (sort keys %half) {
        my @part    = @{ $half{$framing} };
        my $channel = channel_of($name, $via, $framing);
        $client{$framing} = begin($via, "/$framing?channel=$channel", $has_length ? length $part[1] . $part[2] : undef);
        feed($client{$framing}, $part[$index]) if length $part[$index];
        wait_for_events($channel, $framing eq 'event' ? 0 : 2);
    }
    return %client;
}

for my $name (sort keys %cut) {
    my ($has_length, $index, $more, $status, $count) = @{ $cut{$name} };
    for my $via (qw(h1 tls h2c)) {
        subtest "reload: $name, over $via" => sub {
            $server->{drain} = $more ? '5s' : '1s';
            $server->wait_gone($server->reload);
            $control = $server->connect;
            my %client = half_bodies($via, $name, $has_length, $index);
            my $start  = time;
            my @old    = $server->reload;
            my $drains = my $answered = time;
            $control = $server->connect;
            if ($more) {
                is_deeply [grep { $client{$_}->closed } keys %client], [], 'they are waited for';
                for my $framing (keys %client) {
                    feed($client{$framing}, $half{$framing}[$more]);
                    end($client{$framing}) if $has_length || $framing eq 'event';
                }
            }
            for my $framing (sort keys %client) {
                my ($want, $there, $told) = $framing ne 'event' ? ($status, $count, $count) : $more ? (201, 1, 1) : (503, 0, undef);
                my $answer = $client{$framing}->finish;
                $answered = time;
                is $answer->status, $want, "$framing: $want";
                is $answer->json->{events}, $told, 'with the number taken';
                like $answer->json->{error}, qr/shutting down/, 'and why' if $want == 503;
                is scalar @{ published(channel_of($name, $via, $framing)) }, $there, 'and so many are there';
            }
            cmp_ok $answered - $drains, '<', 5, 'nobody has waited for the end of sse_drain' if $more;
            $_->close for values %client;
            $server->wait_gone(@old);
            cmp_ok time - $start, '<', $more ? 12 : 5, 'the worker leaves in time';
        };
    }
}

# The old worker answers. It has no successor here.
for my $via (qw(h1 tls h2c)) {
    subtest "quit over $via" => sub {
        local $server = start_server();
        $control = $server->connect;
        my %client = half_bodies($via, 'quit', 0, 1);
        my $start  = time;
        $server->signal('QUIT');
        for my $framing (sort keys %client) {
            my $answer = $client{$framing}->finish;
            is $answer->status, 503, "$framing: 503";
            is $answer->json->{events}, $framing eq 'event' ? undef : 2, 'with the number taken';
        }
        wait_until(sub { !$server->alive }, 'nginx to end');
        cmp_ok time - $start, '<', 4, 'in time, though the connections are open';
        is_deeply [$server->problems], [], 'without a word of trouble';
    };
    subtest "stop over $via" => sub {
        local $server = start_server();
        $control = $server->connect;
        my %client = half_bodies($via, 'stop', 0, 1);
        my $start  = time;
        is_deeply [$server->stop('TERM')], [], 'makes no trouble';
        cmp_ok time - $start, '<', 3, 'waits for nobody';
        isnt $client{$_}->wait_closed, '', "$_: the connection ends" for sort keys %client;
    };
}

# --- Bodies that come too fast ---

sub lines ($count) { return join '', map {"$_\n"} 1 .. $count }

subtest 'a body that is taken at sse_max_rate' => sub {
    my $subscriber = $server->subscribe('/sub?channel=rate')->ready;
    my $publisher  = begin('h1', '/rate/lines?channel=rate', length lines(60));
    my $start      = time;
    feed($publisher, lines(60));
    is scalar(() = $subscriber->events(20)), 20, 'what is allowed for a second comes';
    my $more = () = $subscriber->poll->events(60, 0);
    cmp_ok $more, '<=', 20 * (time - $start) + 1, 'and no more than has become due';
    my $answer = $publisher->finish;
    is $answer->status, 201, 'all of it is taken';
    is $answer->json->{events}, 60, 'in the end';
    cmp_ok time - $start, '>', 1.8, 'at that rate';
    is scalar(() = $subscriber->events(40 - $more)), 40 - $more, 'and is there';
};

for my $has_length (0, 1) {
    subtest 'a body that waits for sse_max_rate when the worker leaves, ' . ($has_length ? 'with a length' : 'chunked') => sub {
        for my $via (qw(h1 tls h2c)) {
            my $channel = "paused-$has_length-$via";
            $server->{drain} = '1s';
            $server->wait_gone($server->reload);
            $control = $server->connect;
            my $body      = lines(1000);
            my $publisher = begin($via, "/rate/lines?channel=$channel", $has_length ? length $body : undef);
            feed($publisher, $body);
            end($publisher);
            wait_for_events($channel, 20);
            my $start  = time;
            my @old    = $server->reload;
            $control = $server->connect;
            my $answer = $publisher->finish;
            is $answer->status, 503, "$via: 503, for its client counts on all of it";
            my $count = $answer->json->{events};
            cmp_ok $count, '<', 1000, "$count of 1000 were taken";
            is_deeply published($channel), [1 .. $count], 'these are there';
            $publisher->close;
            $server->wait_gone(@old);
            cmp_ok time - $start, '<', 4, 'the worker leaves in time';
        }
    };
}

subtest 'a rate does not hold up a body that has been taken' => sub {
    my $start = time;
    for my $channel (map {"whole$_"} 1 .. 10) { # each would be held up for a second
        is $server->publish("/rate/lines?channel=$channel", lines(20))->json->{events}, 20, 'answered';
        is $server->publish("/rate/event?channel=$channel", 'x')->json->{events}, 1, 'answered';
    }
    cmp_ok time - $start, '<', 6, 'at once';
};

# --- Bodies that come too slowly ---

for my $via (qw(h1 tls h2c)) {
    subtest "a timeout is told over $via" => sub {
        for my $index (0, 1) {
            my ($start, %client) = (time);
            for my $framing (sort keys %half) {
                $client{$framing} = begin($via, "/short/$framing?channel=" . channel_of('short', $via, $index, $framing), undef);
                feed($client{$framing}, $half{$framing}[$index]) if length $half{$framing}[$index];
            }
            for my $framing (sort keys %client) {
                my $answer = $client{$framing}->finish;
                is $answer->status, 408, "$framing: 408 " . ($index ? 'inside an event' : 'between events');
                is $answer->json->{events}, $framing eq 'event' ? undef : 2, 'with the number taken';
                like $answer->json->{error}, qr/paused for too long/, 'and why';
                isnt $answer->header('Connection'), 'keep-alive', 'and the connection ends' unless $via eq 'h2c';
            }
            cmp_ok time - $start, '<', 20, 'in time';
            $_->close for values %client;
        }
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
