# DELETE ends a channel: its subscribers get the remaining events and the end, and a 204 when they come back.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 unchunked tls h2c h2)],
    http      => 'sse_zone events 4m; log_format reason "$sse_channel $sse_close_reason $sse_events";',
    server    => <<'END',
location = /sub    { sse_channel $arg_channel; access_log reasons.log reason; }
        location = /two    { sse_channel $arg_channel other; }
        location = /pub    { sse_publish $arg_channel; }
        location = /status { sse_status; }
END
);

sub finish_channel ($channel, %option) { return $server->request(DELETE => "/pub?channel=$channel", %option)->finish }

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    subtest $via => sub {
        my $channel    = "c$via";
        my $id         = $server->publish("/pub?channel=$channel", 'first')->json->{id};
        my @subscriber = map { $server->subscribe_on($_, "/sub?channel=$channel", via => $via)->ready } $server->workers;
        # The closed connections to the wrong worker may still be counted.
        wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == 2 }, 'two subscribers');
        $server->publish("/pub?channel=$channel", 'last');
        my $answer = finish_channel($channel, via => $via);
        is $answer->status, 200, 'done';
        my $told = $answer->json;
        like delete $told->{ended_id}, qr/\A\d+-\d+\z/, 'with the id of the end';
        is_deeply $told, { channel => $channel, subscribers => 2 }, 'and who was there';
        for my $subscriber (@subscriber) {
            is $subscriber->wait_closed, 'clean', 'the stream ends properly';
            is_deeply [map { $_->{data} } $subscriber->events(9, 0)], ['last'], 'after what was left';
            my $back = $server->get("/sub?channel=$channel", via => $via, cursor => $subscriber->last_event_id);
            is $back->status, 204, 'whoever comes back is told to stay away';
            is $back->body, '', 'without a word';
        }
        my $late = $server->get("/sub?channel=$channel", via => $via, cursor => $id);
        is_deeply [map { $_->{data} } $late->events(9, 0)], ['last'], 'whoever has missed something gets it first';
        is $late->closed, 'clean', 'then the end';
    };
}
wait_until(sub { $server->read_file('reasons.log') =~ /^\Qch1\E ended 1$/m }, 'the reason in the log');

subtest 'a channel that is not there' => sub {
    my $answer = finish_channel('never');
    is $answer->status, 404, 'cannot be ended';
    like $answer->json->{error}, qr/./, 'and that is said';
};

subtest 'a channel that has ended' => sub {
    my $used = sub { $server->get('/status')->json->{zones}{events}{used} };
    $server->publish('/pub?channel=over', 'all');
    my $first = finish_channel('over')->json;
    my $before = $used->();
    is_deeply finish_channel('over')->json, $first, 'ends with the same id';
    is $used->(), $before, 'and takes no more of the zone, however often it is ended';
};

subtest 'another life' => sub {
    $server->publish('/pub?channel=again', 'old');
    finish_channel('again');
    is $server->get('/sub?channel=again', cursor => '0-0')->closed, 'clean', 'ended';
    $server->publish('/pub?channel=again', 'new');
    my $subscriber = $server->subscribe('/sub?channel=again')->ready;
    $server->publish('/pub?channel=again', 'newer');
    is $subscriber->next_event->{data}, 'newer', 'a channel to which is published lives again';
};

subtest 'one of several channels' => sub {
    my $subscriber = $server->subscribe('/two?channel=one')->ready;
    finish_channel('one');
    $server->publish('/pub?channel=other', 'goes on');
    is $subscriber->next_event->{data}, 'goes on', 'the others go on';
    finish_channel('other');
    is $subscriber->wait_closed, 'clean', 'until all have ended';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
