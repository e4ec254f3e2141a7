# With any number of workers, and subscribers and publishers on any of them, all subscribers see the same order.
use v5.36;
use lib 't/lib';
use List::Util qw(all);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;
use SSE::Util;

# Publishes from several processes at once; returns lines "data id" with the ids of the responses.
sub publish_at_once ($server, $processes, $each) {
    my @child;
    for my $process (1 .. $processes) {
        my $pid = fork // die "fork: $!";
        push(@child, $pid), next if $pid;
        open my $file, '>', $server->prefix . "/published.$process" or POSIX::_exit(1);
        for my $number (1 .. $each) {
            my $answer = eval { $server->publish('/pub?channel=c', "$process.$number") };
            print $file "$process.$number ", $answer && $answer->status == 201 ? $answer->json->{id} : $@, "\n";
        }
        close $file;
        POSIX::_exit(0);
    }
    waitpid $_, 0 for @child;
    return map { split /\n/, $server->read_file("published.$_") } 1 .. $processes;
}

for my $workers (1, 2, 4) {
    subtest "$workers workers" => sub {
        my $server = SSE::Nginx->start(workers => $workers, listen => ['h1', 'h2c'], zone => '8m');
        my @pid    = $server->workers;
        is scalar @pid, $workers, 'are there';
        my @subscriber;
        for my $pid (@pid) {
            push @subscriber, map { $server->subscribe_on($pid, '/sub?channel=c', via => $_)->ready } 'h1', 'h2c';
        }
        my @line = publish_at_once($server, 4, 250);
        is scalar(grep {/\A\S+ \d+-\d+\z/} @line), 1000, 'every publish has succeeded' or diag @line[0 .. 3];
        my %told = map { split / / } @line;
        my @first;
        for my $subscriber (@subscriber) {
            my @event = $subscriber->events(1000);
            @first = @event unless @first;
            is_ascending [map { $_->{id} } @event], 'ids grow';
            is_deeply \@event, \@first, 'the same events in the same order';
        }
        is_deeply { map { $_->{data} => $_->{id} } @first }, \%told, 'under the ids that the publishers were told';
        for my $process (1 .. 4) {
            is_deeply [map { $_->{data} =~ /\A$process\.(\d+)/ ? $1 : () } @first], [1 .. 250], "publisher $process in its order";
        }
        is $server->publish('/pub?channel=c', 'x')->json->{subscribers}, 2 * $workers, 'the subscribers of all workers count';
        is_deeply [$server->stop], [], 'no trouble';
    };
}

# Without a wake-up, a worker finds an event only when it looks at the log anyway, once a second.
subtest 'a worker is woken' => sub {
    my $server     = SSE::Nginx->start(workers => 2);
    my ($one, $other) = $server->workers;
    my $subscriber = $server->subscribe_on($one, '/sub?channel=c')->ready;
    my $publisher  = $server->connect_to($other);
    my $start      = time;
    for my $number (1 .. 20) {
        $server->publish('/pub?channel=c', $number, on => $publisher);
        $subscriber->next_event;
    }
    my $mean = (time - $start) / 20;
    note sprintf 'from worker to worker and back in %.1f ms', 1000 * $mean;
    cmp_ok $mean, '<', 0.4, 'by what another one has taken';
    is_deeply [$server->stop], [], 'no trouble';
};

# When it continues, it finds more than it collects in one go, for each of its subscribers and for all of them.
subtest 'a worker is held up' => sub {
    my $server     = SSE::Nginx->start(workers => 2, zone => '8m', locations => 'location = /both { sse_channel c $arg_own; }');
    my ($one, $other) = $server->workers;
    my @subscriber = map { $server->subscribe_on($one, "/both?own=own$_")->ready } 1 .. 40;
    my $publisher  = $server->connect_to($other);
    my @sizes      = map { $_ % 10 ? 1000 : 100_000 } 1 .. 40;
    freeze($one);
    $server->publish('/pub?channel=c', 'x' x $_, on => $publisher) for @sizes;
    thaw($one);
    ok((all { "@{[map { length } $_->data(scalar @sizes)]}" eq "@sizes" } @subscriber), 'and all of its subscribers get everything');
    is $server->get('/status')->json->{gaps}, 0, 'without a gap';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest '64 workers' => sub {
    my $server = SSE::Nginx->start(workers => 64, events => 'worker_connections 128;');
    my @pid    = $server->workers;
    is scalar @pid, 64, 'are there';
    my @subscriber;
    my %served;
    while (keys %served < 40) {
        my $subscriber = $server->subscribe('/sub?channel=c')->ready;
        $served{ $subscriber->header('X-Worker') }++;
        push @subscriber, $subscriber;
    }
    $server->publish('/pub?channel=c', $_) for 1 .. 50;
    is scalar(grep { "@{[$_->data(50)]}" eq join ' ', 1 .. 50 } @subscriber), scalar @subscriber, 'everybody is reached';
    is scalar @{ $server->get('/status')->json->{workers} }, 64, 'all in the status';
    my @old = $server->reload;
    $_->wait_closed for @subscriber;
    $server->wait_gone(@old);
    my $again = $server->subscribe('/sub?channel=c', cursor => $subscriber[0]->last_event_id);
    $server->publish('/pub?channel=c', 'after');
    is $again->next_event->{data}, 'after', 'and after a reload again';
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'another number of workers with each reload' => sub {
    my $server = SSE::Nginx->start(workers => 1);
    my $cursor = $server->subscribe('/sub?channel=c')->ready->last_event_id;
    for my $workers (8, 2, 5, 1) {
        my @old = $server->reload(workers => $workers);
        my @subscriber = map { $server->subscribe_on($_, '/sub?channel=c', cursor => $cursor) } $server->workers;
        $cursor = $server->publish('/pub?channel=c', "to $workers")->json->{id};
        is scalar(grep { $_->next_event->{data} eq "to $workers" } @subscriber), scalar @subscriber, "$workers workers";
        $server->wait_gone(@old);
    }
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'master_process off' => sub {
    my $server     = SSE::Nginx->start(master => 0, listen => ['h1', 'h2c']);
    my $subscriber = $server->subscribe('/sub?channel=c', via => 'h2c')->ready;
    $server->publish('/pub?channel=c', 'alone');
    is $subscriber->next_event->{data}, 'alone', 'works';
    $subscriber->close;
    is_deeply [$server->stop('TERM')], [], 'no trouble';
};

subtest 'other processes of nginx' => sub {
    my $server = SSE::Nginx->start(
        workers => 2,
        http    => 'sse_zone events 1m; proxy_cache_path cache keys_zone=cache:1m;',
    );
    $server->subscribe('/sub?channel=c')->ready;
    is_deeply [sort { $a <=> $b } map { $_->{pid} } @{ $server->get('/status')->json->{workers} }], [$server->workers],
        'the cache manager is not one of us';
    is_deeply [$server->stop], [], 'no trouble';
};

done_testing;
