# What the tests of several machines rely on: networks that lose packets and can be cut, clocks that are off, and a judge that
# finds what is wrong.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use List::Util qw(max);
use SSE::Network;
use Test::More;
use Time::HiRes qw(time);
use Bus::Load;
use SSE::Clock;
use SSE::Machines;
use SSE::Nginx;
use SSE::Redis;

subtest 'a network' => sub {
    my $place = SSE::Network->place;
    my $redis = SSE::Redis->start(address => $place->back, inside => [$place->inside]);
    my $connect = sub ($timeout) { SSE::Resp->connect($redis->where, timeout => $timeout) };
    my $client  = $connect->(1);
    is $client->command('PING'), 'PONG', 'an answer over it';
    $place->cut;
    $client->{timeout} = 0.3;
    like eval { $client->command('PING') } // $@, qr/no answer/, 'cut: no answer, and the connection stays';
    ok !eval { $connect->(0.3) }, 'nor another connection';
    is $redis->command('PING'), 'PONG', 'but the test itself reaches it';
    $place->heal;
    $client->{timeout} = 10;
    is $client->reply, 'PONG', 'healed: what was lost is sent again';
    $place->lose(0.1); # a packet that is lost six times in a row takes longer than anybody waits
    my $slowest = 0;
    for (my $count = 0; $slowest < 0.1 && $count < 200; ++$count) {
        my $start = time;
        $client->command('PING');
        $slowest = max($slowest, time - $start);
    }
    cmp_ok $slowest, '>', 0.1, 'losses take time';
    $place->lose(0);
    my $slow = 0;
    for (1 .. 100) {
        my $start = time;
        $client->command('PING');
        ++$slow if time - $start > 0.1;
    }
    cmp_ok $slow, '<', 5, 'no losses'; # if one in ten were lost, it would be twice as many and more
};

subtest 'clocks' => sub {
    my $redis = SSE::Redis->start(env => { clock(3600) });
    cmp_ok abs($redis->command('TIME')->[0] - time - 3600), '<', 10, 'of Redis';
    my $nginx = SSE::Nginx->start(env => { clock(-3600) });
    my ($milliseconds) = $nginx->publish('/pub?channel=c', 'event')->json->{id} =~ /\A(\d+)/;
    cmp_ok abs($milliseconds / 1000 - time + 3600), '<', 10, 'of nginx';
    is_deeply [$nginx->stop], [], 'no trouble';
};

sub load_on ($count) {
    my $machines = SSE::Machines->start(machines => $count, bus => undef);
    my $load = Bus::Load->start(machines => [$machines->all], subscribers => 30, channels => 5, stay => 0.5);
    $load->go_on_for(2);
    eval { $load->settle(2) };
    return ($machines, $load);
}

subtest 'one machine is right' => sub {
    my ($machines, $load) = load_on(1);
    cmp_ok $load->recover, '<', 20, 'it works' for $load->go;
    $load->settle;
    $load->judge;
    is_deeply [$machines->stop], [], 'no trouble';
};

# They share nothing: each subscriber lacks what was published elsewhere.
subtest 'two machines without a bus are not' => sub {
    my ($machines, $load) = load_on(2);
    my $verdict = $load->verdict;
    $verdict->judge($load->subscribers);
    cmp_ok $verdict->{gaps_unknown}, '>', 0, 'the ids of the one are unknown to the other';
    $verdict->learn($machines->master, 'sse:events');
    $verdict->judge_stream;
    is $verdict->{missing}, $verdict->{published}, 'nothing is in Redis';
};

# What a subscriber on one machine has received, altered.
subtest 'the judge' => sub {
    my $id   = sub ($n) { "1000-@{[$n * 65536 + 7]}" };
    my @all  = map { { id => $id->($_), data => "c/p/$_" } } 1 .. 6;
    my $lost = sub ($n) { { gap => { reason => 'lost', requested => $id->(1), start => $id->($n) } } };
    my $verdict_on = sub ($published, @history) {
        my $verdict = Bus::Verdict->new;
        $verdict->take('ok', 'c', @$_{qw(data id)}) for @$published;
        $verdict->{stream}{ Bus::Verdict::stream_id($_->{id}) . " $_->{data}" } = 1 for @$published;
        $verdict->judge({ channel => 'c', via => 'h1', first => $id->(0), history => \@history });
        return join ' ', map { $verdict->{$_} ? "$_ $verdict->{$_}" : () } qw(lost doubled reordered foreign unsettled excused);
    };
    my $judge = sub (@history) { $verdict_on->(\@all, @history) };
    is $judge->(@all), '', 'all';
    is $judge->(@all[0 .. 4]), 'lost 1', 'all but one';
    is $judge->(@all[0, 1, 1 .. 5]), 'doubled 1 reordered 1', 'one twice';
    is $judge->(@all[0, 2, 1, 3 .. 5]), 'reordered 1', 'not in order';
    is $judge->(@all, { id => $id->(7), data => 'c/p/7' }), 'foreign 1', 'one that nobody has published';
    is $judge->(@all[0, 1], $lost->(4), @all[4, 5]), 'excused 2', 'a gap says what is missing';
    is $judge->(@all[0, 1], $lost->(4), $all[5]), 'lost 1 excused 2', 'and nothing else';
    my $other = { %{ $all[1] }, id => $id->(4) };
    is $judge->(@all[0, 2], $other, $lost->(5), $all[5]), 'unsettled 1 excused 3', 'before a gap, an id that is not in Redis';
    is $judge->(@all[0, 2], $other, @all[4, 5]), 'lost 1 foreign 1', 'and without one';
    is $judge->(@all[0, 1, 2], $other, $lost->(5), $all[5]), 'doubled 1 unsettled 1 excused 2', 'twice before a gap';
    is $verdict_on->([@all[0, 2 .. 5], { %{ $all[1] }, id => $id->(7) }],
        @all[0, 1], $lost->(3), @all[3 .. 5], { %{ $all[1] }, id => $id->(7) }), 'unsettled 1 excused 1', 'lost, and published again';
};

done_testing;
