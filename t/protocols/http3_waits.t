# Requests over HTTP/3 that wait, are kicked or are put off. A client can cancel one of several requests on a connection, which nginx
# reports only to the write handler.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use POSIX ();
use Test::More;
use SSE::Nginx;

my $lacking = SSE::Nginx::lacks_http3();
plan skip_all => $lacking if $lacking;

# Accepts connections and never answers, so an action never ends.
my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no socket: $!";

my $server = SSE::Nginx->start(
    listen => [qw(h1 h3)],
    http   => 'sse_zone events 8m; limit_conn_zone $arg_who zone=who:1m; keepalive_timeout 70s;'
        . 'log_format reason "$uri $arg_channel $arg_key $status $sse_close_reason $remote_port";',
    server => <<'END' =~ s/PORT/$silent->sockport/er,
access_log reasons.log reason;
        sse_key $arg_key;
        location = /sub    { sse_channel $arg_channel; sse_heartbeat off; }
        location = /acts   { sse_channel $arg_channel; sse_heartbeat off; post_action /action; }
        location = /soft   { sse_channel $arg_channel; sse_heartbeat off; sse_max_subscribers 1 per=key; sse_reject soft 20s 0%; }
        location = /conn   { sse_channel $arg_channel; limit_conn who 1; error_page 503 = @later; }
        location = /pub    { sse_publish $arg_channel; }
        location = /kick   { sse_kick; allow 127.0.0.1; deny all; }
        location = /action { internal; proxy_pass http://127.0.0.1:PORT; }
        location = /quiet  { sse_publish $arg_channel; access_log off; }
        location @later    { sse_later 30s 0%; }
END
);

sub ask ($path, %option) { return $server->request(GET => $path, via => 'h3', %option) }
sub subscribers ($channel) { return $server->get("/quiet?channel=$channel")->json->{subscribers} }
sub publish ($channel, $data) { return $server->publish("/quiet?channel=$channel", $data)->json->{id} }

sub count_is ($count, $channel, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok eval { wait_until(sub { subscribers($channel) == $count }, $what) }, $what or diag $@;
}

# The rest of each line of the log that begins with this.
sub logged ($begin) { return $server->read_file('reasons.log') =~ /^\Q$begin\E (.*)$/mg }

# Sends requests, [path, options of curl], by one curl on one connection. Returns its process, and the files with the answers.
sub side_by_side (@requests) {
    state $number = 0;
    my (@command, @file);
    for (@requests) {
        my ($path, @option) = @$_;
        push @file, 'answer' . ++$number;
        push @command, @command ? '--next' : (), qw(-s -N -k -g --noproxy * --http3-only), @option, '-o', $server->prefix . "/$file[-1]",
            'https://127.0.0.1:' . $server->port('h3') . $path;
    }
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>>', $server->prefix . '/curl.log';
        exec qw(curl -q -Z), @command or POSIX::_exit(127);
    }
    return ($pid, @file);
}

sub finish ($pid) {
    local $?;
    wait_until(sub { waitpid($pid, POSIX::WNOHANG) == $pid }, 'the end of curl');
}

# On a busy machine, a client may give up before all requests have arrived. So this tries again with more patience.
sub that_are_there ($channels, @requests) {
    for my $patience (3, 10, 25) {
        my ($pid, @file) = side_by_side(map { [$_->[0], map {s/PATIENCE/$patience/r} @$_[1 .. $#$_]] } @requests);
        return ($pid, @file) if eval { wait_until(sub { !grep { subscribers($_) == 0 } @$channels }, 'them to be there', $patience) };
        kill KILL => $pid;
        finish($pid);
    }
    die "they have never been there all together\n";
}

my @impatient = ('--max-time', 'PATIENCE');

# Waits for a line of the log.
sub has_logged ($line, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok eval { wait_until(sub { $server->read_file('reasons.log') =~ /^\Q$line\E /m }, $line) }, $what or diag $@;
}

subtest 'a poll that is taken back, beside another one' => sub {
    my ($pid, $left, $acted, $right) = that_are_there(
        [qw(left acted right)],
        ['/sub?channel=left&poll&wait=60', @impatient], ['/acts?channel=acted&poll&wait=60', @impatient], ['/sub?channel=right&poll&wait=60'],
    );
    count_is(0, left  => 'is no subscriber any more');
    count_is(0, acted => 'nor with an action that goes on');
    is subscribers('right'), 1, 'the other one waits on';
    publish(right => 'x');
    finish($pid);
    like $server->read_file($right), qr/"data":"x"/, 'and has its event';
    is $server->read_file($_), '', 'who has gone has nothing' for $left, $acted;
    my ($gone)  = map { /^ 499 client (\d+)/ } logged('/sub left');
    my ($there) = map { /^ 200 - (\d+)/ } logged('/sub right');
    is $gone, $there, 'which was on the same connection';
};

subtest 'a GET of a channel that waits, and is taken back' => sub {
    my ($pid, $first, $second) = that_are_there(
        ['beside'],
        ['/pub?channel=none&wait=60&subscribers=1', @impatient], ['/sub?channel=beside&poll&wait=60'],
    );
    has_logged('/pub none - 499 -', 'ends');
    is subscribers('beside'), 1, 'the poll beside it waits on';
    publish(beside => 'x');
    finish($pid);
    is $server->read_file($first), '', 'who has gone has nothing';
    like $server->read_file($second), qr/"data":"x"/, 'the other its event';
};

subtest 'a kick' => sub {
    my @stream = map { ask("/sub?channel=kicked&key=$_")->ready } qw(bad bad good);
    my @poll   = map { ask("/sub?channel=kicked&key=$_&poll&wait=60") } qw(bad bad good);
    my $slow   = ask('/sub?channel=slow&key=bad')->ready->stall;
    count_is(6, kicked => 'streams and polls');
    $server->publish('/quiet?channel=slow', 'x' x 900_000) for 1 .. 4; # more than the client and its windows hold
    is $server->request(POST => '/kick?key=bad&for=60', via => 'h3', body => '')->finish->status, 200, 'of a key';
    is_deeply [map { $_->wait_closed } @stream[0, 1]], [qw(abort abort)], 'cuts its streams';
    is scalar(grep { $_->pending } @stream), 0, 'after a whole event';
    is_deeply [map { [$_->finish->status, $_->json->{error}] } @poll[0, 1]], [([403, 'kicked']) x 2], 'refuses its polls';
    has_logged('/sub slow bad 200 kicked', 'and ends what is not read');
    is $slow->resume->wait_closed, 'abort', 'as its client finds out later';
    count_is(2, kicked => 'nobody else is hit');
    for my $query ('', '&poll', '&last_event_id=0-0') {
        my $back = ask("/sub?channel=kicked&key=bad$query")->finish;
        is_deeply [$back->status, $back->json->{error}], [403, 'kicked'], "who comes back is refused: $query";
    }
    publish(kicked => 'on');
    is $stream[2]->next_event->{data}, 'on', 'the others go on';
    is $poll[2]->json->{events}[0]{data}, 'on', 'with events';
    $stream[2]->close;
};

subtest 'what is put off' => sub {
    my $stream = ask('/soft?channel=soft&key=k')->ready;
    my $first  = ask('/conn?channel=soft&who=me')->ready;
    for my $case (['/soft?channel=soft&key=k', 20_000], ['/conn?channel=soft&who=me', 30_000]) {
        my ($path, $time) = @$case;
        for my $client (map { ask($path) } 1 .. 8) {
            is $client->status, 200, "$path: a stream";
            is $client->header('Content-Type'), 'text/event-stream; charset=utf-8', 'by its type';
            is $client->wait_closed, 'abort', 'that breaks off';
            is $client->body, ":\nretry: $time\n", 'after the time';
        }
        my $head = $server->request(HEAD => $path, via => 'h3')->finish;
        is_deeply [$head->closed, $head->status, $head->body], ['clean', 200, ''], 'HEAD';
    }
    is ask('/soft?channel=soft&key=k&poll')->status, 429, 'a poll is told so by its status';
    $server->publish('/quiet?channel=soft', 'x');
    is $_->next_event->{data}, 'x', 'the streams that there are go on' for $stream, $first;
    $_->close for $stream, $first;
};

# With --max-filesize, curl cancels a request as soon as it has read anything of the answer.
subtest 'and goes at once' => sub {
    my @greedy = ('--max-filesize', 1);
    my $stream = $server->subscribe('/soft?channel=brief&key=b')->ready;
    my ($pid, @file) = that_are_there(['beside'], (['/soft?channel=brief&key=b', @greedy]) x 5, ['/sub?channel=beside&poll&wait=60']);
    has_logged('/soft brief b 200 rejected', 'ends');
    is subscribers('beside'), 1, 'the poll beside it waits on';
    publish(beside => 'x');
    finish($pid);
    like $server->read_file($file[-1]), qr/"data":"x"/, 'and has its event';
    publish(brief => 'x');
    is $stream->next_event->{data}, 'x', 'so does the stream that there is';
    $stream->close;
};

subtest 'a stream that is taken back' => sub {
    my ($pid) = that_are_there([qw(room beside)], ['/soft?channel=room&key=r', @impatient], ['/sub?channel=beside&poll&wait=60']);
    my $client;
    ok eval { wait_until(sub { $client = ask('/soft?channel=room&key=r&poll'); $client->finish->status == 200 }, 'room') },
        'makes room for another of its key';
    publish(beside => 'x');
    finish($pid);
};

is_deeply [$server->stop('TERM')], [], 'no trouble';
done_testing;
