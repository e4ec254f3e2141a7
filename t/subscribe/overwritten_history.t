# A subscriber stalls while everything that it has not received is overwritten, by so many small events that finding its place
# takes more than one turn. It gets a gap event and the rest, and nothing else.
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen       => [qw(h1 unchunked tls h2c)],
    listen_flags => 'sndbuf=16k',
    locations    => 'location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }',
);

# The place of an event among all published ones; a gap has none.
sub place ($event) {
    return undef if $event->{type} eq 'gap';
    return $event->{data} =~ /\Alarge (\d+) / ? $1 : $event->{data} =~ /\Asmall (\d+)\z/ ? 50 + $1 : undef;
}

for my $via (qw(h1 h1.0 unchunked tls h2c)) {
    subtest $via => sub {
        my $large = join '', map { "large $_ " . 'x' x 60_000 . "\n" } 1 .. 50;
        is $server->publish("/lines?channel=$via", $large)->json->{events}, 50, 'there is more than a kernel takes';
        # It asks for all of them, and reads the first one.
        my $subscriber = $server->subscribe("/sub?channel=$via", via => $via, cursor => '0-0', rcvbuf => 8192);
        my @seen = $subscriber->next_event;
        like $seen[0]{data}, qr/\Alarge 1 /, 'the first one';
        $subscriber->stall;
        my $small = join '', map {"small $_\n"} 1 .. 40_000;
        is $server->publish("/lines?channel=$via", $small)->json->{events}, 40_000, 'then the zone is overwritten';

        $subscriber->resume;
        # If the kernel takes more data while the zone is being overwritten, there are several gaps: one may come after small
        # events.
        while (my $event = $subscriber->next_event) {
            push @seen, $event;
            last if $event->{data} eq 'small 40000';
        }
        is $seen[-1]{data}, 'small 40000', 'the last event arrives';
        my @gaps = grep { $seen[$_]{type} eq 'gap' } 1 .. $#seen;
        ok @gaps > 0, 'the gap is told';
        is scalar(grep { decode_json($seen[$_]{data})->{requested} ne $seen[ $_ - 1 ]{id} } @gaps), 0, 'from the event before it';
        is scalar(grep { $_->{type} ne 'gap' && $_->{data} !~ /\A(?:large \d+ x{60000}|small \d+)\z/ } @seen), 0,
            'what comes is whole';
        my @place = map { place($_) } @seen;
        is scalar(grep { defined $place[$_] && defined $place[ $_ - 1 ] && $place[$_] != $place[ $_ - 1 ] + 1 } 1 .. $#place), 0,
            'and without a gap nothing is missing';
        cmp_ok $place[ $_ + 1 ], '>', $place[ $_ - 1 ], 'a gap leads on' for grep { defined $place[ $_ + 1 ] && defined $place[ $_ - 1 ] } @gaps;
        $subscriber->close;
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
