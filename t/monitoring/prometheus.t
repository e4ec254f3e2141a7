# The metrics for Prometheus: those of the reference and no others, in the format that Prometheus reads, and correct under load, across
# reloads and after the death of workers.
# needs: module prometheus
use v5.36;
use lib 't/lib';
use File::Temp;
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(time);
use SSE::Metrics;
use SSE::Nginx;

my $withBus = !$ENV{SSE_WITHOUT_BUS};
my $hostile = q{a"b\\c {zone="x"} 1};

my $server = SSE::Nginx->start(
    workers => 2,
    listen  => ['h1', 'h2c'],
    listen_flags => 'sndbuf=8k', # so that a client that does not read blocks its stream
    http    => 'sse_zone events 1m; sse_zone ' . "'a\"b\\\\c {zone=\"x\"} 1' 256k; sse_zone \"line\nend\" 256k; sse_zone 'bad\xff\xc3utf8' 256k;"
        . ($withBus ? 'sse_zone distant 256k; sse_bus distant redis://127.0.0.1:9;' : '')
        . 'log_format close "$sse_close_reason";',
    server => <<'END',
access_log off;
        location = /sub      { sse_channel $arg_channel zone=events; access_log closed.log close; }
        location = /closing  { sse_channel $arg_channel zone=events; sse_gap close; sse_history 1; access_log closed.log close; }
        location = /brief    { sse_channel $arg_channel zone=events; sse_lifetime 50ms; access_log closed.log close; }
        location = /expiring { sse_channel $arg_channel zone=events; sse_expires 1; access_log closed.log close; }
        location = /absent   { sse_channel $arg_channel zone=events; sse_absent 404; access_log closed.log close; }
        location = /limited  { sse_channel $arg_channel zone=events; sse_max_subscribers 1 per=channel; }
        location = /lively   { sse_channel $arg_channel zone=events; sse_heartbeat 100ms; }
        location = /pub      { sse_publish $arg_channel zone=events; client_max_body_size 2m; sse_max_event_size 10k; sse_invalid_utf8 replace; }
        location = /pub_json { sse_publish $arg_channel zone=events; sse_framing json; }
        location = /pub_lines { sse_publish $arg_channel zone=events; sse_framing lines; client_max_body_size 0; }
        location = /kick     { sse_kick zone=events; }
        location = /status   { sse_status; }
        location = /json     { sse_status format=json events; }
        location = /metrics  { sse_status format=prometheus; }
        location = /one      { sse_status format=prometheus events; }
END
);
$server->allow(qr/127\.0\.0\.1:9/, qr/Redis/);

sub metrics ($path = '/metrics') { return SSE::Metrics->of($server, $path) }
sub value ($name, %labels) { return metrics()->value($name, zone => 'events', %labels) }

# How much an action adds to a counter of the zone.
sub adds ($action, $name, %labels) {
    my $before = value($name, %labels);
    $action->();
    return value($name, %labels) - $before;
}

# What the tables of the reference say: name => [type, labels].
sub documented () {
    local (@ARGV, $/) = 'docs/reference.md';
    my ($chapter) = readline =~ /^## Metrics\n(.*?)^## /ms;
    my %metric;
    for my $table ($chapter =~ /((?:^\|.*\n)+)/mg) {
        my ($head, undef, @rows) = split /\n/, $table;
        my ($zone) = $head =~ /\(label `(zone)`\)/;
        my @column = split / *\| */, $head;
        my ($labels) = grep { $column[$_] =~ /labels\z/i } 0 .. $#column;
        for my $row (@rows) {
            my @cell = split / *\| */, $row;
            my ($name) = $cell[1] =~ /\A`(sse_\w+)`\z/ or next;
            $metric{$name} = [$cell[2], join ' ', $zone // (), $labels ? $cell[$labels] =~ /`(\w+)`/g : ()];
        }
    }
    return \%metric;
}

subtest 'those of the reference, and no others' => sub {
    my $documented = documented();
    delete @$documented{ grep {/^sse_bus_/} keys %$documented } unless $withBus;
    cmp_ok keys %$documented, '>', 40, 'the tables are found';
    my $families = metrics()->families;
    is_deeply { map { $_ => [$families->{$_}{type}, $families->{$_}{labels}] } keys %$families }, $documented, 'names, types and labels';
    my %one = %{ metrics('/one')->families };
    is_deeply [grep { /^sse_bus_/ } keys %one], [], 'without a bus there is nothing about one';
};

subtest 'the format' => sub {
    for my $via (qw(h1 h2c)) {
        my $answer = $server->get('/metrics', via => $via, headers => [Accept => 'application/openmetrics-text; version=1.0.0']);
        is $answer->status, 200, "there over $via";
        is $answer->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'its type, whatever is asked for';
        like $answer->header('Cache-Control') // '', qr/no-store/, 'that nobody keeps';
    }
    my $file = File::Temp->new;
    print $file $server->get('/metrics')->body;
    close $file;
    is qx(promtool check metrics < $file 2>&1), '', 'promtool has nothing to say';
    is $?, 0, 'and is content';
    my $head = $server->request(HEAD => '/metrics')->finish;
    is_deeply [$head->status, $head->header('Content-Type'), $head->body], [200, 'text/plain; version=0.0.4; charset=utf-8', ''], 'HEAD';
    is $server->request($_ => '/metrics')->finish->status, 405, $_ for qw(POST DELETE);
    is $server->request(OPTIONS => '/metrics')->finish->status, 204, 'OPTIONS';
    is $server->get($_)->header('Content-Type'), 'application/json', "$_ stays JSON" for qw(/status /json);
    is $server->get('/status', headers => [Accept => 'text/plain; version=0.0.4'])->header('Content-Type'), 'application/json',
        'also for whom another format would do';
    my ($build) = metrics()->select('sse_build_info');
    my ($version) = do { local (@ARGV, $/) = 'CHANGES'; readline =~ /^Changes with \S+ (\S+)$/m };
    is_deeply [@{ $build->{labels} }{qw(version nginx)}], [$version, qx(@{[SSE::Nginx::binary()]} -v 2>&1) =~ m{nginx/([\d.]+)}],
        'the versions';
};

subtest 'the configuration of the documents' => sub {
    my ($sample) = do { local (@ARGV, $/) = 'docs/operations.md'; readline =~ /^```yaml\n(scrape_configs:.*?)^```/ms };
    my $file = File::Temp->new(SUFFIX => '.yml');
    print $file $sample;
    close $file;
    my $said = qx(promtool check config $file 2>&1);
    is $?, 0, 'is one' or diag $said;
};

subtest 'names of zones' => sub {
    my %zone = map { ($_->{labels}{zone} // '') => 1 } metrics()->all;
    ok $zone{$_}, 'a zone called ' . $_ =~ s/\n/\\n/r for $hostile, "line\nend", "bad\xef\xbf\xbd\xef\xbf\xbdutf8";
    ok !$zone{x}, 'and none that a name has made up';
    is_deeply [keys %{ { map { ($_->{labels}{zone} // next) => 1 } metrics('/one')->select('sse_subscribers') } }], ['events'], 'the named one alone';
};

subtest 'what is counted of subscribers' => sub {
    my @id = map { $server->publish('/pub?channel=a', "event $_")->json->{id} } 1 .. 3;
    my $stream;
    is adds(sub { $stream = $server->subscribe('/sub?channel=a')->ready }, 'sse_subscribers', kind => 'stream'), 1, 'a stream';
    is adds(sub { $server->publish('/pub?channel=a', 'x'); $stream->events(1) }, 'sse_delivered_events_total', way => 'live'), 1, 'a live event';
    my $bytes = value('sse_published_bytes_total');
    is adds(sub { my $client = $server->subscribe('/sub?channel=a', cursor => '0-0'); $client->events(4); $client->close }, 'sse_delivered_bytes_total', way => 'replay'),
        $bytes, 'the bytes of a replay are those published';
    is adds(sub { $server->get('/sub?channel=a&poll&last_event_id=0-0') }, 'sse_delivered_events_total', way => 'poll'), 4, 'a poll';
    is value('sse_subscribers_closed_total', reason => 'answered'), 1, 'which is over';
    my $poll = $server->subscribe('/sub?channel=a&poll&wait=20');
    wait_until(sub { value('sse_subscribers', kind => 'poll') == 1 }, 'a poll that waits');
    is adds(sub { $server->publish('/pub?channel=a', 'y'); $poll->finish; $stream->events(1) }, 'sse_deferred_events_total', reason => 'poll'),
        1, 'a poll is woken';
    my %gap = (unknown => '9999999999999-7', history => $id[0]);
    for my $reason (sort keys %gap) {
        my $path = $reason eq 'history' ? '/closing' : '/sub';
        is adds(sub { my $client = $server->subscribe("$path?channel=a", cursor => $gap{$reason}); $client->header('Content-Type'); $client->close },
            'sse_gaps_total', reason => $reason), 1, "a gap: $reason";
    }
    my $lively = $server->subscribe('/lively?channel=none')->ready;
    wait_until(sub { value('sse_heartbeats_total') > 1 }, 'heartbeats');
    $lively->close;
    is adds(sub { $server->publish('/kick?channel=a&for=0', '') ; $stream->finish }, 'sse_subscribers_closed_total', reason => 'kicked'), 1, 'a stream that is kicked';
    is value('sse_kicks_total'), 1, 'by a kick';
    is adds(sub { $server->get('/brief?channel=a') }, 'sse_subscribers_closed_total', reason => 'lifetime'), 1, 'one whose lifetime is over';
    is adds(sub { $server->request(HEAD => '/sub?channel=a')->finish }, 'sse_subscribers_closed_total', reason => 'answered'), 1, 'HEAD';
};

subtest 'refusals to subscribe' => sub {
    my %refused = (
        request => sub { $server->get('/sub?channel=') },
        expired => sub { $server->get('/expiring?channel=a') },
        absent  => sub { $server->get('/absent?channel=none') },
        gap     => sub { $server->get('/closing?channel=a', cursor => '9999999999999-7') },
        ended   => sub { $server->publish('/pub?channel=over&end', 'x'); $server->get('/sub?channel=over') },
        limit   => sub { my $in = $server->subscribe('/limited?channel=b')->ready; $server->get('/limited?channel=b'); $in->close },
        kicked  => sub { $server->publish('/kick?channel=c&for=60', ''); $server->get('/sub?channel=c') },
    );
    is adds($refused{$_}, 'sse_subscribe_refusals_total', reason => $_), 1, $_ for sort keys %refused;
    is adds(sub { $server->publish('/sub?channel=a', 'x') }, 'sse_subscribe_refusals_total', reason => 'request'), 1, 'another method';
};

subtest 'what is counted of publishers' => sub {
    my %refused = (
        request      => sub { $server->publish('/pub?channel=', 'x') },
        origin       => sub { $server->publish('/pub?channel=a', 'x', headers => ['Sec-Fetch-Site' => 'cross-site']) },
        event        => sub { $server->publish('/pub_json?channel=a', '{"data":') },
        size         => sub { $server->publish('/pub?channel=a', 'x' x 20_000) },
        precondition => sub { $server->publish('/pub?channel=a', 'x', headers => ['If-Match' => '"1-1"']) },
        forbidden    => sub { $server->publish('/pub_json?channel=a', '{"channel":"b","data":"x"}') },
    );
    for my $reason (sort keys %refused) {
        my $requests = value('sse_publish_requests_total', outcome => 'refused');
        is adds($refused{$reason}, 'sse_publish_refusals_total', reason => $reason), 1, $reason;
        is value('sse_publish_requests_total', outcome => 'refused'), $requests + 1, 'one request';
    }
    is adds(sub { $server->publish('/pub?channel=a', 'x') }, 'sse_publish_requests_total', outcome => 'published'), 1, 'one that publishes';
    is adds(sub { $server->publish('/pub_lines?channel=a', '') }, 'sse_publish_requests_total', outcome => 'nothing'), 1, 'one without an event';
    is adds(sub { $server->publish('/pub?channel=a', "\xff") }, 'sse_repaired_sequences_total'), 1, 'a repair';
    is adds(sub { $server->publish('/pub_lines?channel=a', "1\n2\n3\n") }, 'sse_published_events_total'), 3, 'events';
    my $open = $server->stream('/pub_lines?channel=a');
    $open->feed("one\n");
    wait_until(sub { $server->get('/pub?channel=a')->json->{last_id} }, 'its first line');
    my $aborted = value('sse_publish_requests_total', outcome => 'aborted');
    $open->close;
    wait_until(sub { value('sse_publish_requests_total', outcome => 'aborted') == $aborted + 1 }, 'one whose client has gone');
    if ($withBus) {
        my $distant = sub { metrics()->value('sse_bus_up', zone => 'distant') };
        is $distant->(), 0, 'a bus that is away';
    }
};

subtest 'a client that does not read' => sub {
    my $slow   = $server->subscribe('/sub?channel=slow', rcvbuf => 4096)->ready;
    my $before = metrics();
    $server->publish('/pub?channel=slow', $_ . 'x' x 9000) for 1 .. 60;
    wait_until(sub { metrics()->sum('sse_deferred_events_total', zone => 'events', reason => 'blocked') }, 'a stream that is blocked');
    is scalar(() = $slow->events(60)), 60, 'gets all in the end';
    my $after = metrics();
    my $gain  = sub ($name, %labels) { return $after->sum($name, zone => 'events', %labels) - $before->sum($name, zone => 'events', %labels) };
    is $gain->('sse_handed_out_events_total'), 60, 'each was handed out once';
    is $gain->('sse_delivered_events_total'), 60, 'and delivered once';
    is $gain->('sse_deferred_events_total'), $gain->('sse_delivered_events_total', way => 'replay'), 'by a replay if it was deferred';
    cmp_ok $gain->('sse_deferred_events_total'), '>', 0, 'as some were';
    $slow->close;
};

subtest 'closed as the access log says' => sub {
    wait_until(sub { metrics()->sum('sse_subscribers', zone => 'events') == 0 }, 'nobody to be there');
    my $metrics = metrics();
    my $closed  = sub ($reason) { return $metrics->value('sse_subscribers_closed_total', zone => 'events', reason => $reason) };
    my @reasons = qw(client drain slow gap ended lifetime expired absent);
    my %logged;
    # The line of a stream is written after the stream has been counted.
    eval {
        wait_until(
            sub {
                %logged = ();
                $logged{$_}++ for grep { $_ ne '-' } split /\n/, $server->read_file('closed.log');
                return !grep { ($logged{$_} // 0) + ($_ eq 'client' ? 2 : 0) < $closed->($_) } @reasons;
            },
            'the log of them'
        );
    };
    # Refusals are in the log with a reason, too.
    my %refused = map { $_ => $metrics->value('sse_subscribe_refusals_total', zone => 'events', reason => $_) } qw(absent ended expired gap kicked);
    for my $reason (@reasons) {
        is $closed->($reason) + ($refused{$reason} // 0),
            ($logged{$reason} // 0) + ($reason eq 'client' ? 2 : 0), $reason; # those of /lively and /limited are not logged
    }
};

# What still does not add up when nothing changes any more: a worker may have updated only some of its counters.
sub at_rest ($slack) {
    my ($last, @wrong);
    wait_until(sub {
        my $now = metrics();
        @wrong = $now->does_not_add_up('events', $slack);
        my $same = $last && !$now->gone_back($last) && !$last->gone_back($now);
        $last = $now;
        return !@wrong || $same;
    }, 'rest');
    return @wrong;
}

# Publishes, subscribes and scrapes for some time, and does harm in the middle of it.
sub under_load ($what, $harm, $slack = 0) {
    my $before = my $last = metrics();
    my (@wrong, @follower);
    my $connect = sub { return eval { $server->subscribe('/sub?channel=load', cursor => $_[0]) } };
    @follower = map { $connect->('0-0') } 1 .. 20;
    my ($published, $done, $start) = (0, 0, time);
    while (time < $start + 3) {
        my $answer = eval { $server->publish('/pub_lines?channel=load', join '', map { "event $_\n" } 1 .. 1 + $published % 7) };
        $published += $answer->json->{events} if $answer && $answer->status == 201;
        for my $follower (@follower) {
            $follower = $connect->($last->{cursor} // '0-0') if !$follower || eval { $follower->poll; $follower->closed };
        }
        $harm->() if !$done && time > $start + 1 && ++$done;
        my $now = eval { metrics() } // next;
        push @wrong, $now->gone_back($last);
        for my $name (qw(sse_batch_events sse_fanout_duration_seconds)) {
            push @wrong, $now->is_no_histogram($name, 'events');
        }
        $last = $now;
    }
    is_deeply \@wrong, [], "$what: nothing goes back, and histograms are in order";
    cmp_ok $last->sum('sse_delivered_events_total', zone => 'events') - $before->sum('sse_delivered_events_total', zone => 'events'),
        '>', $published, 'and there was much to count';
    wait_until(sub { !$server->leaving_workers }, 'only the present workers');
    $_ && $_->close for @follower;
    wait_until(sub { metrics()->sum('sse_subscribers', zone => 'events') == 0 }, 'nobody to be left');
    is_deeply [at_rest($slack)], [], 'and it adds up';
    my $metrics = metrics();
    is $metrics->sum('sse_worker_delivered_events_total'), $metrics->sum('sse_delivered_events_total'), 'also that of the workers';
    is $metrics->sum('sse_worker_subscribers'), 0, 'who have nobody';
    is $metrics->value('sse_workers', state => 'serving'), 2, 'and are two';
}

under_load('under load', sub { });
under_load('a reload', sub { $server->reload });
my $crashed = value('sse_subscribers_closed_total', reason => 'crashed');
is $crashed, 0, 'nobody has crashed so far';
# At most one batch has been handed out by the worker and not yet counted as delivered.
under_load('kill -9', sub {
    my ($victim) = $server->workers;
    $server->allow(qr/worker process $victim exited on signal 9/, qr/zone "\w+" was locked by $victim/);
    $server->kill9($victim);
}, 64);
cmp_ok value('sse_subscribers_closed_total', reason => 'crashed'), '>', 0, 'who was with the killed worker has crashed';

subtest 'a worker that is gone for good' => sub {
    my $before = metrics();
    my @old = $server->workers;
    my @stream = map { $server->subscribe_on($_, '/sub?channel=a')->ready } @old;
    my @leaving = $server->reload(workers => 1);
    $server->wait_gone(@leaving);
    my $after = metrics();
    is_deeply [$after->gone_back($before)], [], 'takes nothing with it';
    is $after->value('sse_workers', state => 'serving'), 1, 'one is left';
    is $after->value('sse_subscribers_closed_total', zone => 'events', reason => 'drain')
        - $before->value('sse_subscribers_closed_total', zone => 'events', reason => 'drain'), 2, 'the streams were drained';
    is_deeply [at_rest(64)], [], 'and it adds up';
};

subtest 'another size of the zone' => sub {
    my $before = metrics();
    $server->wait_gone($server->reload(http => $server->{http} =~ s/events 1m/events 2m/r));
    is_deeply [metrics()->gone_back($before)], [], 'keeps all counters';
};

is_deeply [$server->stop], [], 'no trouble';

subtest 'without a zone' => sub {
    my $bare = SSE::Nginx->start(http => '', server => 'location = /metrics { sse_status format=prometheus; }');
    my $metrics = SSE::Metrics->of($bare);
    is scalar $metrics->select('sse_build_info'), 1, 'there is the version';
    is_deeply [grep { $_->{labels}{zone} } $metrics->all], [], 'and nothing of zones';
    is_deeply [$bare->stop], [], 'no trouble';
};

done_testing;
