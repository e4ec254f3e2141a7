# A reload loads the module from another path, like a new version that is installed beside the old one. For a while there are both
# copies, each with workers and a zone of its own.
# needs: module faults
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $lines = 'location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }
        location = /all { sse_channel $arg_channel; sse_start earliest; }
        location = /close { sse_channel $arg_channel; sse_gap close; }';

# The names of the module's files that this process has mapped.
sub copies ($pid) {
    open my $maps, '<', "/proc/$pid/maps" or die "process $pid: $!";
    my %file = map { $_ => 1 } map {m{/([^/\n]+\.so)$}} readline $maps;
    return sort grep {/sse|copy/} keys %file;
}

subtest 'both at once' => sub {
    my $server = SSE::Nginx->start(workers => 2, locations => $lines, drain => '5s');
    my $before = descriptors($server->{pid});
    my @old    = $server->workers;
    my $ready  = $server->subscribe('/sub?channel=a')->ready->last_event_id;
    my $first  = $server->publish('/pub?channel=a', 'first')->json->{id};
    my @stays  = map { $server->subscribe_on($_, '/sub?channel=a', cursor => $ready) } (@old) x 4;
    is $_->next_event->{data}, 'first', 'an old stream' for @stays;
    my $to_old = $server->stream('/lines?channel=a');
    $to_old->feed("second\n");
    is $stays[0]->next_event->{data}, 'second', 'and a publisher that goes on';

    my $copy = $server->copy_module;
    my $mark = $server->log_mark;
    is_deeply [sort { $a <=> $b } $server->reload(module => $copy)], \@old, 'the old workers are still there';
    like $server->log_since($mark), qr/\[notice\] .*sse_zone "events" has taken over the events of another copy of the module/,
        'the master says what it has done';
    my ($one, $other) = $server->workers;
    my @new = map { $server->subscribe_on($_, '/sub?channel=a', cursor => $first) } $one, $other;
    is $_->next_event->{data}, 'second', 'who comes back goes on behind its cursor' for @new;
    my @id = map { $server->publish('/pub?channel=a', $_, on => $server->connect_to($one))->json->{id} } 'third', 'fourth';
    for my $subscriber (@new) {
        is_deeply [map { $subscriber->next_event->{id} } @id], \@id, 'and gets what is new, by wake-ups of the new workers';
    }
    is $server->get('/pub?channel=a')->json->{subscribers}, 2, 'those of the new workers are counted';
    $to_old->feed("late\n");
    my $answer = $to_old->end->finish;
    is $answer->status, 503, 'nothing goes into the old zone any more';
    is $answer->json->{events}, 1, 'its publisher is told what was taken';
    is $_->wait_closed, 'abort', 'an old stream ends' for @stays;
    $server->wait_gone(@old);
    is_deeply [copies($server->{pid})], [$copy =~ m{([^/]+)$}], 'the old copy is unloaded';
    my $open; # the master closes the channel to a worker a moment after the worker is gone
    eval { wait_until(sub { ($open = descriptors($server->{pid})) == $before }, 'all closed') };
    is $open, $before, 'and has left nothing open';

    my $status = $server->get('/status')->json;
    is $status->{zones}{events}{published}, 4, 'the count goes on';
    is $status->{subscribers}, 2, 'subscribers are who is there now';
    is_deeply [$server->subscribe('/sub?channel=a', cursor => '0-0')->data(4)], [qw(first second third fourth)],
        'everything is there, without a gap';

    $mark = $server->log_mark;
    $server->wait_gone($server->reload);
    unlike $server->log_since($mark), qr/taken over|lost/, 'the same path again: the zone is used on';
    is $server->subscribe('/sub?channel=a', cursor => $id[0])->next_event->{data}, 'fourth', 'and what is in it';

    $server->wait_gone($server->reload(module => 1, http => 'sse_zone events 8m;'));
    is $server->subscribe('/sub?channel=a', cursor => $id[0])->next_event->{data}, 'fourth', 'back, and another size';
    is_deeply [$server->stop], [], 'no trouble';
};

# The two zones have the same name but belong to different modules, so nothing can be taken over.
subtest q(another module's zone of that name) => sub {
    my %with = SSE::Nginx::usual(locations => $lines);
    my %other = (http => 'limit_req_zone $binary_remote_addr zone=events:4m rate=1000r/s;',
        server => 'location = /status { limit_req zone=events; return 200; }');
    my $server = SSE::Nginx->start(%other);
    is $server->get('/status')->status, 200, 'in use';
    my $mark = $server->log_mark;
    $server->wait_gone($server->reload(%with));
    $server->publish('/pub?channel=a', 'first');
    my $event = $server->subscribe('/sub?channel=a', cursor => '0-0')->next_event;
    is $event->{type}, 'message', 'a new zone, in which nothing is lost';
    unlike $server->log_since($mark), qr/sse_zone/, 'and nothing is said';
    $server->wait_gone($server->reload(%other));
    is $server->get('/status')->status, 200, 'and the other way round';
    is_deeply [$server->stop], [], 'no trouble';
};

# The module with fault points counts as another version.
subtest 'another layout' => sub {
    my $other = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
    my $server = SSE::Nginx->start(locations => $lines);
    my @old = map { $server->publish('/pub?channel=a', "old $_")->json->{id} } 1, 2;
    my $stays = $server->subscribe('/sub?channel=a', cursor => $old[0]);
    is $stays->next_event->{data}, 'old 2', 'an old stream';

    my $mark = $server->log_mark;
    $server->wait_gone($server->reload(module => $other));
    like $server->log_since($mark), qr/\[warn\] .*sse_zone "events" has lost its events: another version of the module/, 'there is a warning';
    is $stays->wait_closed, 'abort', 'an old stream ends';
    is $server->publish('/pub?channel=a', 'new')->status, 201, 'and a new log begins';

    my $told = sub ($cursor, $reason) {
        my $subscriber = $server->subscribe('/sub?channel=a', cursor => $cursor);
        my $gap = $subscriber->next_event;
        is $gap->{type}, 'gap', "$cursor is told a gap" or return;
        is_deeply decode_json($gap->{data}), { reason => $reason, requested => $cursor, start => $gap->{id} }, 'for that reason';
        is $subscriber->next_event->{data}, 'new', 'and gets what there is';
        is $server->subscribe('/sub?channel=a', cursor => $gap->{id})->next_event->{data}, 'new', 'the position it was told is no gap any more';
        is $server->get('/close?channel=a', cursor => $cursor)->status, 410, 'with sse_gap close it is a 410';
    };
    my ($milliseconds) = split /-/, $old[0];
    for my $round ('at once', 'after a reload that keeps the zone', 'after one that changes its size') {
        note $round;
        $told->($_, 'unknown') for @old;
        $told->($_, 'evicted') for '0-0', "$milliseconds-0";
        is $server->subscribe('/all?channel=a')->next_event->{data}, 'new', 'who comes without a cursor has missed nothing';
        $server->wait_gone($server->reload($round eq 'at once' ? () : (http => 'sse_zone events 8m;')));
    }
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
