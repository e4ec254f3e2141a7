# Behind nghttpx, as docs/proxies.md says.
# needs: module nghttpx
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

sub nghttpx (@more) {
    return SSE::Proxy->new(
        program => 'nghttpx',
        files   => { 'nghttpx.conf' => sample('nghttpx') },
        command => sub ($proxy) { return (qw(nghttpx --conf), $proxy->file('nghttpx.conf'), @more) },
        reload  => 'HUP',
    );
}

behind($server, 'nghttpx', nghttpx(), h2c => 1, whole => 1, silence => nghttpx('--backend-read-timeout=1'));

is_deeply [$server->stop], [], 'no trouble';
done_testing;
