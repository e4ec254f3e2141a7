# A publish request can end its channel, with its last event or without an event. Publishing again reopens the channel, unless that is
# switched off.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;
use SSE::Util;

my $app = SSE::App->start(sub { return (200, ['X-Accel-Redirect' => '/inside'], 'taken') });
my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    locations => <<"END",
location = /lines { sse_publish \$arg_channel; sse_framing lines; }
        location = /once { sse_publish \$arg_channel; sse_reopen off; }
        location = /fixed { sse_publish \$arg_channel; sse_publish_end 1; }
        location = /header { sse_publish \$arg_channel; sse_publish_end \$http_x_end; }
        location = /never { sse_publish \$arg_channel; sse_publish_end ""; }
        location = /app { proxy_pass http://127.0.0.1:@{[$app->port]}; }
        location = /inside { internal; sse_publish redirected; }
END
);

sub publish ($path, $body, @more) { return $server->publish($path, $body, @more) }
sub data_of ($stream) { return [map { $_->{data} } $stream->events(99, 0)] }

for my $via (qw(h1 tls h2c)) {
    subtest "the last event, over $via" => sub {
        my $channel    = "last$via";
        my $id         = publish("/pub?channel=$channel", 'first')->json->{id};
        my @subscriber = map { $server->subscribe_on($_, "/sub?channel=$channel", via => $via)->ready } $server->workers;
        wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == 2 }, 'two subscribers');
        my $answer = publish("/pub?channel=$channel&end", 'last', via => $via);
        is $answer->status, 201, 'published';
        my $told = $answer->json;
        is_deeply [@$told{qw(events ended)}], [1, JSON::PP::true], 'and ended';
        for my $subscriber (@subscriber) {
            is $subscriber->wait_closed, 'clean', 'the stream ends';
            is_deeply data_of($subscriber), ['last'], 'after the last event';
            is $subscriber->last_event_id, $told->{id}, 'whose id is the last one';
            is $server->get("/sub?channel=$channel", via => $via, cursor => $told->{id})->status, 204, 'then 204';
        }
        my $late = $server->get("/sub?channel=$channel", via => $via, cursor => $id);
        is $late->closed, 'clean', 'who comes later gets an end, too';
        is_deeply data_of($late), ['last'], 'after the replay';
    };
}

subtest 'without an event' => sub {
    is publish('/pub?channel=nobody&end', '')->status, 404, 'a channel that is not there cannot end';
    publish('/pub?channel=empty', 'first');
    my $answer = publish('/pub?channel=empty&end', '');
    is_deeply [$answer->status, @{ $answer->json }{qw(events ended id)}], [200, 0, JSON::PP::true, undef], 'the end alone';
    my $late = $server->get('/sub?channel=empty', cursor => '0-0');
    is_deeply data_of($late), ['first'], 'is no event';
    is_deeply publish('/pub?channel=empty&end=1', '')->json->{ended}, JSON::PP::true, 'twice is once';
};

subtest 'many events' => sub {
    for my $body ("1\n2\n3\n", "1\n2\n3") {
        publish('/pub?channel=many', 'anew');
        my $subscriber = $server->subscribe('/sub?channel=many')->ready;
        is publish('/lines?channel=many&end', $body)->json->{events}, 3, 'three events and the end';
        is $subscriber->wait_closed, 'clean', 'ended';
        is_deeply data_of($subscriber), [1, 2, 3], 'after all of them';
    }
    my $open = $server->request(POST => '/lines?channel=stream&end', stream => 1);
    $open->feed("one\n");
    my $subscriber = $server->subscribe('/sub?channel=stream', cursor => '0-0');
    is $subscriber->next_event->{data}, 'one', 'an open body';
    $open->feed("two\nthree");
    is $subscriber->next_event->{data}, 'two', 'goes on';
    is $open->end->finish->json->{events}, 3, 'until it is closed';
    is $subscriber->wait_closed, 'clean', 'which ends the channel';
    is_deeply data_of($subscriber), ['three'], 'after the rest';
};

subtest 'a body that breaks off' => sub {
    my $open = $server->request(POST => '/lines?channel=broken&end', stream => 1);
    $open->feed("one\n");
    my $subscriber = $server->subscribe('/sub?channel=broken', cursor => '0-0');
    is $subscriber->next_event->{data}, 'one', 'an event';
    $open->reset;
    publish('/pub?channel=broken', 'two');
    is $subscriber->next_event->{data}, 'two', 'ends nothing';
    my $bad = publish('/lines?channel=broken&end', "three\n\xff\n");
    is $bad->status, 201, 'a log may have any bytes';
    is $subscriber->wait_closed, 'clean', 'and its end counts';
};

subtest 'a channel that may not begin anew' => sub {
    publish('/once?channel=once', 'first');
    is publish('/once?channel=once&end', 'last')->json->{ended}, JSON::PP::true, 'ended';
    my $refused = publish('/once?channel=once', 'more');
    is $refused->status, 409, 'refused';
    like $refused->json->{error}, qr/ended/, 'because it has ended';
    is_deeply data_of($server->get('/sub?channel=once', cursor => '0-0')), [qw(first last)], 'nothing is published';
    is publish('/once?channel=once&end', '')->status, 200, 'it can be ended again';
    is publish('/pub?channel=once', 'anew')->status, 201, 'another location may publish';
    is publish('/once?channel=once', 'again')->status, 201, 'and then it is open';
    my $open = $server->request(POST => '/once?channel=cut', type => 'text/event-stream', stream => 1);
    $open->feed("data: 1\n\n");
    wait_until(sub { $server->get('/pub?channel=cut')->json->{last_id} }, 'an event');
    $server->request(DELETE => '/pub?channel=cut')->finish;
    $open->feed("data: 2\n\n");
    my $cut = $open->end->finish;
    is_deeply [$cut->status, $cut->json->{events}], [409, 1], 'whoever publishes when it ends is told how far it came';
};

subtest 'what says so' => sub {
    my $ends = sub ($path, @more) { return defined publish($path, 'x', @more)->json->{ended} };
    ok $ends->("/pub?channel=q&$_"),  $_ for qw(end end= end=1 end=yes a=b&end);
    ok !$ends->("/pub?channel=q&$_"), "not $_" for qw(end=0 end=false end=False ended=1 bend=1 END=1 x=end);
    ok $ends->('/fixed?channel=q'), 'the configuration';
    ok $ends->('/header?channel=q', headers => ['X-End' => $_]) , "a header: $_" for qw(1 yes);
    ok !$ends->('/header?channel=q', headers => ['X-End' => $_]), "not $_" for 0, 'false', 'False';
    ok !$ends->('/header?channel=q&end'), 'the argument does not count then';
    ok !$ends->('/never?channel=q&end'), 'nor where it is switched off';
    $server->request(POST => '/app?end', body => 'x')->finish;
    $server->request(POST => '/app?end', body => 'x')->finish;
    $server->get('/pub?channel=redirected');
    my $subscriber = $server->subscribe('/sub?channel=redirected', cursor => '0-0');
    is_deeply [$subscriber->data(2)], [qw(x x)], 'not the client of an application';
    publish('/pub?channel=redirected', 'y');
    is $subscriber->next_event->{data}, 'y', 'for which the channel goes on';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
