# sse_caught_up: one event tells a subscriber that it has received all that was there.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    locations => <<'END',
location = /live  { sse_channel $arg_channel separator=,; sse_caught_up event=live; }
        location = /all   { sse_channel $arg_channel; sse_start earliest; sse_prime off; sse_caught_up event=live; sse_end_event end; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; }
END
);

sub types ($client, $count) { return [map { $_->{type} } $client->events($count)] }

for my $via (qw(h1 h1.0 tls h2c)) {
    subtest "over $via" => sub {
        my $channel = "c$via";
        $server->publish("/pub?channel=$channel", $_) for 3, 2, 1;
        my $client  = $server->subscribe("/live?channel=$channel", via => $via, cursor => '0-0');
        is_deeply [$client->data(3)], [3, 2, 1], 'what was there';
        my $last = $client->last_event_id;
        my $live = $client->next_event;
        is_deeply $live, { type => 'live', id => $last, data => qq({"id":"$last"}) }, 'then it is told, with the position';
        $server->publish("/pub?channel=$channel", $_) for 4, 5;
        is_deeply types($client, 2), ['message', 'message'], 'once';
        $client->close;
        my $again = $server->subscribe("/live?channel=$channel", via => $via, cursor => $last);
        is_deeply types($again, 3), [qw(message message live)], 'and anew on the next connection';
        $again->close;
        $last = $again->last_event_id;
        my $nothing = $server->subscribe("/live?channel=$channel", via => $via, cursor => $last);
        is_deeply [@{ $nothing->next_event }{qw(type id)}], ['live', $last], 'also where nothing has been missed';
        $nothing->close;
    };
}

subtest 'a new client' => sub {
    my $client = $server->subscribe('/live?channel=new');
    is_deeply types($client, 2), [qw(ready live)], 'is told its position before';
    $client->close;
    my $unprimed = $server->subscribe('/all?channel=new');
    is_deeply types($unprimed, 1), ['live'], 'or with it';
    $unprimed->close;
};

subtest 'a long history' => sub {
    $server->publish('/lines?channel=long', join '', map {"$_\n"} 1 .. 5000);
    my $client = $server->subscribe('/all?channel=long', rcvbuf => 4096);
    my @data   = $client->data(5000);
    is_deeply [@data[0, -1]], [1, 5000], 'comes in many pieces';
    is_deeply types($client, 1), ['live'], 'and the word after the last of them';
    $client->close;
};

subtest 'several channels' => sub {
    $server->publish("/pub?channel=$_", 'x') for qw(a b a);
    my $client = $server->subscribe('/live?channel=a,b', cursor => '0-0');
    is_deeply types($client, 4), [qw(message message message live)], 'are one history';
    $client->close;
};

subtest 'a channel that has ended' => sub {
    $server->publish('/pub?channel=over&end', 'last');
    my $client = $server->get('/all?channel=over');
    is_deeply types($client, 9), [qw(message live end)], 'first it is told that this was all, then of the end';
};

subtest 'a gap' => sub {
    my $client = $server->subscribe('/live?channel=a', cursor => 'unknown');
    is_deeply types($client, 4), [qw(gap message message live)], 'comes first';
    $client->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
