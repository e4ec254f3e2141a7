package SSE::Network;

# Places (network namespaces) on two networks of one test: clients reach the front of a place, and places reach each
# other at the back.
#
#   use SSE::Network;                      # first: the test starts again in namespaces of its own
#   my $place = SSE::Network->place;
#   $place->front, $place->back;           # its addresses
#   exec $place->inside, 'command';        # a command that runs there
#   $place->cut; $place->heal;             # at the back, all packets are silently dropped
#   $place->hide($other); $place->show($other);  # from one other place alone
#   $place->lose(0.05);                    # of what arrives there, one packet in twenty is lost
#
# The namespaces end with the test, however it ends, and so do all processes in them. Where namespaces cannot be made, the test
# is skipped, unless TEST_NGINX_REQUIRE_NETNS is set: then it fails.

use v5.36;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

# Enters the namespaces, by starting the test again in them.
sub import {
    return if $ENV{SSE_NETWORK};
    if (my $lacking = lacking()) {
        die "$lacking, and TEST_NGINX_REQUIRE_NETNS is set\n" if $ENV{TEST_NGINX_REQUIRE_NETNS};
        plan skip_all => $lacking;
    }
    local $ENV{SSE_NETWORK} = 1;
    $ENV{PATH} .= ':/usr/sbin:/sbin';
    exec qw(unshare --net --pid --fork --kill-child --mount-proc --), $^X, (map {"-I$_"} @INC), $0, @ARGV
        or die "unshare: $!\n";
}

# Why network namespaces cannot be used here, or nothing.
sub lacking {
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    return 'only root can make network namespaces' if $> != 0;
    return 'no network namespaces can be made here'
        if system('unshare --net --pid --fork --mount-proc sh -c "ip link add name bridge type bridge" >/dev/null 2>&1') != 0;
    return 'there is no iptables that loses packets'
        if system('unshare --net iptables -w -A INPUT -m statistic --mode random --probability 0.05 -j DROP >/dev/null 2>&1') != 0;
    return '';
}

my %network = (front => '10.77.1', back => '10.77.2');
my $number  = 0;

sub run (@command) { system(@command) == 0 or die "@command: failed\n" }
sub ip ($text) { run('ip', split ' ', $text) }

# The bridges, at which the test itself has an address.
sub make_bridges {
    state $made = do {
        ip('link set lo up');
        for my $side (sort keys %network) {
            ip("link add name $side type bridge");
            ip("addr add $network{$side}.254/24 dev $side");
            ip("link set $side up");
        }
        1;
    };
    return $made;
}

# A new place.
sub place ($class) {
    make_bridges();
    my $self = bless { number => ++$number }, $class;
    die "too many places\n" if $number > 250;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        exec qw(unshare --net -- sleep infinity) or POSIX::_exit(127);
    }
    my $own      = readlink '/proc/self/ns/net';
    my $deadline = time + 10;
    while ((readlink("/proc/$self->{pid}/ns/net") // $own) eq $own) {
        die "no namespace\n" if time > $deadline;
        sleep 0.005;
    }
    run($self->inside, qw(ip link set lo up));
    for my $side (sort keys %network) {
        ip("link add name $side$number type veth peer name $side netns $self->{pid}");
        ip("link set $side$number master $side up");
        run($self->inside, qw(ip addr add), "$network{$side}.$number/24", 'dev', $side);
        run($self->inside, qw(ip link set), $side, 'up');
    }
    return $self;
}

sub front ($self) { return "$network{front}.$self->{number}" }
sub back  ($self) { return "$network{back}.$self->{number}" }

# The words to put before a command that runs there.
sub inside ($self) { return ('nsenter', "--net=/proc/$self->{pid}/ns/net", '--') }

# The port of the bridge: in the state "disabled" it silently drops the packets of both directions.
sub cut  ($self) { run(qw(bridge link set dev), "back$self->{number}", qw(state 0)) }
sub heal ($self) { run(qw(bridge link set dev), "back$self->{number}", qw(state 3)) }

# Drops the packets of one other place; and lets them through again.
sub hide ($self, $other) { run($self->inside, qw(iptables -w -I INPUT -s), $other->back, qw(-j DROP)) }
sub show ($self, $other) { run($self->inside, qw(iptables -w -D INPUT -s), $other->back, qw(-j DROP)) }

# How many of the packets that arrive at the back are lost; 0: none.
sub lose ($self, $share) {
    run($self->inside, qw(iptables -w -F INPUT));
    run($self->inside, qw(iptables -w -A INPUT -i back -m statistic --mode random --probability), $share, qw(-j DROP)) if $share;
}

1;
