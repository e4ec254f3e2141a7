# Workers are killed while events are published: the others go on, and clients that come back have missed nothing.
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(workers => 4, listen => [qw(h1 tls h2c)], zone => '16m');
# nginx reports when it frees a lock whose holder has died.
$server->allow(qr/exited on signal 9/, qr/zone "events" was locked by/);
seed();

# Publishes numbers until it is told to stop. A number that was not acknowledged is sent again, so it may appear twice.
sub start_publisher ($name) {
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    open my $file, '>', $server->prefix . "/published.$name" or POSIX::_exit(1);
    $file->autoflush(1);
    for (my $number = 1; !$stop && getppid == $parent; $number++) {
        my $answer;
        until ($answer && $answer->status == 201 || getppid != $parent) {
            $answer = eval { $server->publish('/pub?channel=c', "$name.$number") };
        }
        print $file "$name.$number ", $answer->json->{id}, "\n";
        sleep 0.002;
    }
    POSIX::_exit(0);
}

my @follower = map { { via => (qw(h1 h2c tls h1))[$_ % 4], events => [] } } 1 .. 24;

sub connect_follower ($follower) {
    until ($follower->{client}) {
        my $client = eval { $server->subscribe('/sub?channel=c', via => $follower->{via}, cursor => $follower->{cursor}) };
        $follower->{client} = $client if $client && $client->status == 200;
    }
}

sub follow ($follower) {
    my $client = $follower->{client};
    eval { $client->poll };
    push @{ $follower->{events} }, splice @{ $client->{events} };
    $follower->{cursor} = $client->last_event_id if $client->last_event_id ne '';
    return unless $client->closed;
    $follower->{cuts}++;
    delete $follower->{client};
    connect_follower($follower);
}

for my $follower (@follower) {
    connect_follower($follower);
    $follower->{cursor} = $follower->{client}->ready->last_event_id;
}
my @publisher = map { start_publisher($_) } 'a', 'b';
my $count = sub { my ($least) = sort { $a <=> $b } map { scalar @{ $_->{events} } } @follower; $least };

for my $round (1 .. 6) {
    my $goal = $count->() + 100;
    wait_until(sub { follow($_) for @follower; $count->() >= $goal }, 'everybody to get on');
    my @worker = $server->workers;
    $server->kill9($worker[rand @worker]);
}
my $goal = $count->() + 100;
wait_until(sub { follow($_) for @follower; $count->() >= $goal }, 'everybody to get on');
kill TERM => @publisher;
waitpid $_, 0 for @publisher;

my %told = map { reverse split / / } map { split /\n/, $server->read_file("published.$_") } 'a', 'b';
my ($last) = reverse sort { compare_ids($a, $b) } keys %told;
wait_until(sub { follow($_) for @follower; !grep { compare_ids($_->{events}[-1]{id}, $last) < 0 } @follower },
    'everybody to have the last one');

my @all = grep { $_->{type} ne 'ready' } @{ $follower[0]{events} };
is_ascending [map { $_->{id} } @all], 'ids grow';
my %seen = map { $_->{id} => $_->{data} } @all;
is_deeply [grep { ($seen{$_} // '') ne $told{$_} } keys %told], [], 'whatever was acknowledged is there';
my $cuts = 0;
for my $number (0 .. $#follower) {
    my @event = grep { $_->{type} ne 'ready' } @{ $follower[$number]{events} };
    is scalar(grep { $_->{type} eq 'gap' } @event), 0, 'no gap';
    my $same = join(' ', map {"$_->{id}=$_->{data}"} @event) eq join(' ', map {"$_->{id}=$_->{data}"} @all);
    ok $same, "follower $number has got the same" or diag scalar(@event), ' of ', scalar @all;
    $cuts += $follower[$number]{cuts} // 0;
}
cmp_ok $cuts, '>', 0, "and that over $cuts cuts";

subtest 'survivors' => sub {
    my @pid = $server->workers;
    my @channel = map {"s$_"} 1 .. 20;
    my (@survivor, @lost);
    for my $channel (@channel) {
        push @survivor, map { [$channel, $server->subscribe_on($_, "/sub?channel=$channel")->ready] } @pid[1 .. 3];
        push @lost, $server->subscribe_on($pid[0], "/sub?channel=$channel")->ready;
    }
    $server->kill9($pid[0]);
    my @new = map { [$_, $server->subscribe("/sub?channel=$_")->ready] } @channel;
    $server->publish("/pub?channel=$_", "to $_") for @channel;
    is scalar(grep { $_->[1]->next_event->{data} ne "to $_->[0]" } @survivor), 0, 'hear everything';
    is scalar(grep { $_->[1]->next_event->{data} ne "to $_->[0]" } @new), 0, 'as do those who come after';
    my $count = sub ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} };
    ok eval { wait_until(sub { !grep { $count->($_) != 4 } @channel }, 'true counts') }, 'and are counted, but not the dead';
    $_->[1]->close for @survivor, @new;
    $_->close for @lost;
    $follower[$_]{client}->close for 0 .. $#follower;
    wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
};

subtest 'workers that were leaving' => sub {
    my $other = SSE::Nginx->start(workers => 2, drain => '60s');
    $other->allow(qr/exited on signal 9/);
    my @subscriber = map { $other->subscribe("/sub?channel=c$_")->ready } 1 .. 8;
    my @old = $other->reload;
    cmp_ok scalar(grep { !$_->closed } @subscriber), '>', 0, 'have subscribers';
    kill KILL => @old;
    $other->wait_gone(@old);
    my $start = time;
    my $count = sub ($channel) { $other->get("/pub?channel=$channel")->json->{subscribers} };
    ok eval { wait_until(sub { $count->("c$_") == 0 }, "nobody on c$_") for 1 .. 8; 1 }, 'nobody takes their place, but somebody their count';
    note sprintf 'after %.1f s', time - $start;
    is_deeply [$other->stop], [], 'no trouble but that';
};

subtest 'one worker alone' => sub {
    my $single = SSE::Nginx->start;
    $single->allow(qr/exited on signal 9/);
    my $id = $single->publish('/pub?channel=c', 'before')->json->{id};
    $single->kill9($single->workers);
    is $single->subscribe('/sub?channel=c', cursor => '0-0')->next_event->{data}, 'before', 'the history survives it';
    my $subscriber = $single->subscribe('/sub?channel=c', cursor => $id);
    $single->publish('/pub?channel=c', 'after');
    is $subscriber->next_event->{data}, 'after', 'and all goes on';
};

is_deeply [$server->stop], [], 'no trouble but that';
done_testing;
