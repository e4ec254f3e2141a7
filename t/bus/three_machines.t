# Three machines and a Redis with two replicas: subscribers that move from machine to machine get every event once and in the same
# order, whichever machine or program has published it.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Machines;
use SSE::Nginx;

scenario 'two replicas', machines => { replicas => 2 }, fault => sub ($machines, $load) {
    $load->go_on_for(span(4));
};

scenario 'TLS, a user with the rights that it needs, and a replica that acknowledges',
    machines => {
        replicas => 1,
        url      => 'rediss://nginx:secret@',
        bus      => 'acks=1',
        server   => {
            tls   => 1,
            users => [
                'nginx on >secret ~sse:events* +ping +client|info +client|kill +select +role +get +set +xadd +xread +xrange +xrevrange +xtrim'
                    . ' +xinfo|stream +wait +time +eval +evalsha +script|load +exists +expire +pexpire',
            ],
        },
    },
    fault => sub ($machines, $load) { $load->go_on_for(span(2)) };

subtest 'the same ids everywhere' => sub {
    my $machines = SSE::Machines->start(machines => 3);
    $machines->wait_healthy;
    my @subscribers = map { $_->subscribe('/sub?channel=news')->ready } $machines->all;
    my @ids = map { $_->publish('/pub?channel=news', 'from nginx')->json->{id} } $machines->all;
    my $entry = $machines->master->command(XADD => 'sse:events', '*', qw(channel news data hello event greeting));
    my @seen = map { [map {"$_->{id} $_->{type} $_->{data}"} $_->events(4)] } @subscribers;
    is_deeply $seen[$_], $seen[0], 'each subscriber gets the same' for 1, 2;
    is_deeply [@{ $seen[0] }[0 .. 2]], [map {"$_ message from nginx"} @ids], 'under the ids that publishers were told';
    like $seen[0][3], qr/\A\Q@{[$entry =~ s{-.*}{}r]}\E-\d+ greeting hello\z/, 'and what another program has added';
    my $late = $machines->start_machine;
    $machines->{machines}[3] = $late;
    $machines->wait_healthy;
    my @replayed = map {"$_->{id} $_->{type} $_->{data}"} $late->subscribe('/sub?channel=news', cursor => $ids[0])->events(3);
    is_deeply \@replayed, [@{ $seen[0] }[1 .. 3]], 'a new machine has the history';
    is_deeply [$machines->stop], [], 'no trouble';
};

done_testing;
