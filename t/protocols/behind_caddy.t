# Behind Caddy, as docs/proxies.md says.
# needs: module caddy
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

# With compression of everything that can be compressed.
my $sample = sample('caddy') =~ s/^( *)(?=reverse_proxy)/$1encode zstd gzip\n$1/mr;

sub caddy ($program) {
    return SSE::Proxy->new(
        program => $program,
        files   => { Caddyfile => "{\n admin unix/PREFIX/admin\n servers {\n protocols h1 h2c\n }\n}\n$sample" },
        command => sub ($proxy) { return ($program, qw(run --config Caddyfile)) },
        reload  => sub ($proxy) { return ($program, qw(reload --force --config Caddyfile --address), "unix/" . $proxy->file("admin")) },
    );
}

my ($of_debian, $newer) = map { caddy($_) } 'caddy', SSE::Proxy::package_of('bin/caddy');
behind($server, 'Caddy', $of_debian, h2c => 1, whole => 1);
behind($server, 'Caddy, newer', $newer, h2c => 1, whole => 1);

is_deeply [$server->stop], [], 'no trouble';
done_testing;
