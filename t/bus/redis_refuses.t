# Redis takes no events, because it lacks memory, replicas, or a disk that it can write to; or it wants another password. Machines
# report that they are ill, publishers learn that nothing was published, and nothing is lost afterwards.
# needs: module redis netns
use v5.36;
use lib qw(t/lib t/chaos t/bus);
use SSE::Network;
use Test::More;
use Bus::Scenario;
use SSE::Nginx;

# Machines can still read, but their probes are refused.
sub refuses ($name, $code, $harm, $mend) {
    scenario $name, machines => { server => { config => ['enable-protected-configs local'] } }, fault => sub ($machines, $load) {
        my $master = $machines->master;
        $harm->($master);
        like $master->refusal(XADD => 'another', '*', qw(a b)) // 'nothing', qr/\A$code /, 'Redis refuses';
        my $ill = until_ill($load, $machines->all);
        cmp_ok $ill, '<', 10, 'all machines say that they are ill';
        my $answer = ($machines->all)[0]->publish('/pub?channel=other', 'an event');
        is $answer->status, 503, 'publishing is refused';
        isnt $answer->json->{published} // '', 'unknown', 'and it is known that it was not published';
        $mend->($master);
        until_well($load, $machines->all);
    };
}

sub set ($redis, @pairs) { $redis->command(CONFIG => SET => @pairs) }

refuses('no memory', 'OOM', sub ($redis) { set($redis, maxmemory => 1) }, sub ($redis) { set($redis, maxmemory => 0) });

refuses(
    'no replica to write to', 'NOREPLICAS',
    sub ($redis) { set($redis, 'min-replicas-to-write' => 1) },
    sub ($redis) { set($redis, 'min-replicas-to-write' => 0) }
);

sub save ($redis, $status) {
    $redis->command('BGSAVE');
    wait_until(sub { my $info = $redis->info('persistence'); !$info->{rdb_bgsave_in_progress} && $info->{rdb_last_bgsave_status} eq $status },
        "a save that ends with $status");
}

refuses(
    'no disk to write to',
    'MISCONF',
    sub ($redis) {
        my $directory = $redis->prefix . '/disk';
        mkdir $directory or die "$directory: $!";
        set($redis, dir => $directory, save => '3600 1');
        rmdir $directory or die "$directory: $!";
        save($redis, 'err');
    },
    sub ($redis) {
        set($redis, dir => $redis->prefix);
        save($redis, 'ok');
    }
);

scenario 'another password',
    machines => { server => { password => 'first' }, url => 'redis://:first@' },
    fault    => sub ($machines, $load) {
        my $master = $machines->master;
        $master->command(CONFIG => SET => requirepass => 'second');
        $master->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
        my $ill = until_ill($load, $machines->all);
        cmp_ok $ill, '<', 10, 'all machines say that they are ill';
        $_->wait_for_log(qr/WRONGPASS/) for $machines->all;
        $machines->{url} = 'redis://:second@';
        for my $machine ($machines->all) {
            $machine->{http} =~ s/sse_bus .*?;/$machines->directive/e;
            $machine->write_configuration;
            $machine->signal('HUP');
        }
        my $well = until_well($load, $machines->all);
        cmp_ok $well, '<', 10, 'a reload with the new one makes them well';
    };

done_testing;
