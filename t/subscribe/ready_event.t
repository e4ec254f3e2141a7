# A new subscriber gets its position before the first event, so that it can come back to it.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c h2)],
    locations => <<'END',
location = /message  { sse_channel $arg_channel; sse_prime message; }
        location = /named    { sse_channel $arg_channel; sse_prime event=hello; }
        location = /unprimed { sse_channel $arg_channel; sse_prime off; }
        location = /earliest { sse_channel $arg_channel; sse_start earliest; }
END
);

# A client that is cut off right after it has its position gets what is published until it comes back.
sub resumes ($path, $channel, $id, %option) {
    $server->publish("/pub?channel=$channel", 'meanwhile');
    my $again = $server->subscribe("$path?channel=$channel", cursor => $id, %option);
    my $event = $again->next_event;
    is $event->{data}, 'meanwhile', 'nothing is lost in between';
}

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    for my $way ([sub => 'ready'], [named => 'hello'], [message => 'message']) {
        my ($path, $type) = @$way;
        subtest "/$path over $via" => sub {
            my $channel    = "$path-$via";
            my $subscriber = $server->subscribe("/$path?channel=$channel", via => $via);
            my $event      = $subscriber->next_event;
            is $event->{type}, $type, $type;
            like $event->{id}, qr/\A\d+-\d+\z/, 'with an id';
            is $event->{data}, $type eq 'message' ? '' : qq({"id":"$event->{id}"}), 'and data';
            my ($bare, $block) = $subscriber->body =~ /\A:\nretry: (\d+)\n(.*?\n)\n\z/s;
            my $name = $type eq 'message' ? '' : "event: $type\nretry: $bare\n";
            is $block, "id: $event->{id}\n${name}data: $event->{data}\n", 'on the wire';
            $subscriber->reset;
            resumes("/$path", $channel, $event->{id}, via => $via);
        };
    }
}

subtest 'none' => sub {
    my $subscriber = $server->subscribe('/unprimed?channel=none');
    wait_until(sub { $server->publish('/pub?channel=none', 'x')->json->{subscribers} }, 'a subscriber');
    is $subscriber->next_event->{data}, 'x', 'nothing but events with sse_prime off';
};

subtest 'whoever has a position needs none' => sub {
    my $id = $server->publish('/pub?channel=has', 'first')->json->{id};
    my @subscriber = (
        $server->subscribe('/sub?channel=has', cursor => $id),
        $server->subscribe('/earliest?channel=has', cursor => $id),
        $server->subscribe('/earliest?channel=has')
    );
    $_->status for @subscriber;
    $server->publish('/pub?channel=has', 'second');
    is_deeply [$subscriber[$_]->data(1)], ['second'], 'a cursor' for 0, 1;
    is_deeply [$subscriber[2]->data(2)], ['first', 'second'], 'an event that is replayed';
    is $server->subscribe('/earliest?channel=empty')->next_event->{type}, 'ready', 'but not the wish for one';
};

subtest 'the position moves on with what is not for this subscriber' => sub {
    my $id = $server->publish('/pub?channel=other', 'x')->json->{id};
    my $position = $server->subscribe('/sub?channel=mine')->next_event->{id};
    is $position, $id, 'it is that of the newest event of the zone';
};

# The worker gets everything in one go: what is published before the subscriber comes, and what is published after that.
subtest 'nothing follows from before the position' => sub {
    my ($worker) = $server->workers;
    my $another  = $server->subscribe('/sub?channel=at-once')->ready; # so that the worker collects the channel's events
    my @connection = map { $server->connect_to($worker) } 1 .. 3;
    freeze($worker);
    my $before     = $server->request(POST => '/pub?channel=at-once', body => 'before', on => $connection[0]);
    my $subscriber = $server->subscribe('/sub?channel=at-once', on => $connection[1]);
    my $after      = $server->request(POST => '/pub?channel=at-once', body => 'after', on => $connection[2]);
    thaw($worker);
    is $subscriber->next_event->{id}, $before->finish->json->{id}, 'it has come between the two';
    is $subscriber->next_event->{data}, 'after', 'and gets the later one';
    is $after->finish->status, 201, 'which was published';
    is_deeply [$another->data(2)], ['before', 'after'], 'who was there gets both';
};

done_testing;
