# A long history is returned in many responses, none of which takes long or much memory; no event is too large for a response.
# needs: module quiet
use v5.36;
use lib 't/lib';
use List::Util qw(max);
use POSIX ();
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $megabyte = 1024 * 1024;

sub start_server (%option) {
    return SSE::Nginx->start(
        zone      => '72m',
        listen    => [qw(h1 h2c)],
        subscribe => 'sse_start earliest;',
        publish   => 'sse_max_event_size 0;',
        locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; sse_max_events 0; client_max_body_size 0; }',
        %option,
    );
}

sub publish_lines ($server, $count) {
    $server->publish('/lines?channel=long', join '', map { sprintf "%06d%s\n", $_, 'x' x 900 } 1 .. $count);
}

sub memory ($server) { return private_memory($server->workers) // plan skip_all => 'this kernel does not tell' }

sub takes_less ($bytes, $megabytes, $what) {
SKIP: {
        skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
        cmp_ok $bytes, '<', $megabytes * $megabyte, $what;
    }
}

subtest 'a long history' => sub {
    my $server = start_server();
    my $count  = 60_000;
    publish_lines($server, $count);
    my $connection = $server->connect;
    my $before     = memory($server);
    my ($most, $peak, $answers, $next, $wrong, $cursor) = (0, 0, 0, 1, 0, '0-0');
    while (1) {
        my $body = $server->get('/sub?channel=long&poll', on => $connection, cursor => $cursor)->body;
        my ($rest) = $body =~ /\],("cursor":.*\})\n\z/;
        my $close = JSON::PP->new->decode("{$rest");
        $wrong += $1 != $next++ while $body =~ /\{"id":"[-0-9]+","type":"message","data":"(\d{6})x{900}"\}/g;
        $cursor = $close->{cursor};
        $most   = max $most, length $body;
        $peak   = max $peak, memory($server) - $before if ++$answers % 10 == 0;
        last unless $close->{more};
    }
    is $next, $count + 1, 'all of it';
    is $wrong, 0, 'once and in order';
    cmp_ok $answers, '>', 200, "in $answers answers";
    cmp_ok $most, '<', 260 * 1024, 'of 256 KB and an event at most';
    takes_less($peak, 4, 'the worker holds no more than some of it');
    note sprintf 'the largest answer has %d bytes, the worker took %d KB more', $most, $peak / 1024;
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'large events' => sub {
    my $server = start_server();
    for my $via (qw(h1 h2c)) {
        for my $case (['x', $megabyte], ["\n", $megabyte], ["\xc3\xa9\"", $megabyte], ['x', 10 * $megabyte]) {
            my ($text, $size) = @$case;
            my $channel = 'large' . length($text) . ord($text) . "$size$via";
            my $data = $text x ($size / length $text);
            $server->publish("/pub?channel=$channel", $_) for 'before', $data, 'after';
            my $answer = $server->get("/sub?channel=$channel&poll", via => $via)->json;
            my @got = @{ $answer->{events} };
            utf8::decode($data);
            is_deeply [map { length $_->{data} } @got], [6, length $data], "$via: one of $size bytes, and what is before it";
            ok $got[1]{data} eq $data, 'as it was published';
            is $answer->{more}, JSON::PP::true, 'there is more';
            is_deeply [map { $_->{data} } $server->get("/sub?channel=$channel&poll", via => $via, cursor => $answer->{cursor})->json->{events}->@*],
                ['after'], 'which is next';
        }
    }
    is_deeply [$server->stop], [], 'no trouble';
};

# A poll is counted while its response is being made; if that took one go, each could be seen once at most.
subtest 'others do not wait for them' => sub {
    my $server = start_server();
    $server->publish('/pub?channel=blank', "\n" x $megabyte);
    my $readers = fork // die "fork: $!";
    if (!$readers) {
        my @client = map { $server->request(GET => '/sub?channel=blank&poll') } 1 .. 20;
        POSIX::_exit((grep { length $_->finish->body < 2 * $megabyte } @client) ? 1 : 0);
    }
    my $connection = $server->connect;
    my $status = sub { $server->get('/status', on => $connection)->json };
    wait_until(sub { $status->()->{subscribers} }, 'the first poll');
    my $seen = 0;
    while (waitpid($readers, POSIX::WNOHANG()) == 0) {
        $seen++ if $status->()->{subscribers};
    }
    is $?, 0, 'twenty long answers';
    cmp_ok $seen, '>', 100, 'and many others in between';
    note "$seen of them";
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'a worker that leaves at once' => sub {
    my $server = start_server(drain => '0');
    $server->publish('/pub?channel=blank', $_) for 'first', "\n" x $megabyte, 'last';
    my @client = map { $server->request(GET => '/sub?channel=blank&poll&last_event_id=0-0') } 1 .. 20;
    my $status = $server->connect;
    wait_until(sub { $server->get('/status', on => $status)->json->{subscribers} == 20 }, 'polls that are being made');
    my @old = $server->reload;
    my $short = 0;
    for my $answer (map { $_->json } @client) {
        my @length = map { length $_->{data} } @{ $answer->{events} };
        $short++ if @length < 2;
        for (1 .. 3) {
            last unless $answer->{more};
            $answer = $server->get('/sub?channel=blank&poll', cursor => $answer->{cursor})->json;
            push @length, map { length $_->{data} } @{ $answer->{events} };
        }
        is_deeply \@length, [5, $megabyte, 4], 'what it cuts short goes on';
    }
    cmp_ok $short, '>', 0, 'some are cut short';
    note "$short of them";
    $server->wait_gone(@old);
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'clients that do not read' => sub {
    my $server = start_server(events => 'worker_connections 1024;', listen_flags => 'sndbuf=16k');
    publish_lines($server, 2000);
    my $before = memory($server);
    my @client = map { $server->request(GET => '/sub?channel=long&poll', rcvbuf => 4096)->stall } 1 .. 600;
    wait_until(sub { my $status = $server->get('/status')->json; $status->{delivered} && !$status->{subscribers} }, 'all answers to be made');
    my $held = memory($server) - $before;
    takes_less($held, 100, 'hold less than 256 KB each');
    note sprintf '%d MB', $held / $megabyte;
    my @length = map { length $_->resume->finish->body } @client[0, -1];
    cmp_ok $length[0], '>', 256 * 1024, 'the first ones have got so much';
    cmp_ok $length[1], '<', 64 * 1024, 'late ones get less at a time';
    $_->close for @client;
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'large events for clients that do not read' => sub {
    my $server = start_server(events => 'worker_connections 1024;', listen_flags => 'sndbuf=16k');
    # The buffer grows by half each time, and the heap does not return all of the smaller buffers.
    for my $case (['x', 3], ["\x01", 12]) {
        my ($text, $times) = @$case;
        my $channel = sprintf 'large%02x', ord $text;
        is $server->publish("/pub?channel=$channel", $text x $megabyte)->status, 201, 'published';
        my $before    = memory($server);
        my $delivered = $server->get('/status')->json->{delivered};
        my @client    = map { $server->request(GET => "/sub?channel=$channel&poll", rcvbuf => 4096)->stall } 1 .. 20;
        wait_until(
            sub {
                my $status = $server->get('/status')->json;
                return $status->{delivered} >= $delivered + @client && !$status->{subscribers};
            },
            'all answers to be made'
        );
        my $held = memory($server) - $before;
        cmp_ok $held, '<', @client * $times * $megabyte, "hold less than $times times the event each";
        note sprintf '%d KB for each', $held / @client / 1024;
        $_->close for @client;
    }
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
