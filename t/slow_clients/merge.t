# sse_merge: a client that lags gets the same text in fewer events, over every transport, however often it loses its connection
# on the way.
use v5.36;
use utf8;
use lib 't/lib';
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Util;

# How many bytes a second the slow reader of the last subtest reads.
my $rate = $ENV{TEST_NGINX_RATE} // 200_000;

my $server = SSE::Nginx->start(
    workers      => 2,
    listen       => [qw(h1 tls h2c h2)],
    listen_flags => 'sndbuf=16k',
    zone         => '32m',
    http         => 'sse_zone events 32m; sse_zone small 256k; log_format given "$sse_channel $sse_events $sse_last_event_id";',
    server       => <<'END',
location = /each   { sse_channel $arg_channel separator=, zone=events; }
        location = /data   { sse_channel $arg_channel separator=, zone=events; sse_merge data; access_log given.log given; }
        location = /lines  { sse_channel $arg_channel zone=events; sse_merge lines; }
        location = /pub    { sse_publish $arg_channel zone=events; client_max_body_size 0; }
        location = /small  { sse_channel $arg_channel zone=small; sse_merge data; }
        location = /filler { sse_publish $arg_channel zone=small; }
        location = /status { sse_status; }
END
);
seed();

sub bytes ($text) { utf8::encode($text); return $text }
sub text ($data) { return $data =~ s/\r\n?/\n/gr }
sub delivered { return $server->get('/status')->json->{delivered} }

# Publishes tokens, each an event, in one body; returns the id of the last.
sub publish ($channel, $tokens, $more = '') {
    my $body = join '', map { join('', map {"data: $_\n"} split /\n/, text($_), -1) || "data:\n", "\n" } @$tokens;
    my $answer = $server->publish("/pub?channel=$channel$more", $body, type => 'text/event-stream');
    is_deeply [$answer->status, $answer->json->{events}], [201, scalar @$tokens], 'published' if $answer->status != 201;
    return $answer->json->{id};
}

# Tokens as of a language model, with everything that must not change: spaces, line breaks, empty tokens.
sub tokens ($count) {
    my @some = map { bytes($_) } ' the', ' a', 'ing', ' ', "\n", "\n\n", '', "a\nb", "\r\n", '  x', ':', ' data: x', 'id: 1', 'é', ' 😀', "\x{feff}";
    return [map { $some[rand @some] . ($_ % 7 ? '' : " $_") } 1 .. $count];
}

sub whole (@events) { return join '', map { $_->{data} } @events }

for my $via (qw(h1 tls h2c h2)) {
    subtest "one that pauses, over $via" => sub {
        my $channel = "pause$via";
        my $tokens  = tokens(12_000);
        my $stalled = $server->subscribe("/data?channel=$channel", via => $via, rcvbuf => 8192)->ready->stall;
        my $other   = $server->subscribe("/data?channel=$channel")->ready;
        my $before  = delivered();
        publish($channel, [@$tokens[500 * $_ .. 500 * $_ + 499]]) for 0 .. 23;
        my $last = $server->publish("/pub?channel=$channel&end", 'end')->json->{id};
        my $text = join '', map { text($_) } @$tokens;
        is $other->wait_closed, 'clean', 'one that reads';
        is whole($other->events(99_999, 0)), "${text}end", 'has it all';
        $stalled->resume;
        is $stalled->wait_closed, 'clean', 'so has the one that has paused';
        my @event = $stalled->events(99_999, 0);
        is whole(@event), "${text}end", 'in the end';
        cmp_ok scalar @event, '<', 6000, "in @{[ scalar @event ]} events";
        is $event[-1]{data}, 'end', 'the last one stays alone';
        is $stalled->last_event_id, $last, 'with its id';
        is delivered() - $before, 2 * 12_001, 'all of them count';
        wait_until(sub { (() = $server->read_file('given.log') =~ /^$channel 12001 $last$/mg) == 2 }, 'as they do in the log');
    };
    subtest "one that comes back, over $via" => sub {
        my $tokens = tokens(3000);
        my $first  = publish("back$via", ['before']);
        my $last   = publish("back$via", $tokens, '&end');
        my $client = $server->get("/data?channel=back$via", via => $via, cursor => $first);
        my @event  = $client->events(9999, 0);
        is whole(@event), join('', map { text($_) } @$tokens), 'has it all';
        cmp_ok scalar @event, '<', 30, "in @{[ scalar @event ]} events";
        is $client->last_event_id, $last, 'and the last id';
    };
}

subtest 'lines' => sub {
    my $tokens = tokens(3000);
    publish('lines', $tokens, '&end');
    my @event = $server->get('/lines?channel=lines', cursor => '0-0')->events(9999, 0);
    is join("\n", map { $_->{data} } @event), join("\n", map { text($_) } @$tokens), 'with a line break between them';
    cmp_ok scalar @event, '<', 30, 'in few events';
};

subtest 'nobody else gets others' => sub {
    my $tokens = tokens(100);
    my @reader = map { $server->subscribe("/$_?channel=live")->ready } qw(data each);
    publish('live', $tokens);
    is_deeply [$_->data(100)], [map { text($_) } @$tokens], 'what is live is not merged' for @reader;
    my $back = $server->subscribe('/each?channel=live', cursor => '0-0');
    is_deeply [$back->data(100)], [map { text($_) } @$tokens], 'nor without the directive';
    $_->close for @reader, $back;
};

subtest 'what stays apart' => sub {
    my $body = "data: a\n\ndata: b\n\n" . "event: t\ndata: c\n\nevent: t\ndata: d\n\nevent: u\ndata: e\n\n" . "data: f\n\n"
        . "retry: 500\ndata: g\n\n" . "data: h\n\ndata: i\n\n" . "id: x\ndata: j\n\nid: y\ndata: k\n\ndata: l\n\n";
    $server->publish('/pub?channel=apart', $body, type => 'text/event-stream');
    $server->publish('/pub?channel=apart&end', 'm');
    publish('apart', [qw(n o)]);
    $server->request(DELETE => '/pub?channel=apart')->finish;
    publish('apart', [qw(p q)]);
    $server->request(DELETE => '/pub?channel=apart')->finish;
    my $client = $server->get('/data?channel=apart', cursor => '0-0');
    my @event  = $client->events(99, 0);
    is_deeply [map {"$_->{type}:$_->{data}"} @event],
        [qw(message:ab t:cd u:e message:f message:g message:hijk message:l message:m message:no message:pq)],
        'types, a retry, an event without the id of its publisher, the ends of a channel';
    is $event[4]{retry}, 500, 'the retry is there';
    like $event[5]{id}, qr/\A\d+-\d+~y\z/, 'the newest id of the publisher, too';
    is $client->closed, 'clean', 'and the end';
    my $again = $server->get('/data?channel=apart', cursor => 'y');
    is whole($again->events(99, 0)), 'lmnopq', 'with which a client comes back';
};

subtest 'several channels' => sub {
    my (@all, @expected);
    for my $number (1 .. 400) {
        my $channel = rand() < 0.5 ? 'x' : 'y';
        push @all, [$channel, "$channel$number "];
        publish($channel, [$all[-1][1]]);
    }
    push @expected, @expected && $_->[0] eq substr($expected[-1], 0, 1) ? pop(@expected) . $_->[1] : $_->[1] for @all;
    my $client = $server->subscribe('/data?channel=x,y', cursor => '0-0');
    is_deeply [$client->data(scalar @expected)], \@expected, 'each in its own events, in the order of all';
    $client->close;
};

subtest 'a gap' => sub {
    my ($first) = map { $server->publish('/filler?channel=g', $_)->json->{id} } 'first';
    $server->publish('/filler?channel=g', "$_ ") for 1 .. 3000;
    my $client = $server->subscribe('/small?channel=g', cursor => $first);
    is $client->next_event->{type}, 'gap', 'is told';
    my $text = '';
    while ($text !~ / 3000 \z/) { $text .= ($client->next_event // last)->{data} }
    my ($start) = $text =~ /\A(\d+)/;
    is $text, join('', map {"$_ "} $start .. 3000), 'and what is left comes after it';
    $client->close;
};

# Reads some of the body, loses the connection, and comes back, until it has everything.
sub read_in_parts ($tokens, $channel, $meanwhile) {
    my ($text, $cursor, $connections) = ('', '0-0', 0);
    my $expected = join '', map { text($_) } @$tokens;
    while (length $text < length $expected) {
        my $client = $server->subscribe("/data?channel=$channel", via => qw(h1 tls)[rand 2], cursor => $cursor, rcvbuf => 8192);
        $client->read_body(1 + int rand 60_000);
        $meanwhile->(++$connections, $client);
        $text .= whole($client->events(9999, 0));
        $cursor = $client->last_event_id || $cursor;
        $client->close;
        last if $text ne substr $expected, 0, length $text;
    }
    ok $text eq $expected, "nothing is lost or doubled on $connections connections";
    cmp_ok $connections, '>', 5, 'which are some';
}

subtest 'a megabyte' => sub {
    my $tokens = [map { tokens(25_000) } 1 .. 4];
    publish('million', $_) for @$tokens;
    $tokens = [map {@$_} @$tokens, my $rest = [map { chr(97 + rand 26) x 100 . "\n" } 1 .. 7000]];
    publish('million', $rest, '&end');
    cmp_ok sum(map {length} @$tokens), '>', 1_000_000, 'is published';
    read_in_parts($tokens, 'million', sub { });
    my $one = $server->subscribe('/data?channel=million', cursor => '0-0');
    my @most = sort { $a <=> $b } map { length $_->{data} } $one->events(100);
    cmp_ok $most[-1], '<=', 65_536, 'no event is larger than a batch';
    $one->close;
};

subtest 'workers that come and go' => sub {
    my $tokens = tokens(60_000);
    publish('moved', $tokens, '&end');
    $server->allow(qr/exited on signal 9/);
    read_in_parts(
        $tokens, 'moved',
        sub ($count, $client) {
            $server->reload if $count % 3 == 1;
            $server->kill9($client->header('X-Worker')) if $count % 3 == 2;
        }
    );
};

# How many bytes and seconds a client needs to catch up with 5000 tokens of English text.
sub catch_up ($path, $first, $text) {
    my $client = $server->subscribe($path, cursor => $first, rcvbuf => 8192);
    my ($start, $has) = (time, '');
    while (length $has < length $text) {
        $client->read_body(length($client->body) + $rate / 50);
        $has .= whole($client->events(9999, 0));
        my $early = $start + length($client->raw) / $rate - time;
        sleep $early if $early > 0;
    }
    ok $has eq $text, "$path: all of it";
    $client->close;
    return (length $client->raw, time - $start);
}

subtest 'a slow link' => sub {
    my @word   = split ' ', 'the of and a to in is you that it he was for on are as with his they at be this have from stream ing';
    my $tokens = [map {" $word[rand @word]"} 1 .. 5000];
    my $first  = publish('link', ['first']);
    publish('link', $tokens, '&end');
    my ($bytes, $seconds) = catch_up('/each?channel=link', $first, join '', @$tokens);
    my ($less,  $sooner)  = catch_up('/data?channel=link', $first, join '', @$tokens);
    note sprintf '5000 tokens at %d bytes a second: %d bytes in %.1f s, merged %d bytes in %.1f s, ratio %.1f', $rate, $bytes, $seconds,
        $less, $sooner, $bytes / $less;
    cmp_ok $bytes / $less, '>', 5, 'merging saves most of the bytes';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
