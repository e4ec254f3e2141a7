# Behind Squid, as docs/proxies.md says.
# needs: module squid
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

my $squid = SSE::Proxy->new(
    program => 'squid',
    user    => 'proxy',
    tidy    => 1, # removes its files in /dev/shm
    files   => { 'squid.conf' => <<'END' . sample('squid') },
pid_filename PREFIX/squid.pid
cache_log PREFIX/cache.log
access_log none
coredump_dir PREFIX
shutdown_lifetime 0 seconds
pinger_enable off
END
    command => sub ($proxy) { return (qw(squid -N -f), $proxy->file('squid.conf')) },
    reload  => 'HUP',
);

behind($server, 'Squid', $squid, whole => 1);

is_deeply [$server->stop], [], 'no trouble';
done_testing;
