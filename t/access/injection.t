# Hostile input: nothing that comes from outside becomes a field of an event, a header, or another channel.
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    listen    => ['h1', 'h2c'],
    http      => 'sse_zone events 4m; sse_zone other 1m;',
    server    => <<'END',
location = /sub     { sse_channel $arg_channel zone=events; }
        location = /pub     { sse_publish $arg_channel zone=events; sse_event_id $arg_id; }
        location = /other   { sse_publish $arg_channel zone=other; }
        location = /list    { sse_channel $arg_channel zone=events separator=,; }
        location = /cors    { sse_channel $arg_channel zone=events; sse_cors https://app.example; }
        location ~ "(?s)^/path/sub/(.*)$" { sse_channel $1 zone=events; }
        location ~ "(?s)^/path/pub/(.*)$" { sse_publish $1 zone=events; }
        location ~ "(?s)^/mine/(.*)$"     { sse_channel user-$1 zone=events; }
END
);
seed();

sub hidden ($text) { return $text =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger }

# A stream may contain no other lines than those that this test intends.
sub is_clean ($subscriber, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @strange = grep { !/\A(?:id: [\w.~=+\/-]+|event: (?:ready|gap|fine)|retry: \d+|data: .*|:|)\z/ } split /\n/, $subscriber->body, -1;
    is_deeply [map { hidden($_) } @strange], [], $what;
    unlike $subscriber->body, qr/^(?:event|id|retry): ?(?:evil|666)/m, 'nothing was injected';
}

my @injection = map { ("x${_}event: evil${_}${_}", "x$_${_}data: evil", "x${_}id: 666$_", "x${_}retry: 666") } "\r", "\n", "\r\n";

# Without a body, because curl may lose the answer to a request whose body nginx does not read.
sub status_of ($path, $via) { return $server->publish($path, '', via => $via)->status }

sub escaped ($text) { return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

for my $via (qw(h1 h2c)) {
    subtest "injection when publishing, over $via" => sub {
        is status_of("/pub?channel=empty$via", $via), 201, 'an empty body is no reason to refuse';
        my $subscriber = $server->subscribe("/sub?channel=in$via", via => $via)->ready;
        for my $text (@injection) {
            for my $argument (qw(event id retry)) {
                my $path = "/pub?channel=in$via&$argument=" . escaped($text);
                is status_of($path, $via), 400, "$argument: " . hidden($text);
            }
            is status_of('/path/pub/' . escaped($text), $via), 400, 'channel: ' . hidden($text);
            is $server->get('/path/sub/' . escaped($text), via => $via)->status, 400, 'nor to subscribe to';
        }
        for my $text (@injection, "a\rb\n\nc") {
            my $answer = $server->publish("/pub?channel=in$via", $text, via => $via);
            is $answer->status, 201, 'published: ' . hidden($text) or diag explain $answer;
            my $event = $subscriber->next_event;
            is $event->{data}, $text =~ s/\r\n?/\n/gr, 'a body is data and nothing else: ' . hidden($text);
            is $event->{type}, 'message', 'of no other type';
        }
        is_clean($subscriber, 'nothing but what was meant');
        $subscriber->close;
    };
}

subtest 'injection by a cursor' => sub {
    $server->publish('/pub?channel=cursor', 'x');
    for my $text (@injection, "\0", '"}' . "\n\n", '\\', "\xff", '</script>') {
        for my $argument (qw(last_event_id lastEventId)) {
            my $subscriber = $server->subscribe("/sub?channel=cursor&$argument=" . escaped($text));
            my $event = $subscriber->status == 200 ? $subscriber->next_event : undef;
            is $event && $event->{type}, 'gap', hidden($text) . ' is no cursor';
            ok eval { decode_json($event->{data}) }, 'told in good JSON';
            is_clean($subscriber, 'and in one line');
            $subscriber->close;
        }
    }
};

subtest 'an origin' => sub {
    for my $origin ("https://app.example\tX: y", 'https://app.example https://evil.example', 'https://app.example,https://evil.example',
        'https://APP.example', 'https://app.example.', 'https://app.example#', 'https://app.example@evil.example', 'null', '*',
        "https://app.example\xff", 'file://', 'https://evil.example')
    {
        my $client = $server->subscribe('/cors?channel=a', headers => [Origin => $origin]);
        is $client->status, 200, hidden($origin);
        is $client->header($_), undef, "no $_" for qw(Access-Control-Allow-Origin Access-Control-Allow-Credentials);
        unlike join("\n", @{ $client->{header_lines} }), qr/evil/, 'and nowhere else';
        $client->close;
    }
    my $client = $server->subscribe('/cors?channel=a', headers => [Origin => 'https://app.example']);
    is $client->header('Access-Control-Allow-Origin'), 'https://app.example', 'the one that is listed';
};

subtest 'a channel of the URL is that channel and no other' => sub {
    my $witness = $server->subscribe('/path/sub/secret')->ready;
    my $user    = $server->subscribe('/mine/7')->ready;
    # nginx decodes and normalizes a path before it chooses a location. What is then called "secret" is the channel "secret".
    my %same = map { $_ => 1 } '/path/pub/secret', '/path/pub/%73ecret', '/path/pub/x/../secret', '/path/pub/x%2F..%2Fsecret',
        '/path/pub/./secret', '/path/pub//secret', '/path/pub/%2Fsecret', '/path/pub/%2e/secret';
    my @other = map {"/path/pub/$_"} 'secret%2F', 'secret/', 'secret%00', 'secret%00x', '%00secret', 'secret%20', '%20secret',
        'secret,x', 'x,secret', 'x%2Csecret', 'secret%2Cx', 'x|secret', 'x;secret', 'Secret', 'secret%0a', 'secret%0d%0a', '%ffsecret',
        'secret%ff', 'secret%c0%80', 'secret%ed%a0%80', 'secret?channel=secret2', 'secret%3F', 'secret%23', 'secret%2500', 'secre%2574', 's%C3%A9cret',
        'secret' . 'x' x 249, 'secret' . 'x' x 250, 'secret' . 'x' x 5000;
    for my $path (sort keys %same) {
        my $answer = $server->publish($path, $path);
        like $answer->status, qr/\A20[01]\z/, "$path";
        is $answer->json->{channel}, 'secret', 'is that channel';
        is $witness->next_event->{data}, $path, 'heard there';
    }
    for my $path (@other) {
        my $shown  = length $path > 60 ? length($path) . ' bytes' : $path;
        my $answer = $server->publish($path, "to $path");
        like $answer->status, qr/\A(?:201|400|414)\z/, $shown;
        my $same = $path =~ /\?channel/;
        isnt $answer->json->{channel}, 'secret', 'is another channel' if $answer->status == 201 && !$same;
        is $witness->next_event->{data}, "to $path", 'arguments do not matter' if $same;
    }
    is $server->publish('/path/pub/' . 'x' x 255, '')->status, 201, '255 bytes';
    is $server->publish('/path/pub/' . 'x' x 256, '')->status, 400, 'not 256';
    # An argument is not decoded, and a path is decoded once.
    for my $name ('/sub?channel=%73ecret', '/sub?channel=secre%74', '/path/sub/secre%2574', '/path/sub/%2573ecret') {
        my $subscriber = $server->subscribe($name)->ready;
        is $server->publish('/path/pub/secret', 'confidential')->json->{subscribers}, 1, "$name is another channel";
        is $witness->next_event->{data}, 'confidential', 'than the one that is heard';
        $subscriber->close;
    }
    # A list is one name where no separator is configured.
    for my $name ('x,secret', 'secret,x', 'x%2Csecret') {
        my $subscriber = $server->subscribe("/path/sub/$name")->ready;
        $server->publish('/path/pub/secret', 'confidential');
        is $witness->next_event->{data}, 'confidential', 'said to those who may hear it';
        $server->publish('/path/pub/' . $name, 'end');
        is $subscriber->next_event->{data}, 'end', "and not to $name";
        unlike $subscriber->raw, qr/confidential/, 'not a byte of it';
        $subscriber->close;
    }
    $server->publish('/path/pub/user-7', 'to user 7');
    is $user->next_event->{data}, 'to user 7', 'a prefix';
    for my $name ('7%00', '..%2Fsecret', '%2e%2e/secret', '7%2f..%2fsecret', '../mine/secret') {
        my $subscriber = $server->subscribe("/mine/$name");
        if ($subscriber->status == 200) {
            $subscriber->ready;
            $server->publish('/path/pub/secret', 'confidential');
            $witness->next_event;
            $server->publish("/pub?channel=fence", 'x');
            unlike $subscriber->poll->raw, qr/confidential/, "/mine/$name does not leave it";
        }
        else {
            like $subscriber->status, qr/\A40[04]\z/, "/mine/$name is refused";
        }
        $subscriber->close;
    }
    is scalar @{ $witness->poll->{events} }, 0, 'nothing else was heard';
};

subtest 'what a cursor reveals' => sub {
    my $id = $server->publish('/pub?channel=hidden&id=mine', 'confidential')->json->{id};
    my ($plain) = $id =~ /\A(\d+-\d+)/;
    my $elsewhere = $server->publish('/other?channel=open', 'elsewhere')->json->{id};
    $server->publish('/pub?channel=open', 'public');
    for my $cursor ($id, $plain, 'mine', $elsewhere, '0-0', '1-0', '99999999999999-0', 'unknown') {
        my $subscriber = $server->subscribe('/sub?channel=open', cursor => $cursor);
        $subscriber->status;
        $server->publish('/pub?channel=open', "end $cursor");
        my $event;
        do { $event = $subscriber->next_event } while $event && $event->{data} ne "end $cursor";
        ok $event, "cursor $cursor";
        unlike $subscriber->raw, qr/confidential|elsewhere|hidden/, 'nothing of another channel';
        $subscriber->close;
    }
    # An id that a publisher has used on another channel is as unknown as one that has never been used.
    my @told = map {
        my $subscriber = $server->subscribe('/sub?channel=open', cursor => $_);
        my $gap = decode_json($subscriber->next_event->{data});
        $subscriber->close;
        $gap->{requested} = '';
        $gap;
    } 'mine', 'none';
    is_deeply $told[0], $told[1], 'whether an id is in use elsewhere is not told';
};

subtest 'another life' => sub {
    my $id = $server->publish('/pub?channel=life', 'confidential')->json->{id};
    my ($time, $count) = $id =~ /(\d+)-(\d+)/;
    is_deeply [$server->stop], [], 'ended';
    $server->launch;
    $server->publish('/pub?channel=life', 'new');
    for my $cursor ($id, $time - 1 . '-0', $time + 1_000_000 . '-0') {
        my $subscriber = $server->subscribe('/sub?channel=life', cursor => $cursor);
        my @events = $subscriber->events(2);
        is_deeply [map { $_->{type} } @events], [qw(gap message)], 'is told';
        is $events[1]{data}, 'new', 'and gets what is there';
        unlike $subscriber->raw, qr/confidential/, 'and nothing else';
        $subscriber->close;
    }
};

my @errors = grep {/\[(?:error|warn|alert|crit|emerg)\]/ && !/anybody can|open\(\) ".*" failed/} split /\n/, $server->log;
is_deeply \@errors, [], 'the faults of clients are no errors in the log';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
