# Several channels on one connection: one order, one cursor.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => ['h1', 'h2c'],
    locations => <<'END',
location = /both   { sse_channel $arg_a $arg_b; }
        location = /fixed  { sse_channel news user-$arg_user; }
        location = /list   { sse_channel $arg_list separator=,; sse_max_channels 64; }
        location = /mixed  { sse_channel $arg_list always separator=|; }
        location = /commas { sse_channel $arg_list; }
        location = /last    { sse_channel $arg_a $arg_b; sse_start last=2; }
        location = /history { sse_channel $arg_a $arg_b; sse_start earliest; sse_history 2; }
        location = /start   { sse_channel $arg_a; sse_start $arg_start; }
END
);

sub publish ($channel, $data) { return $server->publish("/pub?channel=$channel", $data)->json->{id} }

subtest 'each of them' => sub {
    for my $case (['/both?a=x&b=y', qw(x y)], ['/both?a=x', 'x'], ['/both?b=y', 'y'], ['/fixed?user=7', qw(news user-7)],
        ['/list?list=x,y,z', qw(x y z)], ['/list?list=,x,,y,', qw(x y)], ['/mixed?list=x|y', qw(x y always)],
        ['/mixed?list=', 'always'], ['/commas?list=x,y', 'x,y'], ['/list?list=x,x,x', 'x'])
    {
        my ($path, @channels) = @$case;
        my $subscriber = $server->subscribe($path)->ready;
        publish('not-this-one', 'no');
        publish($_, "on $_") for @channels;
        publish($_, 'end') for $channels[0];
        is_deeply [$subscriber->data(@channels + 1)], [(map {"on $_"} @channels), 'end'], $path;
        $subscriber->close;
    }
    for my $path ('/both', '/list', '/list?list=', '/list?list=,,,') {
        is $server->get($path)->status, 400, "$path names none";
    }
};

subtest 'as many as may be' => sub {
    my $list = join ',', map {"n$_"} 1 .. 64;
    my $subscriber = $server->subscribe("/list?list=$list")->ready;
    publish("n$_", $_) for 1 .. 64;
    is_deeply [$subscriber->data(64)], [1 .. 64], 'sixty-four';
    is $server->get("/list?list=$list,n65")->status, 400, 'one more is refused';
};

subtest 'one cursor for all' => sub {
    seed();
    my @channel = map {"m$_"} 1 .. 50;
    my $list    = join ',', @channel;
    my $first   = $server->subscribe("/list?list=$list")->ready;
    my @all     = map { my $number = $_; { data => $number, id => publish($channel[rand 40], $number) } } 1 .. 400;
    my @seen    = $first->events(400);
    is_deeply [map { $_->{data} } @seen], [1 .. 400], 'the order in which they were published';
    is_ascending [map { $_->{id} } @seen], 'and of their ids';
    for my $via (qw(h1 h2c)) {
        for (1 .. 10) {
            my $at = int rand 399;
            my $subscriber = $server->subscribe("/list?list=$list", cursor => $all[$at]{id}, via => $via);
            is_deeply [$subscriber->data(399 - $at)], [$at + 2 .. 400], "$via: all that follows number @{[$at + 1]}";
            $subscriber->close;
        }
    }
    my $wider = $server->subscribe("/list?list=$list,news", cursor => $all[-1]{id});
    publish('news', 'new');
    is $wider->next_event->{data}, 'new', 'a channel more on return';
};

# The position at the start of a stream leads back to the same events, even if one of its channels is silent.
for my $path ('/last', '/history') {
    subtest "the position of a stream with a silent channel: $path" => sub {
        my $channel = $path =~ s{/}{}r;
        $server->publish("/pub?channel=$channel", "old $_") for 1 .. 5;
        for my $order ("a=$channel&b=silent-$channel", "a=silent-$channel&b=$channel") {
            my $first = $server->subscribe("$path?$order");
            is_deeply [$first->data(2)], ['old 4', 'old 5'], 'the first time';
            my $again = $server->subscribe("$path?$order", cursor => $first->header('Last-Event-ID'));
            is_deeply [map { "$_->{type} $_->{data}" } $again->events(2)], ['message old 4', 'message old 5'], 'and again';
        }
    };
}

is $server->get('/start?a=x&start=last=0')->status, 400, 'no event is no place to begin at';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
