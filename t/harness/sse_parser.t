#!/usr/bin/env perl

# The parser that the other tests read their streams with, against the standard.
# needs: nothing

use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Parser;

# An event as the parser gives it: data, and what differs from the defaults.
sub event ($data, %other) { return { id => '', type => 'message', data => $data, %other } }

sub readable ($bytes) { return $bytes =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger }

# Feeds the pieces to a new parser; returns it and the events.
sub parse (@pieces) {
    my $parser = SSE::Parser->new;
    my @events = map { $parser->feed($_) } @pieces;
    return $parser, \@events;
}

# Whole, cut in two at every position, cut in three at every two, and byte by byte.
sub cuts ($bytes) {
    my $length = length $bytes;
    my @cuts   = ([$bytes], [split //, $bytes]);
    for my $first (0 .. $length) {
        push @cuts, [substr($bytes, 0, $first), substr $bytes, $first];
        push @cuts, map { [substr($bytes, 0, $first), substr($bytes, $first, $_ - $first), substr $bytes, $_] }
            $first .. $length;
    }
    return @cuts;
}

# The stream gives the same events however it is cut.
sub parses_to ($bytes, $events, $what) {
    my $same = 1;
    for my $pieces (cuts($bytes)) {
        my (undef, $got) = parse(@$pieces);
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        return is_deeply $got, $events, "$what: " . join '|', map { readable($_) } @$pieces
            unless flat($got) eq flat($events);
    }
    pass "$what: " . readable($bytes);
}

sub flat ($events) {
    return join '', map { my $event = $_; '[' . join('|', map {"$_=$event->{$_}"} sort keys %$event) . ']' } @$events;
}

subtest 'fields' => sub {
    my @cases = (
        ['',                                   [],                                'nothing'],
        ["data: a\n\n",                        [event('a')],                      'an event'],
        ["data:a\n\n",                         [event('a')],                      'without the space'],
        ["data:  a \n\n",                      [event(' a ')],                    'only one space is dropped'],
        ["data:\ta\n\n",                       [event("\ta")],                    'a tab is no space'],
        ["data: a:b: c\n\n",                   [event('a:b: c')],                 'the first colon counts'],
        ["data\n\n",                           [event('')],                       'a name without a colon'],
        ["data:\n\n",                          [event('')],                       'an empty value'],
        ["data\ndata\n\n",                     [event("\n")],                     'two empty lines'],
        ["data: a\ndata: b\n\n",               [event("a\nb")],                   'lines are joined'],
        ["data: a\0b\n\n",                     [event("a\0b")],                   'NUL in the data'],
        ["data: \xe2\x80\xa8\xc2\x85\x0b\n\n", [event("\xe2\x80\xa8\xc2\x85\x0b")], 'only CR and LF end a line'],
        ["event: e\ndata: a\n\n",              [event('a', type => 'e')],         'a type'],
        ["event: e\nevent\ndata: a\n\n",       [event('a')],                      'an empty type is message'],
        ["event: e\n\ndata: a\n\n",            [event('a')],                      'a type without data is forgotten'],
        ["event:  e\ndata: a\n\n",             [event('a', type => ' e')],        'a space of the type'],
        ["Data: a\n data: b\ndata : c\n\n",    [],                                'names are exact'],
        ["da\0ta: a\nx: y\n\n",                [],                                'unknown names'],
        ["\n\n\r\r\n",                         [],                                'blank lines'],
        ["data: a",                            [],                                'the end inside a line'],
        ["data: a\n",                          [],                                'the end inside an event'],
        ["data: a\n\ndata: b\n",               [event('a')],                      'the end inside the second event'],
        ["data: a\r\rdata: b\r\n\r\ndata: c\n\r", [event('a'), event('b'), event('c')], 'every line end'],
        ["data: a\rdata: b\n\n",               [event("a\nb")],                   'an LF behind a line is its end'],
        ["data: a\r\ndata: b\r\r\n",           [event("a\nb")],                   'a CRLF is one end'],
    );
    parses_to(@$_) for @cases;
};

subtest 'ids' => sub {
    parses_to(@$_) for (
        ["id: 1\ndata: a\n\n",               [event('a', id => '1')], 'an id'],
        ["id: 1\ndata: a\n\ndata: b\n\n",    [event('a', id => '1'), event('b', id => '1')], 'it lasts'],
        ["id: 1\n\ndata: b\n\n",             [event('b', id => '1')], 'also that of a block without data'],
        ["id: 1\ndata: a\n\nid\ndata: b\n\n", [event('a', id => '1'), event('b')], 'an empty one takes it away'],
        ["id: 1\nid: 2\0\ndata: a\n\n",      [event('a', id => '1')], 'one with NUL is ignored'],
        ["id: 1\nid: 2\ndata: a\n\n",        [event('a', id => '2')], 'the last one counts'],
        ["id:  1 \ndata: a\n\n",             [event('a', id => ' 1 ')], 'its spaces'],
    );
    my $parser = SSE::Parser->new;
    is $parser->last_event_id, '', 'none at first';
    $parser->feed("id: 1\n");
    is $parser->last_event_id, '', 'not before the blank line';
    $parser->feed("\n");
    is $parser->last_event_id, '1', 'but with it';
    $parser->feed("id: 2\ndata: a\n");
    is $parser->last_event_id, '1', 'that of an unfinished event does not count';
    $parser->feed("\n");
    is $parser->last_event_id, '2', 'that of a finished one does';
};

subtest 'retry' => sub {
    parses_to(@$_) for (
        ["retry: 500\ndata: a\n\ndata: b\n\n", [event('a', retry => 500), event('b')], 'of the event'],
        ["retry: 0500\ndata: a\n\n",           [event('a', retry => 500)], 'decimal'],
        ["retry: 5s\nretry: -1\nretry:\nretry: +1\nretry: \xd9\xa1\ndata: a\n\n", [event('a')], 'digits only'],
    );
    my $parser = SSE::Parser->new;
    is $parser->retry, undef, 'not set at first';
    $parser->feed("retry: 700\n");
    is $parser->retry, 700, 'set at once, without a blank line';
    $parser->feed("\nretry: x\n\n");
    is $parser->retry, 700, 'and kept';
};

subtest 'byte order mark' => sub {
    my $bom = "\xef\xbb\xbf";
    parses_to(@$_) for (
        ["${bom}data: a\n\n",             [event('a')], 'one is dropped'],
        ["$bom${bom}data: a\n\n",         [],           'a second one is part of the name'],
        ["data: a\n\n${bom}data: b\n\n",  [event('a')], 'later it is part of the name'],
        ["data: ${bom}a\n\n",             [event("${bom}a")], 'and in the data it is data'],
        ["$bom\ndata: a\n\n",             [event('a')], 'before a blank line'],
    );
};

subtest 'comments' => sub {
    parses_to(":\n: data: a\ndata: b\n:data: c\n\n", [event('b')], 'are no fields');
    my ($parser) = parse(":\nretry: 3000\n", ":\n", "data: a\n:x\n\n");
    is $parser->comments, 3, 'are counted';
};

subtest 'events come at once' => sub {
    my $parser = SSE::Parser->new;
    is_deeply [$parser->feed("data: a\r")], [], 'not yet';
    is_deeply [$parser->feed("\r")], [event('a')], 'a CR waits for nothing';
    is_deeply [$parser->feed("\n")], [], 'and its LF is no second line';
    is_deeply [$parser->feed("\n")], [], 'a blank line more is nothing';
};

subtest 'pending' => sub {
    my $parser = SSE::Parser->new;
    for (
        ['',             0, 'nothing yet'],
        [":\n",          0, 'a heartbeat'],
        [":",            1, 'half a heartbeat'],
        ["\nretry: 1\n", 0, 'the preamble'],
        ["id: 1\n",      1, 'an id'],
        ["data:\n",      1, 'data'],
        ["\r",           0, 'an event'],
        ["\nevent: x\n", 1, 'a type'],
        ["\n",           0, 'a block'],
    ) {
        my ($bytes, $pending, $what) = @$_;
        $parser->feed($bytes);
        is !!$parser->pending, !!$pending, $what;
    }
};

done_testing;
