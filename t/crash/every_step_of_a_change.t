# A worker dies in the middle of a change to the log, at each step of the change. Nothing that was acknowledged is lost, an event that
# was not is there for all subscribers or for none, and the next change works as if nothing had happened.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;
use SSE::Util;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 16m; sse_zone small 256k channels=32;',
    server  => join "\n        ",
    'location = /status { sse_status; }',
    map { my $crash = $_ ? 'sse_test_crash_at $arg_crash;' : ''; (
        "location = /${_}sub   { sse_channel \$arg_channel zone=events; $crash }",
        "location = /${_}pub   { sse_publish \$arg_channel zone=events; $crash }",
        "location = /${_}small { sse_publish \$arg_channel zone=small; $crash }",
        "location = /${_}tiny  { sse_channel \$arg_channel zone=small; $crash }",
    ) } '', 'crash/'
);
$server->allow(qr/exited on signal 9/, qr/zone "\w+" was locked by/);

# More than this is too slow even for a busy machine. The time of a publish after a crash is measured from its first attempt.
my $limit   = 10;
my $slowest = 0;

# Publishes on a new connection until there is an answer: the worker that accepts the connection may be the one that is dying.
sub publish ($path, $data) {
    my $start = time;
    while (1) {
        my $answer = eval { $server->publish($path, $data) };
        if ($answer && $answer->{ended} eq 'clean') {
            my $time = time - $start;
            $slowest = $time if $time > $slowest;
            return $answer->status == 201 ? $answer->json->{id} : die 'refused: ' . $answer->body;
        }
        die "no publish has succeeded after a crash\n" if time - $start > $limit;
    }
}

# All events of a channel, up to the one whose data begins with $last.
sub history ($path, $channel, $last) {
    for (1 .. 50) {
        my $subscriber = eval { $server->subscribe("$path?channel=$channel", cursor => '0-0') } or next;
        my @events;
        while (my $event = eval { $subscriber->next_event(5) }) {
            push @events, $event;
            return @events if $event->{data} =~ /\A\Q$last\E\b/;
        }
    }
    return;
}

# Runs one kind of change repeatedly. The worker dies at step 1, 2, 3... until a change completes.
sub each_step ($name, $change, $check) {
    subtest $name => sub {
        my ($step, @died) = (0);
        while (++$step < 300) {
            my $answer = $change->($step);
            last unless defined $answer && $answer eq 'died';
            push @died, $step;
            $check->($step) or last;
        }
        note scalar @died, ' steps';
        cmp_ok scalar @died, '>', 3, 'there are steps to die at';
        cmp_ok $step, '<', 300, 'and an end of them';
    };
}

# This worker never dies.
my $safe = ($server->workers)[0];

sub connect_elsewhere {
    my $other;
    wait_until(sub { ($other) = grep { $_ != $safe } $server->workers }, 'another worker');
    return $server->connect_to($other);
}

# Returns the status, or "died" if there was no answer.
sub fatal ($method, $path, %option) {
    $option{on} = connect_elsewhere();
    my $client = $server->request($method, $path, %option);
    if ($method eq 'GET') { $client->pump_until(sub { @{ $client->{events} } }) }
    else                  { $client->finish }
    return $client->{ended} eq 'abort' && !defined $client->{status} ? 'died' : $client->status;
}

each_step 'the first event of a channel', sub ($step) { fatal(POST => "/crash/pub?channel=new$step&crash=$step", body => 'perhaps') }, sub ($step) {
    publish("/pub?channel=new$step", 'last');
    my @data = map { $_->{data} } history('/sub', "new$step", 'last');
    shift @data if @data && $data[0] eq 'perhaps';
    return is "@data", 'last', "step $step: the next one is there, once";
};

sub published { return $server->get('/status')->json->{zones}{events}{published} }

my $before  = published();
my $witness = $server->subscribe_on($safe, '/sub?channel=old')->ready;
my (%open, @heard);
my @sure = publish('/pub?channel=old', 'sure 0');

sub ids_and_data (@events) { return map {"$_->{id} $_->{data}"} @events }

# All events that the witness has received, up to the one with the data $last.
sub heard ($last) {
    while (my $event = $witness->next_event(5)) {
        push @heard, $event;
        last if $event->{data} eq $last;
    }
    return @heard;
}

each_step 'one more event of a channel', sub ($step) { fatal(POST => "/crash/pub?channel=old&crash=$step", body => "perhaps $step") }, sub ($step) {
    push @sure, publish('/pub?channel=old', "sure $step");
    my @events = history('/sub', 'old', "sure $step");
    my @known  = grep { $_->{data} =~ /sure/ } @events;
    is_deeply [map { $_->{id} } @known], \@sure, "step $step: whatever was acknowledged is there, in order";
    is_ascending [map { $_->{id} } @events], 'ids grow';
    my %times;
    $times{ $_->{data} }++ for @events;
    is_deeply [grep { $times{$_} > 1 } keys %times], [], 'nothing is there twice';
    is published() - $before, scalar @events, 'and the count is right';
    is_deeply [ids_and_data(heard("sure $step"))], [ids_and_data(@events)], 'a subscriber on another worker has heard the same';
    # An event that was not acknowledged, but was there once, stays.
    is_deeply [grep { $open{$_} && !$times{$_} } keys %open], [], 'what was there is still there';
    $open{ $_->{data} } = 1 for @events;
    return Test::More->builder->is_passing;
};

# Fill the small zone and its index, so that events and channels must make room.
publish('/small?channel=c' . $_ % 64, 'x' x 3000) for 1 .. 200;
my $round = 200;
each_step 'an event that others make room for', sub ($step) {
    fatal(POST => '/crash/small?channel=c' . ($step % 64) . "&crash=$step", body => "perhaps $step " . 'y' x 9000)
}, sub ($step) {
    my @id = map { publish("/small?channel=c$step", "sure $step.$_ " . 'x' x 1000) } 1 .. 3;
    my @events = grep { $_->{data} =~ /\Asure $step\./ } history('/tiny', "c$step", "sure $step.3");
    return is_deeply [map { $_->{id} } @events], \@id, "step $step: the next three are there, in order";
};

each_step 'a subscriber that comes', sub ($step) { fatal(GET => "/crash/sub?channel=join$step&crash=$step") }, sub ($step) {
    my $subscriber = $server->subscribe("/sub?channel=join$step")->ready;
    publish("/pub?channel=join$step", 'hello');
    my $event = $subscriber->next_event;
    is $event && $event->{data}, 'hello', "step $step: the next one hears everything";
    my $alone = eval { wait_until(sub { $server->get("/pub?channel=join$step")->json->{subscribers} == 1 }, 'a true count') };
    $subscriber->close;
    return ok $alone, 'and is counted, but not the dead one';
};

each_step 'one that comes when the index is full', sub ($step) { fatal(GET => "/crash/tiny?channel=late$step&crash=$step") }, sub ($step) {
    my $subscriber = $server->subscribe("/tiny?channel=later$step")->ready;
    publish("/small?channel=later$step", 'hello');
    my $event = $subscriber->next_event;
    $subscriber->close;
    return is $event && $event->{data}, 'hello', "step $step: the next one hears everything";
};

$witness->close;
subtest 'afterwards' => sub {
    my $start = time;
    for my $channel ('old', map {"join$_"} 1 .. 5) {
        ok wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == 0 }, "nobody on $channel"),
            "nobody is counted on $channel";
    }
    note sprintf 'the counts were true after %.1f s; the slowest publish after a crash took %.3f s', time - $start, $slowest;
    cmp_ok $slowest, '<', $limit, 'publishing goes on at once';
};

is_deeply [$server->stop], [], 'no trouble but that';
done_testing;
