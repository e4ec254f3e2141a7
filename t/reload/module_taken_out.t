# Reloads remove the module from the configuration and add it again: nginx unloads and loads it, and the descriptors that it had opened
# in the master are closed.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

# The descriptors of a process that wake workers.
sub wake_ups ($pid) { return scalar grep { (readlink // '') =~ /eventfd/ } glob "/proc/$pid/fd/*" }

sub is_mapped ($pid) {
    open my $maps, '<', "/proc/$pid/maps" or die "process $pid: $!";
    return scalar grep {/ngx_http_sse_module/} readline $maps;
}

# Reloads, and waits until the old workers are gone.
sub reload ($server, %option) { $server->wait_gone($server->reload(%option)) }

my %with = SSE::Nginx::usual();
my %without = (module => 0, http => '', server => 'location = /status { return 204; }');

subtest 'out and in again' => sub {
    my $server = SSE::Nginx->start(workers => 2);
    my $master = $server->{pid};
    my @before = (wake_ups($master), descriptors($master));
    cmp_ok $before[0], '>', 4, 'there are descriptors that wake workers';
    for my $round (1 .. 3) {
        reload($server, %without);
        ok !is_mapped($master), "round $round: the module is unloaded";
        is wake_ups($master), 0, 'and its descriptors are closed';
        reload($server, module => 1, %with);
        # The master closes what belongs to a worker only after it has noticed that the worker is gone.
        my @now;
        eval { wait_until(sub { @now = (wake_ups($master), descriptors($master)); "@now" eq "@before" }, 'all closed') };
        is_deeply \@now, \@before, 'back in it has as many as before';
        my ($one, $other) = $server->workers;
        my $subscriber = $server->subscribe_on($one, '/sub?channel=a')->ready;
        $server->publish('/pub?channel=a', $round, on => $server->connect_to($other));
        is $subscriber->next_event->{data}, $round, 'and the workers reach each other';
    }
    is_deeply [$server->stop], [], 'no trouble';
};

subtest 'reloads with the module in use' => sub {
    my $server = SSE::Nginx->start;
    my $master = $server->{pid};
    my $before = wake_ups($master);
    reload($server) for 1 .. 2;
    is wake_ups($master), $before, 'it has what it had';
    reload($server, http => '', server => 'location = /status { return 204; }');
    is wake_ups($master), 0, 'without a zone it needs none';
    reload($server, %with);
    is wake_ups($master), $before, 'with one it does again';
    ok !system(join ' ', $server->command('-t'), '2>/dev/null'), 'a test of the configuration';
    is wake_ups($master), $before, 'changes nothing';

    # One configuration is refused while it is read; the other one fails when its zones exist already.
    $server->allow(qr/unknown directive "rubbish"/, qr/no-such-directory/);
    for my $wrong ('rubbish on;', 'access_log no-such-directory/access.log;') {
        my $mark = $server->log_mark;
        $server->write_file('nginx.conf', $server->configuration =~ s/(?<=http \{)/\n$wrong/r);
        $server->signal('HUP');
        $server->wait_for_log(qr/rubbish|no-such-directory/, $mark);
        is $server->publish('/pub?channel=a', 'x')->status, 201, 'after one that fails it goes on';
    }
    reload($server);
    is wake_ups($master), $before, 'and there are as many';
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    $server->publish('/pub?channel=a', 'y');
    is $subscriber->next_event->{data}, 'y', 'which work';
    is_deeply [$server->stop], [], 'no trouble';
};

# nginx serves nobody after a reload in this mode, with or without the module.
subtest 'one process' => sub {
    my $server = SSE::Nginx->start(master => 0);
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    $server->publish('/pub?channel=a', 'x');
    is $subscriber->next_event->{data}, 'x', 'serves';
    my $before = wake_ups($server->{pid}); # not earlier: nginx accepts connections before it has opened all of them
    cmp_ok $before, '>', 4, 'and has them, too';
    for my $round (1 .. 2) {
        my $mark = $server->log_mark;
        $server->signal('HUP');
        $server->wait_for_log(qr/ reconfiguring\n.* using the "epoll"/s, $mark);
    }
    eval { wait_until(sub { wake_ups($server->{pid}) == $before }, 'the old ones to be closed') }; # it does so after that line
    is wake_ups($server->{pid}), $before, 'after reloads it has what it had';
    is_deeply [$server->stop('TERM')], [], 'it ends without trouble';
};

done_testing;
