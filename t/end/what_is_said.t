# sse_end_event: the last bytes of a stream, exactly; and how sse_profile changes a stream.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my %end = (
    default  => ['',                                    "retry: 86400000\n"],
    off      => ['sse_end_event off retry=off;',        ''],
    named    => ['sse_end_event end;',                  "retry: 86400000\nevent: end\ndata: \n\n"],
    data     => ['sse_end_event end "all of it" retry=1h;', "retry: 3600000\nevent: end\ndata: all of it\n\n"],
    unhurt   => ['sse_end_event end retry=off;',        "event: end\ndata: \n\n"],
    sentinel => ['sse_end_event "" "[DONE]";',          "data: [DONE]\n\n"],
    model    => ['sse_profile model;',                  "data: [DONE]\n\n"],
);
my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c)],
    locations => join("\n", map {"location = /$_ { sse_channel \$arg_channel; sse_start earliest; sse_prime off; $end{$_}[0] }"} sort keys %end)
        . <<'END',

        location = /bare  { sse_channel $arg_channel; sse_profile model; }
        location = /own   { sse_channel $arg_channel; sse_profile model; sse_start new; sse_prime event=hello; sse_end_event end; }
        location /outer   { sse_profile model; location = /outer/inner { sse_channel $arg_channel; sse_start new; } }
END
);

for my $via (qw(h1 h1.0 unchunked tls h2c)) {
    subtest "over $via" => sub {
        my $channel  = "c$via";
        my %watching = map { $_ => $server->subscribe("/$_?channel=$channel", via => $via) } keys %end;
        wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == keys %end }, 'all to listen');
        my $id = $server->publish("/pub?channel=$channel&end", 'last')->json->{id};
        for my $name (sort keys %end) {
            my $expected = qr/\A:\nretry: \d+\nid: $id\ndata: last\n\n\Q$end{$name}[1]\E\z/;
            is $watching{$name}->wait_closed, 'clean', "$name: the end is one";
            like $watching{$name}->body, $expected, 'and said last';
            like $server->get("/$name?channel=$channel", via => $via)->body, $expected, 'also to who comes later';
            is $server->get("/$name?channel=$channel", via => $via, cursor => $id)->status, 204, 'and who has had it gets 204';
        }
    };
}

subtest 'sse_profile' => sub {
    $server->publish("/pub?channel=profile&event=$_", $_) for 'a', '';
    my @id   = map { $server->publish("/pub?channel=profile", $_)->json->{id} } 'b';
    my $bare = $server->subscribe('/bare?channel=profile', cursor => 'unknown', headers => [Accept => 'application/json']);
    is_deeply [$bare->data(3)], ['a', '', 'b'], 'all events, no gap, and a stream, whatever Accept says';
    my $own = $server->subscribe('/own?channel=profile');
    is $own->next_event->{type}, 'hello', 'what the level sets itself counts';
    my $inner = $server->subscribe('/outer/inner?channel=profile');
    wait_until(sub { $server->get('/pub?channel=profile')->json->{subscribers} == 3 }, 'all to listen');
    $server->publish('/pub?channel=profile&end', 'c');
    $_->wait_closed for $bare, $own, $inner;
    like $bare->body, qr/data: c\n\ndata: \[DONE\]\n\n\z/, 'the sentinel';
    like $own->body, qr/data: c\n\nretry: 86400000\nevent: end\ndata: \n\n\z/, 'an end of its own';
    like $inner->body, qr/\A:\nretry: \d+\nid: \S+\ndata: c\n\ndata: \[DONE\]\n\n\z/, 'an inner location inherits the rest';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
