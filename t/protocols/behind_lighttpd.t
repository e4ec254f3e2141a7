# Behind lighttpd, as docs/proxies.md says.
# needs: module lighttpd
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

sub lighttpd ($configuration) {
    return SSE::Proxy->new(
        program => 'lighttpd',
        files   => { 'lighttpd.conf' => "server.document-root = \"PREFIX\"\nserver.modules = ()\n$configuration" },
        command => sub ($proxy) { return (qw(lighttpd -D -f), $proxy->file('lighttpd.conf')) },
        reload  => 'USR1',
    );
}

my $sample = sample('lighttpd');

behind($server, 'lighttpd, defaults', lighttpd($sample =~ s/^server\.stream.*\n//mgr));
# Debian 13 has 1.4.79.
my ($version) = `lighttpd -v` =~ m{lighttpd/1\.4\.(\d+)};
behind($server, $version < 79 ? 'lighttpd as below' : 'lighttpd as below, newer', lighttpd($sample), h2c => 1, whole => 1);

is_deeply [$server->stop], [], 'no trouble';
done_testing;
