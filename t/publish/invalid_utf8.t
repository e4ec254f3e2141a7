# sse_invalid_utf8: what is not UTF-8 is refused, or replaced as a browser would do it, and counted.
# needs: module node
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my @framings = qw(event lines ndjson sse);
my $server = SSE::Nginx->start(
    zone      => '16m',
    locations => join "\n",
    map {
        my $mode = $_;
        my $directive = $mode eq 'usual' ? '' : "sse_invalid_utf8 $mode;";
        map {"location = /$mode-$_ { sse_publish \$arg_channel; sse_framing $_; client_max_body_size 0; $directive }"} @framings
    } qw(usual replace reject)
);

my $replacement = "\xef\xbf\xbd";

# Bytes, and what a decoder of the WHATWG makes of them by table 3-7 of Unicode ("?" stands for U+FFFD).
my @case = map { [$_->[0], $_->[1] =~ s/\?/$replacement/gr] } (
    ["\xff",                               '?'],
    ["a\xffb",                             'a?b'],
    ["\xff\xfe",                           '??'],
    ["\x80",                               '?'],
    ["\xbf\x80",                           '??'],
    ["\xc0\xaf",                           '??'],
    ["\xc1\xbf",                           '??'],
    ["\xc2",                               '?'],
    ["\xc2x",                              '?x'],
    ["\xc2\xc2\x80",                       "?\xc2\x80"],
    ["\xe0\x80\xaf",                       '???'],
    ["\xe0\xa0",                           '?'],
    ["\xe0\xa0x",                          '?x'],
    ["\xe2\x82",                           '?'],
    ["\xe2\x82\xe2\x82\xac",               "?\xe2\x82\xac"],
    ["\xed\xa0\x80",                       '???'],
    ["\xed\x9f\xbf",                       "\xed\x9f\xbf"],
    ["\xf0\x80\x80\xaf",                   '????'],
    ["\xf0\x9f\x98",                       '?'],
    ["\xf0\x9f\x98x",                      '?x'],
    ["\xf0\x9f\xf0\x9f\x98\x80",           "?\xf0\x9f\x98\x80"],
    ["\xf4\x90\x80\x80",                   '????'],
    ["\xf4\x8f\xbf\xbf",                   "\xf4\x8f\xbf\xbf"],
    ["\xf5\x80\x80\x80",                   '????'],
    ["\xf8\x88\x80\x80\x80",               '?????'],
    ["\xef\xbf",                           '?'],
    ["\xef\xbb",                           '?'],
    ["x\xef\xbb\xbfy",                     "x\xef\xbb\xbfy"],
    ["x\xf1\x80\x80\xe1\x80\xc2b\x80c\x80\xbfd", 'x???b?c??d'],
    ["\xd0\xbf\xd1 \xd1\x83",              "\xd0\xbf? \xd1\x83"],
);

# What node's decoder makes of each; undef without node.
sub decoded_by_node (@texts) {
    return if system('node --version >/dev/null 2>&1') != 0;
    my $script = 'const d = new TextDecoder("utf-8", { ignoreBOM: true });'
        . 'console.log(process.argv.slice(1).map(t => Buffer.from(d.decode(Buffer.from(t, "hex")), "utf8").toString("hex")).join(" "))';
    open my $node, '-|', 'node', '-e', $script, map { unpack 'H*', $_ } @texts or return;
    return map { pack 'H*', $_ } split / /, readline($node) =~ s/\n//r;
}

subtest 'the table is that of a decoder' => sub {
    seed();
    push @case, map {
        my $text = join '', map { (map({chr} 0x61, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xff), "\xe2\x82", "\xf0\x9f\x98")[rand 13] } 1 .. 8;
        [$text, undef];
    } 1 .. 200;
    my @node = decoded_by_node(map { $_->[0] } @case);
    if (!@node) {
        @case = grep { defined $_->[1] } @case;
        plan skip_all => 'there is no node';
    }
    is unpack('H*', $node[$_]), unpack('H*', $case[$_][1]), 'bytes ' . unpack('H*', $case[$_][0]) for grep { defined $case[$_][1] } 0 .. $#case;
    $case[$_][1] //= $node[$_] for 0 .. $#case;
};

sub repairs { return $server->get('/status')->json->{repairs} }

# How many sequences have been replaced.
sub replaced ($case) {
    my ($from, $to) = map { scalar(() = /$replacement/g) } @$case;
    return $to - $from;
}

my %frame = (event => ['', ''], lines => ['', "\n"], ndjson => ['', "\n"], sse => ['data: ', "\n\n"]);

for my $framing (@framings) {
    my ($start, $end) = $frame{$framing}->@*;
    for my $mode (qw(usual replace reject)) {
        my $repairs = $mode eq 'replace' || $mode eq 'usual' && $framing eq 'lines';
        subtest "$framing, $mode" => sub {
            my $subscriber = $server->subscribe("/sub?channel=$mode$framing")->ready;
            my @wrong;
            for my $case (@case) {
                my ($from, $to) = @$case;
                my $before    = repairs();
                my $publisher = $server->stream("/$mode-$framing?channel=$mode$framing");
                # Each sequence is cut.
                $publisher->write(join('', map {"1\r\n$_\r\n"} split //, "$start$from$end") . "0\r\n\r\n");
                my $status = $publisher->finish->status;
                my $count  = repairs() - $before;
                my $is_good = $repairs || !replaced($case);
                my $data = $is_good ? $subscriber->next_event->{data} : '';
                push @wrong, unpack('H*', $from) . ": $status, " . unpack('H*', $data) . ", $count"
                    unless $is_good ? $status == 201 && $data eq $to && $count == replaced($case) : $status == 400 && $count == 0;
                like $publisher->body, qr/invalid UTF-8/, 'told' if !$is_good && $case == $case[0];
            }
            is_deeply \@wrong, [], $repairs ? 'replaced and counted' : 'refused';
            $server->publish("/pub?channel=$mode$framing", 'last');
            is $subscriber->next_event->{data}, 'last', 'nothing else was published';
        };
    }
}

subtest 'the good ones before a bad one' => sub {
    for my $framing (qw(lines ndjson sse)) {
        my ($start, $end) = $frame{$framing}->@*;
        my $body = join '', map {"$start$_$end"} 'one', 'two', "\xff", 'four';
        my $answer = $server->publish("/reject-$framing?channel=before$framing", $body);
        is $answer->status, 400, "$framing: one of four is refused";
        is $answer->json->{events}, 2, 'the two before are taken';
        $server->publish("/pub?channel=before$framing", 'the end');
        is_deeply [$server->subscribe("/sub?channel=before$framing", cursor => '0-0')->data(3)], ['one', 'two', 'the end'], 'and published';
        is $server->publish("/replace-$framing?channel=all", $body)->json->{events}, 4, 'or all of them';
    }
};

# Other fields of an event stream.
subtest 'types, ids and what is skipped' => sub {
    my $subscriber = $server->subscribe('/sub?channel=fields')->ready;
    my $before = repairs();
    is $server->publish('/replace-sse?channel=fields', "event: a\xffb\xe2\x82\ndata: x\n\n")->status, 201, 'a type';
    is $subscriber->next_event->{type}, "a${replacement}b$replacement", 'is repaired as well';
    is repairs() - $before, 2, 'and counted';
    is $server->publish('/reject-sse?channel=fields', "event: a\xff\ndata: x\n\n")->status, 400, 'or refused';
    is $server->publish('/replace-sse?channel=fields', 'event: ' . "\xff" x 42 . "aa\ndata: x\n\n")->status, 201, 'as long as it may be';
    is $subscriber->next_event->{type}, $replacement x 42 . 'aa', 'when repaired';
    is $server->publish('/replace-sse?channel=fields', 'event: ' . "\xff" x 43 . "\ndata: x\n\n")->status, 400, 'or too long by that';
    $before = repairs();
    my $answer = $server->publish('/reject-sse?channel=fields', ":\xff\nunk\xffnown: \xff\nid: \xff\nretry: \xff\ndata: y\n\n");
    is $answer->status, 201, 'an id, a comment and what nobody knows need be no text';
    is $subscriber->next_event->{data}, 'y', 'the event is published';
    is repairs() - $before, 0, 'and nothing has been repaired';
};

subtest 'values of the location' => sub {
    for my $mode (qw(replace reject)) {
        is $server->publish("/$mode-lines?channel=x&event=%ff", 'x')->status, 400, "$mode: a type is no text to be repaired";
        is $server->publish("/$mode-lines?channel=\xff", 'x')->status, 400, 'nor is a channel';
    }
};

# docs/live-logs.md publishes such a log.
subtest 'the error log of nginx' => sub {
    my $client = $server->connect;
    $client->send_raw("GET /no\xff\xfewhere?\xe2\x82 HTTP/1.1\r\nHost: \xe4.example\r\nReferer: http://\xf6/\r\n\r\n");
    $client->finish;
    $server->wait_for_log(qr/\xff/);
    my $log = $server->log;
    my @line = split /\n/, $log;
    my $subscriber = $server->subscribe('/sub?channel=log')->ready;
    my $before = repairs();
    my $answer = $server->publish('/usual-lines?channel=log', $log);
    is $answer->status, 201, 'is published';
    is $answer->json->{events}, scalar @line, 'line by line';
    my @event = map { $_->{data} } $subscriber->events(scalar @line);
    my ($bad) = grep {/\xff/} @line;
    my ($good) = grep {/no$replacement${replacement}where/} @event;
    ok defined $good, 'with what is no text replaced' or diag $bad;
    cmp_ok repairs() - $before, '>=', 2, 'and counted';
    is_deeply [grep { !utf8::decode(my $copy = $_) } @event], [], 'all of it is text';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
