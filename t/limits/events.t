# Limits are exact for any framing, transfer coding and division into packets. What comes before a limit is published, and counted.
use v5.36;
use lib 't/lib';
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Uploads;
use SSE::Nginx;
use SSE::Pipeline;
use SSE::Util;

my @framings = qw(event lines ndjson sse);

# A location for each framing.
sub locations ($prefix, $directives) {
    return join "\n", map {"location = /$prefix-$_ { sse_publish \$arg_channel; sse_framing $_; $directives }"} @framings;
}

my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    zone      => '32m channels=8192',
    locations => join("\n",
        locations(three    => 'sse_max_events 3; client_max_body_size 0;'),
        locations(one      => 'sse_max_events 1;'),
        locations(any      => 'sse_max_events 0; client_max_body_size 100;'),
        locations(default  => 'client_max_body_size 50;'),
        locations(endless  => 'client_max_body_size 0;'),
        locations(usual    => ''),
        locations(size     => 'sse_max_event_size 20; client_max_body_size 0;'),
        locations(replace  => 'sse_max_event_size 20; client_max_body_size 0; sse_invalid_utf8 replace;'),
        'location = /list     { sse_channel $arg_list separator=,; }',
        'location = /written  { sse_channel $arg_list separator=,; sse_max_channels 16; }',
        'location = /two      { sse_channel $arg_list $arg_more separator=,; sse_max_channels 2; }',
        'location = /most     { sse_channel $arg_list separator=,; sse_max_channels 64; }',
    ),
);

# Each body has its own channel, whose events are then those of that body.
sub new_channel { state $number = 0; return 'c' . ++$number }

# The events of a channel. A mark that is published after them shows where they end.
sub published ($channel) {
    $server->publish("/pub?channel=$channel", 'the end');
    my $subscriber = $server->subscribe("/sub?channel=$channel", cursor => '0-0');
    my @data;
    while (my $event = $subscriber->next_event) {
        last if $event->{data} eq 'the end';
        push @data, $event->{data};
    }
    return @data;
}

# All ways to send a body.
my %way = (
    'with a length' => sub ($path, $body) { $server->publish($path, $body) },
    'in one chunk'  => sub ($path, $body) {
        my $publisher = $server->stream($path);
        $publisher->feed($body) if length $body;
        $publisher->end->finish;
    },
    'in chunks of a byte' => sub ($path, $body) {
        my $publisher = $server->stream($path);
        $publisher->write(join('', map {"1\r\n$_\r\n"} split //, $body) . "0\r\n\r\n");
        $publisher->finish;
    },
    'HTTP/1.0' => sub ($path, $body) { $server->publish($path, $body, via => 'h1.0') },
    'HTTP/2'   => sub ($path, $body) {
        my $connection = SSE::Client::Uploads->new(port => $server->port('h2c'));
        my $stream = $connection->post($path);
        return $connection->data($stream, $body, 1)->answer($stream);
    },
);

# Sends a body in two packets, cut before that byte, which are read one after the other.
sub publish_cut ($path, $body, $at) {
    my $client = $server->connect;
    my $length = length $body;
    $client->send_raw("POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: $length\r\n\r\n" . substr($body, 0, $at), method => 'POST');
    # When nginx answers this, it has read the first packet.
    $server->get('/status');
    $client->write(substr $body, $at);
    return $client->finish;
}

# Bodies with these events: with all line ends, and without the last one where that is possible.
my %bodies = (
    lines => sub (@data) { (map { my $end = $_; join '', map {"$_$end"} @data } "\n", "\r\n", "\r"), join("\n", @data) . (@data && $data[-1] eq '' ? "\n" : '') },
    ndjson => sub (@data) { join('', map {"\n$_\n\n"} @data) . "\n", join "\r\n", @data },
    sse => sub (@data) { stream_of(@data), ":c\n\n" . join('', map {"data\r\ndata: $_\r\nid\r\n\r\n"} @data) . "event: x\n\n" },
);

subtest 'sse_max_events' => sub {
    my @case = (
        [three   => 3, 3],
        [one     => 1, 1],
        [default => 4, 4], # client_max_body_size 50
    );
    for my $case (@case) {
        my ($location, $most) = @$case;
        for my $framing (sort keys %bodies) {
            for my $count ($most - 1, $most, $most + 1, $most + 3) {
                my @data = map { $_ % 10 } 1 .. $count;
                my ($body) = grep { length $_ <= 50 } $bodies{$framing}->(@data) or next;
                next if $location eq 'default' && length $body > 50;
                for my $way (sort keys %way) {
                    my $channel = new_channel();
                    my $answer = $way{$way}->("/$location-$framing?channel=$channel", $body);
                    my $what = "$location $framing: $count, $way";
                    is $answer->status, $count > $most ? 413 : $count ? 201 : 200, $what;
                    my $taken = $count > $most ? $most : $count;
                    is $answer->json->{events}, $taken, 'all up to the limit are counted';
                    like $answer->json->{error} // '', qr/sse_max_events/, 'the answer names it' if $count > $most;
                    is scalar(my @events = published($channel)), $taken, 'and published';
                }
            }
        }
    }
};

subtest 'cut at every byte' => sub {
    for my $framing (sort keys %bodies) {
        for my $body ($bodies{$framing}->(1 .. 4)) {
            my @wrong;
            for my $at (0 .. length $body) {
                my $channel = new_channel();
                my $answer = publish_cut("/three-$framing?channel=$channel", $body, $at);
                my @data = map { s/\A\n//r } published($channel);
                push @wrong, "$at: @{[$answer->status]} @{[$answer->body]} @data"
                    unless $answer->status == 413 && $answer->json->{events} == 3 && "@data" eq '1 2 3';
            }
            is_deeply \@wrong, [], "$framing: " . $body =~ s/\n/\\n/gr =~ s/\r/\\r/gr;
        }
    }
};

subtest 'how many by default' => sub {
    my $most = 1024 * 1024 / 16;
    for my $case (['lines', "\n"], ['sse', "data\n\n"]) {
        my ($framing, $event) = @$case;
        my $answer = $server->publish("/usual-$framing?channel=usual", $event x $most);
        is $answer->status, 201, "$framing: a sixteenth of client_max_body_size";
        is $answer->json->{events}, $most, 'all of them';
        $answer = $server->publish("/usual-$framing?channel=usual", $event x ($most + 1));
        is $answer->status, 413, 'one more is refused';
        is $answer->json->{events}, $most, 'after the others';
    }
    is $server->publish('/endless-lines?channel=usual', "\n" x 200_000)->json->{events}, 200_000,
        'without a client_max_body_size there is no limit';
    is $server->publish('/any-lines?channel=usual', "\n" x 100)->json->{events}, 100, 'nor if it is switched off';
    is $server->publish('/three-ndjson?channel=usual', "\n" x 100_000 . '1')->json->{events}, 1, 'a blank line is no event in NDJSON';
};

# What a body with 20 bytes of data may look like, and one with 21.
my $bom = "\xef\xbb\xbf";
my $umlaut = "\xc3\xa4";

subtest 'sse_max_event_size' => sub {
    my %plain = map { $_ => 'x' x $_ } 19, 20, 21;
    my %text = (
        event => [
            (map { [$_, 'x' x $_] } 19 .. 21),
            (map { [$_, $bom . 'x' x $_] } 19 .. 21),
            (map { [$_, "$umlaut$umlaut" . 'x' x ($_ - 4)] } 20, 21),
            (map { [$_, "a\r\nb\r" . 'x' x ($_ - 5)] } 20, 21),
            (map { [$_, "\n" x $_] } 20, 21),
        ],
        lines => [
            (map { my $end = $_; map { [$_, 'x' x $_ . $end] } 19 .. 21 } '', "\n", "\r\n", "\r"),
            (map { my $end = $_; map { [$_, $bom . 'x' x $_ . $end] } 20, 21 } '', "\n", "\r\n"),
            (map { [$_, $umlaut . 'x' x ($_ - 2)] } 20, 21),
        ],
        ndjson => [
            (map { my $end = $_; map { [$_, 'x' x $_ . $end] } 20, 21 } '', "\n", "\r\n\r\n"),
            (map { [$_, $bom . 'x' x $_ . "\n"] } 20, 21),
        ],
        sse => [
            (map { my $end = $_; map { [$_, 'data: ' . 'x' x $_ . $end x 2] } 19 .. 21 } "\n", "\r\n", "\r"),
            (map { [$_, 'data:' . 'x' x $_ . "\n\n"] } 20, 21),
            (map { [$_, 'data:  ' . 'x' x ($_ - 1) . "\n\n"] } 20, 21),
            (map { [$_, "${bom}data: " . 'x' x $_ . "\n\n"] } 20, 21),
            (map { [$_, "data: aaa\r\nevent: type\r\nid: 77\r\ndata: " . 'x' x ($_ - 4) . "\r\n\r\n"] } 20, 21),
            (map { [$_, ":comment\n" . "data\n" x ($_ + 1) . "\n"] } 20, 21),
            (map { [$_, ':' . 'c' x 100 . "\nunknown: " . 'u' x 100 . "\ndata: " . 'x' x $_ . "\n\n"] } 20, 21),
        ],
    );
    for my $framing (@framings) {
        for my $case ($text{$framing}->@*) {
            my ($size, $body) = @$case;
            my $status = $size > 20 ? 413 : 201;
            my $what = "$framing, $size: " . $body =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
            my %status = map { $_ => $way{$_}->("/size-$framing?channel=size", $body)->status } keys %way;
            is_deeply \%status, { map { $_ => $status } keys %way }, $what;
            my @cut = map { publish_cut("/size-$framing?channel=size", $body, $_)->status } 0 .. length($body);
            is scalar(grep { $_ != $status } @cut), 0, 'cut at every byte' or diag "@cut";
        }
    }
};

# One byte becomes three.
subtest 'sse_max_event_size, repaired' => sub {
    my %frame = (event => ['', ''], lines => ['', "\n"], ndjson => ['', "\n"], sse => ['data: ', "\n\n"]);
    for my $framing (@framings) {
        my ($start, $end) = $frame{$framing}->@*;
        for my $case ([20, 'x' x 17 . "\xff"], [21, 'x' x 18 . "\xff"], [20, "\xff" . 'x' x 17], [18, "\xff" x 6], [21, "\xff" x 7],
            [20, "\xf0\x9f\x98" . 'x' x 17], [21, "\xf0\x9f\x98" . 'x' x 18], [22, 'x' x 19 . "\xff"], [60, "\xff" x 20])
        {
            my ($size, $data) = @$case;
            my ($status, $body) = ($size > 20 ? 413 : 201, "$start$data$end");
            my %status = map { $_ => $way{$_}->("/replace-$framing?channel=size", $body)->status } keys %way;
            is_deeply \%status, { map { $_ => $status } keys %way }, "$framing: $size bytes when repaired";
            my @cut = map { publish_cut("/replace-$framing?channel=size", $body, $_)->status } 0 .. length $body;
            is scalar(grep { $_ != $status } @cut), 0, 'cut at every byte' or diag "@cut";
        }
    }
};

subtest 'sse_max_channels' => sub {
    my $names = sub ($count) { join ',', map {"n$_"} 1 .. $count };
    for my $case ([list => 16], [written => 16], [most => 64], [two => 2]) {
        my ($location, $most) = @$case;
        for my $count (1, $most - 1, $most) {
            my $subscriber = $server->subscribe("/$location?list=" . $names->($count));
            ok $subscriber->ready, "$location: $count channels";
            $server->publish("/pub?channel=n$count", 'last');
            is $subscriber->next_event->{data}, 'last', 'up to the last of them';
        }
        my $answer = $server->get("/$location?list=" . $names->($most + 1));
        is $answer->status, 400, 'one more is refused';
        like $answer->json->{error}, qr/too many channels/, 'and told why';
        ok $server->subscribe("/$location?list=" . join ',', ('n1', '', 'n2') x 50)->ready, 'names that are repeated count once'
            if $most > 1;
    }
    is $server->get('/two?list=a,b&more=c')->status, 400, 'they count together';
    ok $server->subscribe('/two?list=a,b&more=b')->ready, 'all that are given';
};

# How many bytes of the zone each byte of a body takes.
subtest 'how much a small body can push out' => sub {
    my $zone = sub { (values $server->get('/status')->json->{zones}->%*)[0] };
    my $measure = sub ($location, $channel, $body, $more = '') {
        $server->wait_gone($server->reload(http => 'sse_zone ' . new_channel() . ' 64m;'));
        my $before = $zone->()->{used};
        my $answer = $server->publish("/$location?channel=$channel$more", $body);
        return ($answer->json->{events}, ($zone->()->{used} - $before) / length $body);
    };
    my $feeds = "\n" x (1024 * 1024);
    my $longest = '&retry=600000&event=' . 't' x 128;
    my ($events, $factor) = $measure->('usual-lines', 'c', $feeds);
    is $events, 65_536, 'of a megabyte of line feeds a sixteenth is taken';
    cmp_ok $factor, '<', 10, sprintf 'a line feed takes %.1f bytes for each byte of the body', $factor;
    ($events, $factor) = $measure->('usual-lines', 'n' x 255, $feeds, $longest);
    cmp_ok $factor, '<', 36, sprintf 'with the longest names %.1f', $factor;
    ($events, $factor) = $measure->('usual-event', 'c', $feeds);
    cmp_ok $factor, '<', 7.1, sprintf 'an event of line feeds %.1f', $factor;
    ($events, $factor) = $measure->('usual-sse', 'c', 'data: ' . "\ndata" x 200_000 . "\n\n");
    cmp_ok $factor, '<', 1.5, sprintf 'one of empty lines of data %.1f', $factor;
    ($events, $factor) = $measure->('usual-sse', 'n' x 255, substr("data\n\n" x 200_000, 0, 1024 * 1024), $longest);
    is $events, 65_536, 'of the shortest events no more are taken';
    cmp_ok $factor, '<', 36, sprintf 'they take %.1f', $factor;
    # Sixteen bytes each, with an id that becomes longer.
    ($events, $factor) = $measure->('usual-sse', 'n' x 255, join('', ('id:' . "\xe4" x 6 . "\ndata\n\n") x 65_536), $longest);
    is $events, 65_536, 'with an id, too';
    cmp_ok $factor, '<', 36, sprintf 'they take %.1f', $factor;
};

subtest 'refusals in the log' => sub {
    $server->reload(http => 'sse_zone small 256k channels=16;');
    my $mark = $server->log_mark;
    my $start = time;
    my @status = SSE::Pipeline->new($server)->publish(map { ["/one-lines?channel=refused$_&retry=x", "a"] } 1 .. 1000);
    is scalar(grep { $_ == 400 } @status), 1000, 'a thousand are refused';
    my @lines = $server->log_since($mark) =~ /^(.*sse: channel "\w+": refused.*)$/mg;
    cmp_ok scalar @lines, '<=', 2 + time - $start, 'at most one a second is logged';
    cmp_ok scalar @lines, '>=', 1, 'but not none';
    like $lines[0], qr/\[info\].* sse: channel "refused\d+": refused with 400: invalid retry \(\d+ more since the last\)/, 'with channel, status and reason';
    # Each line counts the refusals since the line before it. Another second may begin within the thousand.
    my $counts_all = sub {
        $server->publish('/one-lines?channel=c&retry=x', 'a');
        return sum(map { 1 + $_ } $server->log_since($mark) =~ /\b(\d+) more since/g) > 1000;
    };
    ok eval { wait_until($counts_all, 'lines that count all of them'); 1 }, 'and how many there were';

    my @busy = map { $server->subscribe("/sub?channel=busy$_") } 1 .. 16;
    is scalar(grep { $_->status == 200 } @busy), 16, 'all channels are taken';
    ($mark, $start) = ($server->log_mark, time);
    my $connection = $server->connect;
    my %status;
    $status{ $server->get("/sub?channel=more$_", on => $connection)->status }++ for 1 .. 1000;
    is_deeply \%status, { 503 => 1000 }, 'a thousand more are refused';
    my @full    = grep {/\[error\].* channel "more\d+": no room for another channel in zone/} split /\n/, $server->log_since($mark);
    my @refused = grep {/sse: channel "\w+": refused/} split /\n/, $server->log_since($mark);
    cmp_ok scalar @full,    '>=', 1,                 'the log says so';
    cmp_ok scalar @full,    '<=', 2 + time - $start, 'at most once a second';
    cmp_ok scalar @refused, '<=', 2 + time - $start, 'and so for the refusals';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
