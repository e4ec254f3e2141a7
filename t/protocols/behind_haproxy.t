# Behind HAProxy, as docs/proxies.md says.
# needs: module haproxy
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

sub haproxy ($configuration) {
    return SSE::Proxy->new(
        program => 'haproxy',
        files   => { 'haproxy.cfg' => $configuration },
        command => sub ($proxy) { return (qw(haproxy -W -db -f), $proxy->file('haproxy.cfg')) },
        reload  => 'USR2',
    );
}

# With compression of everything that can be compressed.
my $sample = sample('haproxy') . "    compression algo gzip\n    compression type text/event-stream\n";
my $plain  = $sample =~ s/^ *option .*\n//mgr =~ s/ tcp-ut 30s//r;
my $short  = sub ($text) { return $text =~ s/(timeout (?:client|server)) 60s/$1 1s/gr };

# From 3.0 on (Debian 13), HAProxy passes a cut on to clients over HTTP/2.
my ($defaults, $tuned) = ('HAProxy, defaults', 'HAProxy as below');
($defaults, $tuned) = ('HAProxy, defaults, newer', 'HAProxy as below, newer') if `haproxy -v` =~ /version (\d+)/ && $1 >= 3;

behind($server, $defaults, haproxy($plain), h2c => 1, silence => haproxy($short->($plain)));
behind($server, $tuned, haproxy($sample), h2c => 1, whole => 1, silence => haproxy($short->($sample)));

is_deeply [$server->stop], [], 'no trouble';
done_testing;
