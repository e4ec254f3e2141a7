# HTTP/3, with a curl that supports it: streams do not have a socket each, but the buffers and windows of QUIC.
use v5.36;
use lib 't/lib';
use Fcntl qw(F_SETFD);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Util;

my $lacking = SSE::Nginx::lacks_http3();
plan skip_all => $lacking if $lacking;

# Takes connections and never answers.
my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no socket: $!";

my %usual = (
    listen => [qw(h1 h3)],
    http   => 'sse_zone events 64m; log_format reason "$sse_channel $sse_close_reason";',
    server => <<'END' =~ s/PORT/$silent->sockport/er,
access_log reasons.log reason;
        location = /sub    { sse_channel $arg_channel; sse_heartbeat off; }
        location = /beat   { sse_channel $arg_channel; sse_heartbeat 1s; }
        location = /brief  { sse_channel $arg_channel; sse_send_timeout 2s; }
        location = /pub    { sse_publish $arg_channel; access_log off; }
        location = /lines  { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; access_log off; }
        location = /acts   { sse_channel $arg_channel; sse_heartbeat off; post_action /action; }
        location = /action { internal; proxy_pass http://127.0.0.1:PORT; }
        location = /status { sse_status; access_log off; }
END
);
my $server    = SSE::Nginx->start(%usual);
my $publisher = $server->connect;

sub subscribe ($path, %option) { return $server->subscribe($path, via => 'h3', %option) }

# Publishes numbered events of so many bytes.
sub flood ($channel, $size, @numbers) {
    for (@numbers) {
        $server->publish("/pub?channel=$channel", "$_ " . 'x' x $size, on => $publisher)->status == 201 or die 'not published';
    }
}

sub number ($event) { return $event ? ($event->{data} =~ /\A(\d+) x*\z/)[0] // $event->{type} : 'nothing' }

sub numbers ($client, $count) { return [map { number($_) } $client->events($count)] }

sub subscribers ($channel, $of = $server) { return $of->get("/pub?channel=$channel")->json->{subscribers} }

# After a whole event, by a reset of the stream. (If the connection ends just after the stream, a curl that uses the QUIC of OpenSSL
# may see the end of the connection first.)
sub is_cut_off ($client) {
    state $other = `curl --version` =~ /\bngtcp2\b/ ? qr/(?!)/ : qr/QUIC connection has been shut down/;
    return !$client->pending && $client->closed eq 'abort' && $client->complaints =~ /reset by server|$other/;
}

sub reason_is ($channel, $reason, $of = $server) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until(sub { $of->read_file('reasons.log') =~ /^\Q$channel\E /m }, 'the reason in the log');
    is_deeply [$of->read_file('reasons.log') =~ /^\Q$channel\E (.*)$/mg], [$reason], "logged with the reason \"$reason\"";
}

subtest 'a stream' => sub {
    my $client = subscribe('/sub?channel=plain');
    is $client->status, 200, 'is answered';
    like $client->raw, qr{\AHTTP/3 200}, 'over HTTP/3';
    is $client->header('Content-Type'), 'text/event-stream; charset=utf-8', 'as an event stream';
    $client->ready;
    like $client->body, qr/\A:\nretry: \d+\nid: /, 'the first bytes are there at once';
    is subscribers('plain'), 1, 'it is counted';
    for (1 .. 20) {
        flood(plain => 10, $_);
        is number($client->next_event), $_, "event $_ comes while the stream is open";
    }
    is $server->request(DELETE => '/pub?channel=plain')->finish->status, 200, 'the channel ends';
    is $client->wait_closed, 'clean', 'and so does the stream, properly';
    wait_until(sub { subscribers('plain') == 0 }, 'nobody to be counted');
    reason_is(plain => 'ended');
};

subtest 'coming back' => sub {
    flood(history => 8000, 1 .. 1200);
    my $client = subscribe('/sub?channel=history', cursor => '0-0');
    is $client->status, 200, 'while it reads';
    my @seen = map { number($_) } $client->events(10);
    $client->stall;
    sleep 2; # the client takes nothing for so long
    push @seen, @{ numbers($client->resume, 1190) };
    is_deeply \@seen, [1 .. 1200], 'a long history comes whole, in spite of a pause';
    my $last = $client->last_event_id;
    $client->close;
    flood(history => 10, 1201 .. 1210);
    is_deeply numbers(subscribe('/sub?channel=history', cursor => $last), 10), [1201 .. 1210], 'later only what is new';
};

subtest 'a pause' => sub {
    my $client  = subscribe('/sub?channel=pause')->ready->stall;
    my $witness = $server->subscribe('/sub?channel=pause')->ready;
    flood(pause => 8000, 1 .. 1200);
    is_deeply numbers($witness, 1200), [1 .. 1200], 'holds up nobody';
    sleep 2;
    is_deeply numbers($client->resume, 1200), [1 .. 1200], 'and loses nothing';
    flood(pause => 10, 1);
    is number($client->next_event), 1, 'then it is live again';
};

subtest 'too long a pause' => sub {
    my $client = subscribe('/brief?channel=stuck')->ready->stall;
    my $before = $server->get('/status')->json->{slow_closes};
    my $number = 100;
    flood(stuck => 8000, 1 .. $number);
    wait_until(
        sub {
            flood(stuck => 100, ++$number);
            return $server->get('/status')->json->{slow_closes} > $before;
        },
        'it to be let go'
    );
    reason_is(stuck => 'slow');
    is $client->resume->wait_closed, 'abort', 'it is told that the stream is cut off';
    my @seen = map { number($_) } $client->events($number, 0);
    is_deeply \@seen, [1 .. @seen], 'what it has got is in order';
    my $back = subscribe('/sub?channel=stuck', cursor => $client->last_event_id);
    is_deeply numbers($back, $number - @seen), [@seen + 1 .. $number], 'it comes back and gets the rest';
};

# Two streams of one curl on one connection. Returns its process, and by channel the pipes to which it writes.
sub two_streams ($path, @channels) {
    my (%reader, @command, @writer);
    my $base = 'https://127.0.0.1:' . $server->port('h3');
    for my $channel (@channels) {
        pipe $reader{$channel}, my $writer or die "pipe: $!";
        fcntl $writer, F_SETFD, 0 or die "fcntl: $!";
        push @command, '-D', $server->prefix . "/$channel.head", '-o', '/dev/fd/' . fileno $writer, "$base$path?channel=$channel";
        push @writer, $writer;
    }
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $_ for values %reader;
        exec qw(curl -q -s -N -k -g --noproxy * --http3-only -Z), @command or POSIX::_exit(127);
    }
    return ($pid, \%reader);
}

sub wait_for_text ($handle, $pattern) {
    my $text = '';
    while ($text !~ $pattern) {
        my $bits = '';
        vec($bits, fileno $handle, 1) = 1;
        select $bits, undef, undef, $SSE::Client::Patience or die "waited in vain for $pattern in: $text\n";
        sysread $handle, $text, 65536, length $text or die "it ends without $pattern: $text\n";
    }
    return $text;
}

subtest 'one of two streams of a connection is cancelled' => sub {
    my ($pid, $reader) = two_streams(qw(/sub left right));
    wait_for_text($_, qr/event: ready/) for values %$reader;
    is_deeply [map { subscribers($_) } qw(left right)], [1, 1], 'both are there';
    close delete $reader->{left};
    flood(left => 10, 1); # curl notices that the pipe is closed when it writes this
    wait_until(sub { subscribers('left') == 0 }, 'it to be taken out');
    reason_is(left => 'client');
    flood(right => 10, 1);
    like wait_for_text($reader->{right}, qr/x\n\n/), qr/data: 1 x/, 'the other goes on';
    kill KILL => $pid;
    waitpid $pid, 0;
};

# nginx keeps this request for the action.
subtest 'and one with a post_action' => sub {
    my ($pid, $reader) = two_streams(qw(/acts gone stays));
    wait_for_text($_, qr/event: ready/) for values %$reader;
    close delete $reader->{gone};
    flood(gone => 10, 1);
    ok eval { wait_until(sub { subscribers('gone') == 0 }, 'it to be taken out') }, 'is no subscriber any more';
    flood($_ => 10, 2) for qw(gone stays);
    like wait_for_text($reader->{stays}, qr/x\n\n/), qr/data: 2 x/, 'the other goes on';
    kill KILL => $pid;
    waitpid $pid, 0;
};

subtest 'publishing' => sub {
    my $client = subscribe('/sub?channel=said')->ready;
    my $answer = $server->publish('/pub?channel=said', 'hello', via => 'h3');
    is_deeply [$answer->status, $answer->json->{subscribers}, $answer->json->{events}], [201, 1, 1], 'an event';
    is $client->next_event->{data}, 'hello', 'arrives';
    my $stream = $server->stream('/lines?channel=said', via => 'h3');
    for (1 .. 50) {
        $stream->feed("line $_\n");
        is $client->next_event->{data}, "line $_", "line $_ arrives while the body is open";
    }
    $stream->feed('the ')->feed('last')->end;
    is $client->next_event->{data}, 'the last', 'what the end of the body ends, too';
    is_deeply [$stream->status, $stream->json->{events}], [201, 51], 'and the answer comes';
    my $body = join '', map {"$_ " . 'x' x 1000 . "\n"} 1 .. 3000;
    is $server->publish('/lines?channel=said', $body, via => 'h3')->json->{events}, 3000, 'a large body';
    is_deeply numbers($client, 3000), [1 .. 3000], 'arrives whole';
    is $server->publish('/pub?channel=', 'x', via => 'h3')->status, 400, 'a refusal is told';
};

# For QUIC keepalive_timeout is the time after which a silent connection is dead.
subtest 'silence' => sub {
    my $brief = SSE::Nginx->start(%usual, http => "$usual{http} keepalive_timeout 3s;");
    my $start = time;
    my ($beating, $gone) = map { $brief->subscribe($_, via => 'h3')->ready } '/beat?channel=beating', '/sub?channel=gone';
    $gone->reset;
    $beating->pump_until(sub { $beating->body =~ /\n\n(?::\n){7}/ });
    cmp_ok time - $start, '>', 5, 'heartbeats keep a connection for longer than it would live in silence';
    wait_until(sub { subscribers('gone', $brief) == 0 }, 'the other one to be taken out');
    reason_is(gone => 'client', $brief);
    $brief->publish('/pub?channel=beating', '1 x');
    is number($beating->next_event), 1, 'the stream is as good as new';
    is_deeply [$brief->stop], [], 'no trouble';
};

# After a reload, old and new workers read from the same UDP sockets, and a packet that the wrong one receives is lost. So for any
# response, an old worker may wait in vain for the acknowledgement of its end, until the timeout for silent connections.
subtest 'reload' => sub {
    my $reloaded = SSE::Nginx->start(%usual, workers => 2, http => "$usual{http} keepalive_timeout 5s;");
    my @client = map { $reloaded->subscribe('/sub?channel=c', via => 'h3')->ready } 1 .. 10;
    my $count = 0;
    my $publish = sub { $reloaded->publish('/pub?channel=c', ++$count . ' x') };
    $publish->() for 1 .. 5;
    my $start = time;
    my @old = $reloaded->reload;
    wait_until(
        sub {
            $publish->();
            return !grep { !$_->closed } @client;
        },
        'all to end'
    );
    note sprintf 'ended after %.1f s', time - $start;
    is_deeply [map { is_cut_off($_) ? () : $_->closed . ': ' . $_->pending . $_->complaints } @client], [],
        'every stream is reset, after a whole event';
    $reloaded->wait_gone(@old);
    note sprintf 'the old workers were gone after %.1f s', time - $start;
    for my $client (@client) {
        my @seen = map { number($_) } $client->events($count, 0);
        my $back = $reloaded->subscribe('/sub?channel=c', via => 'h3', cursor => $client->last_event_id);
        is_deeply [@seen, @{ numbers($back, $count - @seen) }], [1 .. $count], 'comes back and has missed nothing';
    }
    is_deeply [$reloaded->stop], [], 'no trouble';
};

subtest 'the end' => sub {
    my $ending = SSE::Nginx->start(%usual);
    my @client = map { $ending->subscribe('/sub?channel=c', via => 'h3')->ready } 1 .. 5;
    my $start  = time;
    $ending->signal('QUIT');
    $_->wait_closed for @client;
    is_deeply [map { is_cut_off($_) ? () : $_->closed . ': ' . $_->pending . $_->complaints } @client], [],
        'every stream is reset, after a whole event';
    wait_until(sub { !$ending->alive }, 'nginx to end');
    note sprintf 'all was over after %.1f s', time - $start;
    is_deeply [$ending->problems], [], 'no trouble';
};

# Not gracefully, because nginx still waits for clients that have been killed.
is_deeply [$server->stop('TERM')], [], 'no trouble';
done_testing;
