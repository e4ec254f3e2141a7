# The number of streams of a key, on a channel and in a zone is limited exactly, over all workers. A stream makes room when it ends,
# whether by its client, with its worker, or by a reload.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    workers => 4,
    events  => 'worker_connections 2048;',
    http    => 'sse_zone events 4m; sse_zone small 1m; log_format reason "$sse_channel $status $sse_close_reason";',
    server  => <<'END',
access_log reasons.log reason;
        sse_key $arg_key;
        location = /key     { sse_channel $arg_channel separator=, zone=events; sse_max_subscribers 10 per=key; }
        location = /channel { sse_channel $arg_channel separator=, zone=events; sse_max_subscribers 7 per=channel; }
        location = /all     { sse_channel $arg_channel zone=small; sse_max_subscribers 12; }
        location = /both    { sse_channel $arg_channel zone=events; sse_max_subscribers 3 per=key; sse_max_subscribers 4 per=channel; }
        location = /one     { sse_channel $arg_channel zone=events; sse_max_subscribers 1 per=key; }
        location = /free    { sse_channel $arg_channel separator=, zone=events; }
        location = /pub     { sse_publish $arg_channel zone=events; access_log off; }
        location = /status  { sse_status; access_log off; }
END
);
$server->allow(qr/exited on signal 9/, qr/zone "(?:events|small|sse_keys|sse_workers)" was locked by/);

# Opens so many streams at once. Returns those that are let in, and the answers of the others.
sub rush ($count, $path) {
    my @client = map { $server->subscribe(ref $path ? $path->($_) : $path) } 1 .. $count;
    my @in  = grep { $_->status == 200 } @client;
    my @out = grep { $_->status != 200 } @client;
    $_->finish for @out;
    return (\@in, \@out);
}

# Waits until there is room for another stream, and opens it.
sub enter ($path) {
    my $client;
    wait_until(sub { $client = $server->subscribe($path); return 1 if $client->status == 200; $client->close; 0 }, "room on $path");
    return $client->ready;
}

for my $case (['/key?channel=a&key=k', 10, 429, 'of this subscriber'], ['/channel?channel=b', 7, 503, 'of the channel'], ['/all?channel=c', 12, 503, 'too many subscribers']) {
    my ($path, $limit, $status, $reason) = @$case;
    subtest "$path" => sub {
        for my $round (1 .. 3) {
            my ($in, $out) = rush(200, $path);
            is scalar @$in, $limit, "$limit of 200 at once";
            my %worker = map { $_->header('X-Worker') => 1 } @$in, @$out;
            cmp_ok scalar keys %worker, '>', 1, 'on several workers';
            is scalar(grep { $_->status != $status } @$out), 0, "the others get $status";
            is $out->[0]->header('Retry-After'), 10, 'with a Retry-After';
            like $out->[0]->json->{error}, qr/\Q$reason\E/, 'and a reason';
            is $server->get($path, headers => [])->status, $status, 'nobody else';
            is $server->request(HEAD => $path)->status, $status, 'HEAD gets the same';
            (pop @$in)->close;
            push @$in, enter($path);
            is $server->get($path)->status, $status, 'one makes room for one';
            $_->close for @$in;
            wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'all of them to have gone');
        }
        is scalar(() = $server->read_file('reasons.log') =~ /^\w $status rejected$/mg) > 500, 1, 'they are rejected';
    };
}

subtest 'what counts' => sub {
    my @free = map { $server->subscribe("/free?channel=$_")->ready } ('d&key=k') x 9, ('d') x 3, 'e,d&key=k';
    is $server->get('/key?channel=f&key=k')->status, 429, 'streams of a location without the limit, of any channel';
    is $server->subscribe('/key?channel=f&key=K')->status, 200, 'but not of another key';
    is $server->get("/channel?channel=$_")->status, 503, "$_: a channel among others" for 'd', 'x,d', 'd,x';
    is $server->subscribe('/channel?channel=e')->ready->status, 200, 'and each for itself';
    my @nobody = map { $server->subscribe('/key?channel=g' . ($_ % 2 ? '' : '&key='))->ready } 1 .. 30;
    is scalar @nobody, 30, 'who has no key is not limited by it';
    is $server->subscribe('/free?channel=d&key=k')->ready->status, 200, 'a location without a limit limits nobody';
};

subtest 'two limits' => sub {
    my @mine = map { enter('/both?channel=h&key=k1') } 1 .. 3;
    is $server->get('/both?channel=h&key=k1')->status, 429, 'of the key';
    my $other = enter('/both?channel=h&key=k2');
    is $server->get('/both?channel=h&key=k3')->status, 503, 'of the channel';
    is $server->subscribe('/both?channel=i&key=k3')->ready->status, 200, 'who was refused has left nothing behind';
};

subtest 'an answer that is no stream takes no place' => sub {
    is $server->request(HEAD => '/one?channel=j&key=h')->status, 200, 'HEAD' for 1 .. 20;
    is $server->get('/one?channel=&key=h')->status, 400, 'a bad request' for 1 .. 20;
    $server->publish('/pub?channel=j', 'x');
    $server->request(DELETE => '/pub?channel=j')->finish;
    is $server->get('/one?channel=j&key=h')->status, 204, 'the end of a channel' for 1 .. 20;
    ok $server->subscribe('/one?channel=k&key=h')->ready, 'there is still room';
};

subtest 'a worker that is killed' => sub {
    my ($in) = rush(40, '/key?channel=l&key=l');
    my %on;
    push @{ $on{ $_->header('X-Worker') } }, $_ for @$in;
    my ($victim) = sort { @{ $on{$b} } <=> @{ $on{$a} } } keys %on;
    my $freed = @{ $on{$victim} };
    $server->kill9($victim);
    my ($more) = rush(40, '/key?channel=l&key=l');
    is scalar @$more, $freed, "makes room for its $freed, and for no more";
    for (1 .. 3) {
        $server->kill9($_) for $server->workers;
    }
    ($more) = rush(40, '/key?channel=l&key=l');
    is scalar @$more, 10, 'all of them for all';
};

subtest 'a reload' => sub {
    my ($in) = rush(40, '/key?channel=m&key=m');
    is scalar @$in, 10, 'as many as there may be';
    my @old = $server->reload(drain => '2s');
    my %old = map { $_ => 1 } @old;
    my ($more) = rush(40, '/key?channel=m&key=m');
    my $left = grep { !$_->closed } @$in;
    cmp_ok scalar @$more + $left, '<=', 10, 'old streams count as long as they are there';
    $_->wait_closed for @$in;
    $server->wait_gone(@old);
    my ($rest) = rush(40, '/key?channel=m&key=m');
    is scalar @$more + @$rest, 10, 'and no longer';
};

subtest 'a reload with old workers that are killed' => sub {
    my ($in) = rush(40, '/key?channel=n&key=n');
    my @old = $server->reload(drain => '60s');
    cmp_ok scalar(grep { !$_->closed } @$in), '>', 0, 'they have streams';
    kill KILL => @old;
    # A process that its master has not reaped seems to be alive.
    wait_until(sub { !grep { -e "/proc/$_" } @old }, 'the end of the old workers');
    my ($more) = rush(40, '/key?channel=n&key=n');
    is scalar @$more, 10, 'which do not count any more';
};

is_deeply [$server->stop], [], 'no trouble but that';
done_testing;
