# sse_absent: what a subscriber gets if its channels have neither events nor an end.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    http      => 'sse_zone events 1m; log_format reason "$sse_channel $status $sse_close_reason";',
    server    => <<'END',
access_log reasons.log reason;
        location = /pub   { sse_publish $arg_channel; access_log off; }
        location = /lines { sse_publish $arg_channel; sse_framing lines; access_log off; }
        location = /wait  { sse_channel $arg_channel separator=,; }
        location = /204   { sse_channel $arg_channel separator=,; sse_absent 204; }
        location = /404   { sse_channel $arg_channel separator=,; sse_absent 404; }
        location = /all   { sse_channel $arg_channel; sse_start earliest; sse_absent 404; }
END
);

sub get_status ($path, %option) {
    my $client = $server->subscribe($path, %option);
    my $status = $client->status;
    $client->close;
    return $status;
}

for my $via (qw(h1 tls h2c)) {
    subtest "over $via" => sub {
        my $client = $server->subscribe("/wait?channel=n$via", via => $via)->ready;
        is get_status("/204?channel=n$via", via => $via), 204, 'no content, also if others listen';
        my $refused = $server->get("/404?channel=n$via", via => $via);
        is $refused->status, 404, 'not found';
        like $refused->json->{error}, qr/channel/, 'with a reason';
        is $server->request(HEAD => "/204?channel=n$via", via => $via)->finish->status, 204, 'HEAD is answered likewise';
        is get_status("/all?channel=n$via", via => $via), 404, 'and who wants all that is there';
        $server->publish("/pub?channel=n$via", 'x');
        is $client->next_event->{data}, 'x', 'the one that waits gets the first event';
        is get_status("$_?channel=n$via", via => $via), 200, "$_: from then on there is a channel" for '/204', '/404', '/all';
        $client->close;
    };
}

subtest 'the reason' => sub {
    get_status('/404?channel=logged');
    ok eval { wait_until(sub { $server->read_file('reasons.log') =~ /^logged 404 absent$/m }, 'a line') }, 'is in the log';
};

subtest 'several channels' => sub {
    $server->publish('/pub?channel=one', 'x');
    is get_status('/404?channel=none,neither'), 404, 'none is there';
    is get_status('/404?channel=none,one'), 200, 'one is enough';
};

subtest 'a body that stays open' => sub {
    my $publisher = $server->stream('/lines?channel=open');
    is get_status('/404?channel=open'), 404, 'counts from its first event on';
    $publisher->feed("first\n");
    ok eval { wait_until(sub { get_status('/404?channel=open') == 200 }, 'the channel') }, 'then it is there';
    $publisher->end->finish;
};

subtest 'a channel that has ended' => sub {
    $server->publish('/pub?channel=over&end', 'last');
    is get_status("$_?channel=over"), 204, "$_: has an end" for '/204', '/404';
    is $server->get('/all?channel=over')->next_event->{data}, 'last', 'and what is left';
};

subtest 'a client that has missed events' => sub {
    my $client = $server->subscribe('/404?channel=gone', cursor => 'unknown');
    is $client->next_event->{type}, 'gap', 'is not refused';
    $client->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
