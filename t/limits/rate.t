# sse_max_rate: a body with more events has to wait, however it is sent and whatever happens in the meantime.
# needs: module quiet
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Uploads;
use SSE::Nginx;
use SSE::Util;

# The tolerance for times, in seconds.
my $coarse = 0.2;

my $rates = join "\n", map {
    my $rate = $_;
    map {"location = /$rate-$_ { sse_publish \$arg_channel; sse_framing $_; sse_max_rate $rate; client_max_body_size 0; client_body_timeout 1s; }"}
        qw(event lines ndjson sse)
} 1, 20, 100, 1000;
my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    workers   => 2,
    zone      => '16m',
    drain     => '20s',
    locations => <<"END",
$rates
        location = /free { sse_publish \$arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /both { mirror /copy; sse_publish \$arg_channel; client_body_buffer_size 16k; }
        location = /copy { internal; sse_publish copy; sse_framing lines; sse_max_rate 1000; }
END
);

# When each of so many events has arrived, counted from before the request: the first one may be seen late.
sub arrivals ($start, $subscriber, $count) {
    my @times;
    while (@times < $count) {
        my $event = $subscriber->next_event or last;
        push @times, (time) x (1 + $subscriber->{events}->@*);
        $subscriber->{events} = [];
    }
    return map { $_ - $start } @times;
}

# At any time there are no more events than a burst of one second and the elapsed time allow, and it does not take for ever.
sub is_paced ($times, $count, $rate, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is scalar @$times, $count, "$what: all come";
    my @early = grep { $_ + 1 > $rate * (1 + $coarse + $times->[$_]) } 0 .. $#$times;
    ok !@early, 'none earlier than the rate allows' or diag "number $early[0] after $times->[$early[0]] s";
    my $least = ($count - $rate) / $rate;
    cmp_ok $times->[-1], '>=', $least - $coarse, sprintf 'not before %.1f s', $least;
    cmp_ok $times->[-1], '<', 3 * $least + 5, 'and not much later';
}

sub wait_for_first ($channel) {
    wait_until(sub { $server->get("/pub?channel=$channel")->json->{last_id} }, 'the first event');
}

my %body = (
    lines  => sub ($count) { join '', map {"$_\n"} 1 .. $count },
    ndjson => sub ($count) { join '', map {"$_\n\n\n"} 1 .. $count },
    sse    => sub ($count) { stream_of(1 .. $count) },
);

for my $framing (sort keys %body) {
    subtest $framing => sub {
        my $subscriber = $server->subscribe("/sub?channel=$framing")->ready;
        my $start = time;
        my $publisher = $server->request(POST => "/100-$framing?channel=$framing", body => $body{$framing}->(300));
        is_paced([arrivals($start, $subscriber, 300)], 300, 100, 'a body with a length');
        is $publisher->finish->json->{events}, 300, 'all are counted';
        $start = time;
        $publisher = $server->stream("/100-$framing?channel=$framing");
        $publisher->feed($body{$framing}->(300))->end;
        is_paced([arrivals($start, $subscriber, 300)], 300, 100, 'one without');
        is $publisher->finish->json->{events}, 300, 'all are counted';
    };
}

# Each byte is an event.
subtest 'line feeds' => sub {
    my $subscriber = $server->subscribe('/sub?channel=feeds')->ready;
    my $start = time;
    my $publisher = $server->request(POST => '/20-lines?channel=feeds', body => "\n" x 60);
    is_paced([arrivals($start, $subscriber, 60)], 60, 20, 'the burst is no more than a second holds');
    is $publisher->finish->json->{events}, 60, 'all are counted';
    $start = time;
    is $server->publish('/1-lines?channel=feeds', "\n" x 4)->json->{events}, 4, 'one a second';
    cmp_ok time - $start, '>=', 2 - $coarse, 'takes its time: two at once, then one a second';
};

subtest 'slowly enough' => sub {
    my $start = time;
    is $server->publish('/1000-lines?channel=slow', "\n" x 1000)->json->{events}, 1000, 'a second holds the burst';
    is $server->publish('/1-event?channel=slow', "\n" x 300_000)->status, 201, 'one event is one event';
    cmp_ok time - $start, '<', 10, 'without a pause';
};

# Over HTTP/2, more of the body may arrive during a pause. The whole takes longer than client_body_timeout.
subtest 'HTTP/2' => sub {
    my $connection = SSE::Client::Uploads->new(port => $server->port('h2c'));
    my $start = time;
    my @stream = map { $connection->post('/20-lines?channel=h2') } 1 .. 3;
    for my $part (1 .. 4) {
        $connection->data($_, "\n" x 20, $part == 4) for @stream;
    }
    $connection->wait_until(sub { keys $connection->answers->%* == 3 });
    is_deeply [map { $connection->answers->{$_} =~ /"events":(\d+)/ } @stream], [(80) x 3], 'each has its own rate';
    cmp_ok time - $start, '>=', 3 - $coarse, 'and keeps it';

    my $open = $connection->post('/20-lines?channel=open');
    $connection->data($open, "\n" x 40);
    wait_for_first('open');
    $connection->data($open, "\n" x 40);
    # For so long the first body waits, and its client is not late.
    is $server->publish('/20-lines?channel=clock', "\n" x 100)->json->{events}, 100, 'some seconds pass';
    $connection->data($open, "\n", 1);
    $connection->wait_until(sub { exists $connection->answers->{$open} });
    like $connection->answers->{$open}, qr/"id":.*"events":81\b/, 'a pause does not count against the client';

    my $silent = $connection->post('/20-lines?channel=h2');
    $connection->data($silent, "\n" x 30 . 'x');
    $connection->wait_until(sub { exists $connection->answers->{$silent} });
    like $connection->answers->{$silent}, qr/paused.*"events":30\b/, 'but silence after it';
    $connection->close;
};

subtest 'from a temporary file' => sub {
    my $subscriber = $server->subscribe('/sub?channel=copy')->ready;
    my $text = join '', map { sprintf "%099d\n", $_ } 1 .. 3000;
    my $start = time;
    my $publisher = $server->request(POST => '/both?channel=both', body => $text);
    my @data;
    while (@data < 3000) {
        push @data, $subscriber->data(1), map { $_->{data} } splice $subscriber->{events}->@*;
    }
    my $took = time - $start;
    ok join('', map {"$_\n"} @data) eq $text, 'each line is an event';
    cmp_ok $took, '>=', 2 - $coarse, 'and they are paced';
    is $publisher->finish->status, 201, 'who has sent it is answered';
};

# What may happen to bodies that wait.
subtest 'a reload' => sub {
    my $known   = $server->request(POST => '/100-lines?channel=known', body => "\n" x 350);
    my $ended   = $server->stream('/100-lines?channel=ended')->feed("\n" x 350)->end;
    my $partial = $server->stream('/100-lines?channel=partial')->feed("\n" x 150);
    my $mirror  = $server->subscribe('/sub?channel=copy')->ready;
    my $file    = $server->request(POST => '/both?channel=file', body => "line\n" x 4000);
    wait_for_first($_) for qw(known ended partial);
    is $mirror->next_event->{data}, 'line', 'all of them have begun';
    my @old = $server->reload;
    my $taken = $partial->finish->json->{events};
    is $partial->status, 201, 'one that can be continued elsewhere is answered';
    cmp_ok $taken, '>=', 100, 'with what was taken';
    cmp_ok $taken, '<=', 150, 'and no more';
    for ($known, $ended) {
        is $_->finish->status, 201, 'one that is known to its end';
        is $_->json->{events}, 350, 'is taken to its end';
    }
    is $file->finish->status, 201, 'one that is mirrored';
    $server->wait_gone(@old);
    my $id = $mirror->last_event_id;
    $mirror->close;
    my $rest = $server->subscribe('/sub?channel=copy', cursor => $id);
    my $left = 4000 - 1 - $mirror->{events}->@*;
    is scalar(my @events = $rest->events($left)), $left, 'too';
};

subtest 'too short a drain' => sub {
    $server->wait_gone($server->reload(drain => '1s'));
    my $publisher = $server->request(POST => '/20-lines?channel=drain', body => "\n" x 400);
    wait_for_first('drain');
    my @old = $server->reload(drain => '20s');
    is $publisher->finish->status, 503, 'what is cut is refused';
    my $taken = $publisher->json->{events};
    cmp_ok $taken, '>=', 20, 'after what was taken';
    cmp_ok $taken, '<', 400, 'which was not all';
    $server->publish('/free?channel=drain', "the end\n");
    my @events = $server->subscribe('/sub?channel=drain', cursor => '0-0')->events($taken + 1);
    is $events[-1]{data}, 'the end', 'is counted';
    is scalar(grep { $_->{data} eq '' } @events), $taken, 'and is there';
    $server->wait_gone(@old);
};

subtest 'its client leaves' => sub {
    for my $leave (qw(close reset)) {
        my $publisher = $server->stream("/20-lines?channel=$leave")->feed("\n" x 60);
        wait_for_first($leave);
        $publisher->$leave;
        my @events = $server->subscribe("/sub?channel=$leave", cursor => '0-0')->events(61, 4);
        cmp_ok scalar @events, '<=', 60, "$leave: no more than was sent";
    }
};

subtest 'its worker is killed' => sub {
    my $publisher = $server->request(POST => '/20-lines?channel=kill', body => "\n" x 400);
    wait_for_first('kill');
    $server->allow(qr/exited on signal 9/, qr/zone "\w+" was locked by/);
    $server->kill9($_) for $server->workers;
    is $publisher->wait_closed, 'abort', 'there is no answer';
    is $server->publish('/20-lines?channel=kill', "\n" x 20)->json->{events}, 20, 'the next one begins anew';
};

# A single worker, and several bodies that are sent as fast as possible.
subtest 'others are served meanwhile' => sub {
    $server->wait_gone($server->reload(workers => 1));
    for my $location (qw(1000-lines free)) {
        my @pid = map {
            my $pid = fork // die "fork: $!";
            if (!$pid) {
                my $publisher = $server->stream("/$location?channel=busy$location");
                my $piece = ('x' x 99 . "\n") x 2000;
                $publisher->feed($piece) while 1;
            }
            $pid;
        } 1 .. 3;
        wait_for_first("busy$location");
        my @took = map {
            my $start = time;
            $server->get('/status')->status == 200 or die;
            time - $start;
        } 1 .. 30;
        diag sprintf '%s: an answer takes up to %.0f ms', $location, 1000 * max @took;
        # If a publisher had the worker to itself, there would be no answer before the publisher ends, which it never does.
        cmp_ok max(@took), '<', 5, "$location: at once";
        kill KILL => $_ for @pid;
        waitpid $_, 0 for @pid;
    }
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
