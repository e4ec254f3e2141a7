# The memory of bodies that stay open: none between events, inside an event no more than is allowed for one client, and not for long.
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use Test::More;
use SSE::Client::Uploads;
use SSE::Nginx;
use SSE::Process;

my %framing = (lines => ['', "\n"], ndjson => ['', "\n"], sse => ['data: ', "\n\n"]);

# A location for each framing, with these directives.
sub locations ($prefix, $directives) {
    return join "\n", map {"location = /$prefix-$_ { sse_publish \$arg_channel; sse_framing $_; client_max_body_size 0; $directives }"}
        qw(event lines ndjson sse);
}

my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    zone      => '32m',
    events    => 'worker_connections 2048;',
    locations => join("\n",
        locations(free    => ''),
        locations(limited => 'sse_max_client_memory 1m;'),
        locations(brief   => 'sse_max_client_memory 1m; client_body_timeout 1s;'),
        locations(short   => 'client_body_timeout 1s; sse_publish_timeout 1h;'),
        locations(reset   => 'client_body_timeout 1s; reset_timedout_connection on;'),
        locations(idle    => 'client_body_timeout 1h; sse_publish_timeout 1s;'),
        'location = /linger-lines { sse_publish c; sse_framing lines; sse_max_client_memory 1m; lingering_time 1h; lingering_timeout 1h; }',
        'location = /page-lines { sse_publish c; sse_framing lines; sse_max_client_memory 1m; error_page 429 = @full; }',
        'location @full { return 200 "full"; }',
    ),
);

# The only worker has taken everything that was sent before these requests when they are answered.
sub settle { $server->get('/status') for 1 .. 3 }

# The text of an event without its end.
sub partial ($framing, $bytes) { return ($framing{$framing} // [''])->[0] . 'x' x $bytes }

sub last_id ($channel) { return $server->get("/pub?channel=$channel")->json->{last_id} // '' }

# Waits until the account of this client is empty: then there is room for almost all of it again.
sub wait_for_room ($what) {
    ok eval {
        wait_until(
            sub {
                my $publisher = $server->stream('/limited-lines?channel=room');
                $publisher->feed('x' x 1_000_000);
                my $kept = !$publisher->pump_until(sub { defined $publisher->{status} }, 0.2);
                $publisher->close;
                $kept;
            },
            'room'
        );
    }, "$what: all of it is given back" or diag $@;
}

# Fifty bodies that have held an event of a megabyte and stay open.
subtest 'idle bodies give their memory back' => sub {
    for my $framing (qw(lines ndjson sse)) {
        # A new worker, whose allocator has kept nothing.
        $server->wait_gone($server->reload);
        my ($worker) = $server->workers;
        my ($count, $before) = (50, private_memory($worker));
        my ($start, $end) = $framing{$framing}->@*;
        my @open;
        for my $number (1 .. $count) {
            my $publisher = $server->stream("/free-$framing?channel=idle");
            my $id = last_id('idle');
            # In parts, so that the event has to be assembled, and its end is certainly read separately.
            $publisher->feed($start . 'x' x 500_000);
            $publisher->feed('x' x 500_000);
            $publisher->feed($end);
            wait_until(sub { last_id('idle') ne $id }, 'the event');
            push @open, $publisher;
        }
        settle();
        my $each = (private_memory($worker) - $before) / $count;
        diag sprintf '%s: an idle body takes %.0f bytes', $framing, $each;
        SKIP: {
            skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
            cmp_ok $each, '<', 60_000, "$framing: no more than nginx needs to read on";
        }
        is scalar(grep { $_->closed } @open), 0, 'all of them are open';
        $_->feed($start . 'y' . $end)->end for @open;
        is scalar(grep { $_->finish->json->{events} == 2 } @open), $count, 'and go on';
    }
};

# The limit applies to all bodies of a client together, whatever their connections and channels are.
for my $framing (qw(event lines ndjson sse)) {
    subtest "many bodies, each with a part of an event: $framing" => sub {
        my (@open, @refused);
        for my $number (1 .. 20) {
            my $publisher = $server->stream("/limited-$framing?channel=$framing$number");
            $publisher->feed(partial($framing, 100_000));
            settle();
            push @{ defined $publisher->poll->{status} ? \@refused : \@open }, $publisher;
            last if @refused;
        }
        cmp_ok scalar @open, '>=', 7,  'most of a megabyte is taken';
        cmp_ok scalar @open, '<=', 10, 'and not more than it';
        is $refused[0]->status, 429, 'then one is refused';
        my $answer = $refused[0]->json;
        like $answer->{error}, qr/memory/, 'and told why';
        is $answer->{events}, $framing eq 'event' ? undef : 0, 'and how much of it was taken';
        is $refused[0]->wait_closed, 'clean', 'in a whole answer';
        is $server->publish("/limited-$framing?channel=whole", 'x' x 1000 . "\n\n")->status < 300 ? 1 : 0, 1,
            'what comes at once needs none of it';
        $_->close for splice @refused;
        ($open[0])->feed('x' x 10);
        if ($framing eq 'event') { $open[0]->end }
        else                     { $open[0]->feed($framing{$framing}[1])->end }
        is $open[0]->finish->status, 201, 'one of the others is finished';
        my $next = $server->stream("/limited-$framing?channel=next");
        $next->feed(partial($framing, 60_000));
        settle();
        ok !defined $next->poll->{status}, 'which makes room for the next';
        $next->close;
        $_->close for @open;
        wait_for_room('closed');
    };
}

subtest 'however a body ends, its memory is given back' => sub {
    my $open = sub ($location, @more) {
        my @open = map { $server->stream("/$location?channel=ends", @more) } 1 .. 7;
        $_->feed('x' x 100_000) for @open;
        return @open;
    };
    $_->reset for $open->('limited-lines');
    wait_for_room('aborted');

    $_->feed("\n")->end->finish for $open->('limited-lines');
    wait_for_room('finished');

    my @timed = $open->('brief-lines');
    is scalar(grep { $_->finish->status == 408 } @timed), 7, 'all have timed out';
    wait_for_room('timed out');

    my @bad = $open->('limited-ndjson');
    is scalar(grep { $_->feed("\xff\n")->end->finish->status == 400 } @bad), 7, 'all are refused';
    wait_for_room('refused');

    $_->close for $open->('limited-lines', via => 'h2c');
    wait_for_room('closed over HTTP/2');

    my @left = $server->reload;
    wait_for_room('after a reload');
    my @old = $open->('limited-lines');
    settle(); # otherwise the new worker could accept one of the connections
    push @left, $server->reload;
    is scalar(grep { $_->finish->status == 503 } @old), 7, 'the old worker refuses what is not complete';
    $server->wait_gone(@left);
    wait_for_room('reloaded');
};

# nginx reads on from a client that is refused and goes on sending, but keeps nothing of it.
subtest 'a body that has been refused keeps nothing' => sub {
    my ($greedy, $other) = map { $server->stream('/linger-lines') } 1 .. 2;
    $other->feed('x' x 400_000);
    $greedy->feed('x' x 900_000);
    wait_until(sub { grep { $_->poll; defined $_->{status} } $greedy, $other }, 'a refusal');
    my @refused = grep { defined $_->{status} } $greedy, $other;
    is scalar @refused, 1, 'one of two has no room';
    my ($kept) = grep { !defined $_->{status} } $greedy, $other;
    $kept->close;
    wait_for_room('while the connection lingers');
    $refused[0]->close;
};

subtest 'a refusal goes through error_page' => sub {
    my @open = map { $server->stream('/page-lines') } 1 .. 12;
    $_->feed('x' x 100_000) for @open;
    my $refused;
    wait_until(sub { ($refused) = grep { $_->poll; defined $_->{status} } @open; $refused }, 'a refusal');
    is $refused->finish->body, 'full', 'as others do';
    $_->close for @open;
    wait_for_room('with error_page');
};

subtest 'one connection of HTTP/2 is one client' => sub {
    my $connection = SSE::Client::Uploads->new(port => $server->port('h2c'));
    my @stream = map { $connection->post("/limited-lines?channel=h2-$_") } 1 .. 60;
    $connection->data($_, 'x' x 30_000) for @stream;
    $connection->wait_until(sub { keys $connection->answers->%* >= 20 });
    my $answers = $connection->answers;
    my @other = grep { $answers->{$_} !~ /takes? too much memory/ } keys %$answers;
    is scalar @other, 0, 'those beyond the limit are refused' or diag $answers->{ $other[0] };
    cmp_ok scalar keys %$answers, '<=', 45, 'the others are not';
    my ($open) = grep { !exists $answers->{$_} } @stream;
    $connection->data($open, "\n", 1);
    $connection->wait_until(sub { exists $connection->answers->{$open} });
    like $connection->answers->{$open}, qr/"events":1\b/, 'they can be finished';
    $connection->close;
    wait_for_room('closed');
};

# Inside an event a client may pause for client_body_timeout, between events for sse_publish_timeout.
subtest 'timeouts' => sub {
    for my $location (qw(short reset)) {
        for my $framing (qw(lines ndjson sse event)) {
            my ($start, $end) = ($framing{$framing} // ['', ''])->@*;
            my $publisher = $server->stream("/$location-$framing?channel=time");
            $publisher->feed($_) for ("${start}one$end") x 2, "${start}tw";
            is $publisher->wait_closed, 'clean', "$framing, $location: answered";
            is $publisher->status, 408, 'with a timeout';
            is $publisher->json->{events}, $framing eq 'event' ? undef : 2, 'that tells how many were taken';
            like $publisher->json->{error}, qr/paused/, 'and why';
            is $publisher->header('Connection'), 'close', 'the connection ends';
            $publisher->shut;
            $publisher->{ended} = '';
            is $publisher->wait_closed, 'abort', 'as the answer says';
        }
    }
    for my $framing (qw(lines ndjson sse)) {
        my ($start, $end) = $framing{$framing}->@*;
        my $open = sub ($location, $text) { $server->stream("/$location-$framing?channel=time")->feed("${start}one$end$text") };
        my $patient = $open->('short', '');
        my $partial = $open->('idle', "${start}tw");
        my $idle    = $open->('idle', '');
        is $idle->finish->status, 408, "$framing: between events sse_publish_timeout counts";
        is $idle->json->{events}, 1, 'and the answer tells of the event';
        # Two more, which begin after the others.
        is $open->('short', "${start}tw")->finish->status, 408, 'inside an event client_body_timeout counts' for 1 .. 2;
        is $patient->closed, '', 'and not between events';
        is $partial->closed, '', 'nor sse_publish_timeout inside of one';
        $_->close for $patient, $partial;
    }
};

subtest 'timeouts of streams of one HTTP/2 connection' => sub {
    my $connection = SSE::Client::Uploads->new(port => $server->port('h2c'));
    for my $framing (qw(lines ndjson sse)) {
        my ($start, $end) = $framing{$framing}->@*;
        my $post = sub ($location, $text) {
            my $stream = $connection->post("/$location-$framing?channel=time");
            $connection->data($stream, "${start}one$end$text");
            return $stream;
        };
        my @late    = ($post->('short', "${start}tw"), $post->('reset', "${start}tw"), $post->('idle', ''));
        my @patient = ($post->('short', ''), $post->('idle', "${start}tw"));
        $connection->wait_until(sub { !grep { !exists $connection->answers->{$_} } @late });
        my @after = $post->('short', "${start}tw");
        $connection->wait_until(sub { !grep { !exists $connection->answers->{$_} } @after });
        my @wrong = grep { $connection->answers->{$_} !~ /paused.*"events":1\b/ } @late, @after;
        is_deeply [map { $connection->answers->{$_} } @wrong], [], "$framing: those that are late are told so";
        is scalar(grep { exists $connection->answers->{$_} } @patient), 0, 'the others are waited for';
        $connection->data($_, $end, 1) for @patient;
        $connection->wait_until(sub { !grep { !exists $connection->answers->{$_} } @patient });
        is scalar(grep { $connection->answers->{$_} =~ /"id":/ } @patient), 2, 'until they are complete';
    }
    $connection->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
