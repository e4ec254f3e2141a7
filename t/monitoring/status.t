# The status: what it counts, and that it stays correct while clients and workers come and go.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => ['h1', 'h2c'],
    http      => q{sse_zone events 1m channels=64; sse_zone 'o"ther' 256k;},
    server    => <<'END',
location = /sub    { sse_channel $arg_channel zone=events; }
        location = /pub    { sse_publish $arg_channel zone=events; }
        location = /status { sse_status; }
        location = /one    { sse_status 'o"ther'; }
END
);

sub status ($path = '/status', %option) {
    my $answer = $server->get($path, %option);
    is $answer->status, 200, 'there' if $answer->status != 200;
    return $answer->json // BAIL_OUT('status is no JSON: ' . $answer->body);
}

sub sum ($field) { my $sum = 0; $sum += $_->{$field} for @{ status()->{workers} }; return $sum }

my $answer = $server->get('/status');
is $answer->header('Content-Type'), 'application/json', 'JSON';
like $answer->header('Cache-Control') // '', qr/no-store|no-cache/, 'that nobody keeps';

subtest 'at first' => sub {
    for my $via (qw(h1 h2c)) {
        my $status = status('/status', via => $via);
        is_deeply [sort keys %{ $status->{zones} }], ['events', 'o"ther'], 'all zones';
        my %zone = %{ $status->{zones}{events} };
        cmp_ok delete $zone{capacity}, '>', 500_000, 'most of a zone is for events';
        is delete $zone{channel_capacity}, 64, 'channels as configured';
        is_deeply { map { $_ => $zone{$_} } qw(used first_id published evicted channels forgotten_channels) }, { used => 0, first_id => undef, published => 0, evicted => 0, channels => 0, forgotten_channels => 0 },
            'an empty zone';
        is_deeply [grep { ref $zone{$_} ? grep { $_ } values %{ $zone{$_} } : $zone{$_} } qw(opened closed delivered deferred gaps handed_out publish_requests)],
            [], 'where nothing has been counted';
        is_deeply [sort { $a <=> $b } map { $_->{pid} } @{ $status->{workers} }], [$server->workers], 'the workers';
        is_deeply [@$status{qw(subscribers delivered gaps slow_closes)}], [0, 0, 0, 0], 'and nobody';
    }
    is_deeply [keys %{ status('/one')->{zones} }], ['o"ther'], 'one zone alone';
};

subtest 'events and subscribers' => sub {
    my @subscriber = map { my $pid = $_; map { $server->subscribe_on($pid, '/sub?channel=a')->ready } 1 .. 3 } $server->workers;
    wait_until(sub { status()->{subscribers} == 6 }, 'all to be counted');
    is_deeply [map { $_->{subscribers} } @{ status()->{workers} }], [3, 3], 'each worker has its own';
    my @id = map { $server->publish('/pub?channel=a', $_)->json->{id} } 1 .. 10;
    $_->events(10) for @subscriber;
    my $zone = status()->{zones}{events};
    is_deeply [@$zone{qw(first_id last_id published evicted channels)}], [@id[0, -1], 10, 0, 1], 'the zone';
    cmp_ok $zone->{used}, '>', 10, 'some of it is used';
    is status()->{delivered}, 60, 'what was delivered';
    is sum('delivered'), 60, 'in sum';
    $server->subscribe('/sub?channel=a', cursor => '9999999999999-0')->events(11);
    is status()->{gaps}, 1, 'a gap';
    $_->close for @subscriber;
    wait_until(sub { status()->{subscribers} == 0 }, 'all to be gone');
    ok eval { wait_until(sub { sum('subscribers') == 0 }, 'nobody') }, 'from every worker';
};

subtest 'a worker that dies takes its subscribers with it, not what it has delivered' => sub {
    my ($victim, $other) = $server->workers;
    my @subscriber = map { $server->subscribe_on($_, '/sub?channel=b')->ready } $victim, $other;
    $server->allow(qr/worker process $victim exited on signal 9/);
    my $before = status()->{delivered};
    $server->kill9($victim);
    wait_until(sub { status()->{subscribers} == 1 }, 'one subscriber to be left');
    is status()->{delivered}, $before, 'totals stay';
    is_deeply [sort { $a <=> $b } map { $_->{pid} } @{ status()->{workers} }], [$server->workers], 'the new worker is there';
};

subtest 'a reload' => sub {
    # The remaining subscriber has left with the last test.
    wait_until(sub { status()->{subscribers} == 0 }, 'nobody to be left');
    my $before = status();
    $server->wait_gone($server->reload);
    my $after = status();
    # A channel without events lives as long as its subscribers.
    delete $_->{zones}{events}{channels} for $before, $after;
    is_deeply $after->{zones}, $before->{zones}, 'the zones are the same';
    is $after->{delivered}, $before->{delivered}, 'as is what was delivered';
    is_deeply [sort { $a <=> $b } map { $_->{pid} } @{ $after->{workers} }], [$server->workers], 'by other workers';
};

subtest 'another size of a zone' => sub {
    my $small = SSE::Nginx->start(
        http   => 'sse_zone events 1m channels=64;',
        server => <<'END',
location = /pub { sse_publish $arg_channel; sse_framing json; sse_body_channels on; }
        location = /status { sse_status; }
END
    );
    $small->publish('/pub', join "\n", map {qq({"channel":"many-$_","data":1})} 1 .. 100);
    my $before = $small->get('/status')->json->{zones}{events};
    cmp_ok $before->{forgotten_channels}, '>', 0, 'the index was too small';
    my $mark = $small->log_mark;
    $small->wait_gone($small->reload(http => 'sse_zone events 1m channels=1024;'));
    is_deeply [$small->get('/status')->json->{zones}{events}->@{qw(channel_capacity published)}], [64, $before->{published}],
        'another number of channels alone changes nothing';
    like $small->log_since($mark), qr/\[warn\] .*sse_zone "events" keeps its 64 channels until its size changes/, 'and the log says so';
    $small->wait_gone($small->reload(http => 'sse_zone events 2m channels=1024;'));
    my $after = $small->get('/status')->json->{zones}{events};
    cmp_ok $after->{channel_capacity}, '>=', 1024, 'it is larger now';
    is $after->{forgotten_channels}, $before->{forgotten_channels}, 'how many channels were forgotten is still told';
    is_deeply [$small->stop], [], 'no trouble';
};

done_testing;
