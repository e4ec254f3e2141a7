# A worker is stopped while the log is overwritten and a channel ends. When it goes on, it notices both.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(workers => 2, zone => '512k', events => 'worker_connections 4096;');
my ($slow, $quick) = $server->workers;

# A connection to the worker that is never stopped.
my $publisher = $server->connect_to($quick);

sub publish ($channel, $data) {
    is $server->publish("/pub?channel=$channel", $data, on => $publisher)->status, 201, "$channel: $data";
}
sub overwrite { $server->publish('/pub?channel=other', 'x' x 10_000, on => $publisher) for 1 .. 120 }

sub end_channel ($channel) {
    is $server->request(DELETE => "/pub?channel=$channel", on => $publisher)->finish->status, 200, 'the channel ends';
}

# Calls $what while the worker is stopped; returns subscribers of the channel on that worker.
sub while_standing ($channel, $what) {
    my @subscriber = map { $server->subscribe_on($slow, "/sub?channel=$channel")->ready } 1 .. 3;
    publish($channel, 'before');
    $_->next_event for @subscriber;
    freeze($slow);
    $what->();
    thaw($slow);
    return @subscriber;
}

# Whether an event with this data is among the next ones.
sub hears ($subscriber, $data) {
    while (my $event = $subscriber->next_event) {
        return 1 if $event->{data} eq $data;
    }
    return 0;
}

subtest 'overwritten, then ended' => sub {
    my @subscriber = while_standing('a', sub { overwrite(); end_channel('a') });
    is $_->wait_closed, 'clean', 'the stream ends' for @subscriber;
    my $back = $server->subscribe('/sub?channel=a', cursor => $subscriber[0]->last_event_id);
    is $back->status, 204, 'who comes back is told to stay away';
};

subtest 'the last event is still there' => sub {
    my @subscriber = while_standing('b', sub { overwrite(); publish('b', 'last'); end_channel('b') });
    is $_->wait_closed, 'clean', 'the stream ends' for @subscriber;
    is_deeply [grep { $_ eq 'last' } $_->data(9, 0)], ['last'], 'after what was left' for @subscriber;
};

subtest 'ended, then alive again' => sub {
    my @subscriber = while_standing('c', sub { overwrite(); end_channel('c'); publish('c', 'again') });
    ok hears($_, 'again'), 'the event of the new life arrives' for @subscriber;
    publish('c', 'and on');
    ok hears($_, 'and on'), 'and the stream goes on' for @subscriber;
    end_channel('c');
    is $_->wait_closed, 'clean', 'until the channel ends again' for @subscriber;
};

subtest 'ended, and alive again only later' => sub {
    my @subscriber = while_standing('d', sub { overwrite(); end_channel('d') });
    is $_->wait_closed, 'clean', 'the stream ends' for @subscriber;
    publish('d', 'again');
    my $new = $server->subscribe_on($slow, '/sub?channel=d')->ready;
    publish('d', 'newer');
    ok hears($new, 'newer'), 'a new one does not';
    ok !$new->closed, 'end';
};

subtest 'only overwritten' => sub {
    my @subscriber = while_standing('e', \&overwrite);
    publish('e', 'after');
    ok hears($_, 'after'), 'the stream goes on' for @subscriber;
};

# The worker is stopped twice: first while the log is overwritten, and again when it has noticed that.
subtest 'while many are being given an event' => sub {
    my @subscriber = map { $server->subscribe_on($slow, '/sub?channel=f')->ready } 1 .. 1500;
    # If the worker has served all of them before it stops, there is another event.
    my $next;
    for my $attempt (1 .. 100) {
        publish('f', 'first');
        $subscriber[0]->next_event;
        freeze($slow);
        ($next) = grep { !@{ $_->poll->{events} } } @subscriber[1 .. $#subscriber];
        last if $next;
        thaw($slow);
        $_->{events} = [] for @subscriber;
    }
    isnt $next, undef, 'some wait for it';
    overwrite();
    publish('f', 'last');
    thaw($slow);
    $next->pump_until(sub { @{ $next->{events} } > 0 }) if $next;
    freeze($slow);
    end_channel('f');
    thaw($slow);
    my %last;
    for my $subscriber (@subscriber) {
        my $closed = $subscriber->wait_closed;
        my @data   = $subscriber->data(9, 0);
        $last{"$closed: $data[-1]"}++;
        $subscriber->close;
    }
    is_deeply \%last, { 'clean: last' => scalar @subscriber }, 'the end comes after what was left' or diag explain \%last;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
