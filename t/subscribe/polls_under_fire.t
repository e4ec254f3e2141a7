# Fifty clients use long polling while events are published, workers are killed and nginx is reloaded: each gets each event once,
# in order.
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(workers => 3, listen => [qw(h1 tls h2c)], zone => '16m');
$server->allow(qr/exited on signal 9/, qr/zone "events" was locked by/);

# Publishes numbers from a process of its own until there are $count of them; what is not acknowledged is tried again, so that
# a number may come twice.
sub start_publisher ($channel, $count) {
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    for my $number (1 .. $count) {
        my $answer;
        until ($answer && $answer->status == 201 || getppid != $parent) {
            $answer = eval { $server->publish("/pub?channel=$channel", $number) };
        }
        sleep 0.004;
    }
    POSIX::_exit(0);
}

# Asks for the events after the cursor, on the connection of the last response if that stays open.
sub ask ($poller) {
    my $kept = $poller->{via} ne 'h2c' && $poller->{client} && ($poller->{client}->header('Connection') // '') ne 'close';
    $poller->{client} = eval {
        $server->request(
            GET    => "/sub?channel=$poller->{channel}&poll&wait=30",
            via    => $poller->{via},
            cursor => $poller->{cursor},
            $kept && !$poller->{lost} ? (on => $poller->{client}) : (),
        );
    };
    $poller->{lost} = 0;
}

sub follow ($poller) {
    return ask($poller) unless $poller->{client};
    my $end = eval { $poller->{client}->closed } // 'abort';
    return if $end eq '';
    if ($end eq 'clean' && $poller->{client}->status == 200) {
        my $answer = $poller->{client}->json;
        push @{ $poller->{events} }, @{ $answer->{events} };
        $poller->{gaps}++ if $answer->{gap};
        $poller->{cursor} = $answer->{cursor};
        $poller->{answers}++;
    }
    else {
        $poller->{lost} = 1;
    }
    ask($poller);
}

# Publishes that many events, and disturbs nginx several times while it does so.
sub under_fire ($channel, $count, $disturb) {
    my $start  = $server->get("/sub?channel=$channel&poll")->json->{cursor};
    my @poller = map { { channel => $channel, via => (qw(h1 h1 h1 tls h1 h1 h2c h1 h1 h1))[$_ % 10], cursor => $start, events => [], gaps => 0 } } 1 .. 50;
    ask($_) for @poller;
    my $publisher = start_publisher($channel, $count);
    my $last = sub ($poller) { @{ $poller->{events} } ? $poller->{events}[-1]{data} : 0 };
    for my $round (1 .. 4) {
        wait_until(sub { follow($_) for @poller; !grep { $last->($_) < $count * $round / 5 } @poller }, 'everybody to get on');
        $disturb->($round);
    }
    waitpid $publisher, 0;
    wait_until(sub { follow($_) for @poller; !grep { $last->($_) < $count } @poller }, 'everybody to have the last one');

    my @all = @{ $server->get("/sub?channel=$channel&poll", cursor => $start)->json->{events} };
    is_ascending [map { $_->{id} } @all], 'ids grow';
    cmp_ok scalar @all, '>=', $count, 'all are there';
    my $expected = join ' ', map {"$_->{id}:$_->{data}"} @all;
    my @wrong = grep { join(' ', map {"$_->{id}:$_->{data}"} @{ $_->{events} }) ne $expected } @poller;
    is scalar @wrong, 0, 'each has got each event once, in order' or diag map { $_->{via} . ': ' . @{ $_->{events} } . "\n" } @wrong;
    is scalar(grep { $_->{gaps} } @poller), 0, 'without a gap';
    cmp_ok $_, '<', 20 * $count, 'waiting in between' for map { $_->{answers} } @poller;
    $_->{client}->close for grep { $_->{client} } @poller;
    wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
    wait_until(sub { $server->get("/pub?channel=$channel")->json->{subscribers} == 0 }, 'nor on the channel');
    pass 'all have left';
}

subtest 'undisturbed' => sub { under_fire('calm', 300, sub ($) { }) };

subtest 'reloads' => sub {
    my @old;
    under_fire('reloads', 300, sub ($) { push @old, $server->reload });
    $server->wait_gone(@old);
};

subtest 'killed workers' => sub {
    under_fire('killed', 300, sub ($round) { $server->kill9(($server->workers)[$round % 3]) });
};

is_deeply [$server->stop], [], 'no other trouble';
done_testing;
