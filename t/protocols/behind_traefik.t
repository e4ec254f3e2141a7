# Behind Traefik, as docs/proxies.md says.
# needs: module traefik
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server  = SSE::Behind::server();
my $program = SSE::Proxy::package_of('bin/traefik');

sub traefik ($entry, $routes = sample('traefik')) {
    return SSE::Proxy->new(
        program => $program,
        files   => { 'traefik.yml' => $entry, 'events.yml' => $routes },
        command => sub ($proxy) { return ($program, '--configFile=traefik.yml') },
    );
}

my $sample = sample('traefik-entry') =~ s{/etc/traefik/}{PREFIX/}r;
my $plain  = $sample =~ s/^    transport:.*?(?=^\S)//msr;

behind($server, 'Traefik, defaults', traefik($plain), h2c => 1, body => traefik($sample =~ s/readTimeout: 0/readTimeout: 1s/r));
behind($server, 'Traefik as below', traefik($sample), h2c => 1, whole => 1);
compressed($server, 'Traefik as below',
    traefik($sample, sample('traefik') =~ s/^  services:/      middlewares: [small]\n  middlewares:\n    small:\n      compress: {}\n$&/mr));

is_deeply [$server->stop], [], 'no trouble';
done_testing;
