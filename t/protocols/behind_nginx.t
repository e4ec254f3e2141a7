# Behind another nginx, as docs/proxies.md says.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Nginx;
use SSE::Proxy;

my $server = SSE::Behind::server();

sub nginx ($location, $more = '') {
    return SSE::Proxy->new(
        program => 'nginx',
        files   => { 'nginx.conf' => <<"END" },
daemon off; pid nginx.pid; error_log error.log; events {}
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy; $more
    server { listen 127.0.0.1:8088; $location }
}
END
        command => sub ($proxy) { return (SSE::Nginx::binary(), '-p', $proxy->prefix . '/', qw(-c nginx.conf -e stderr)) },
        reload  => 'HUP',
    );
}

my $sample = sample('nginx');
my $plain  = $sample =~ s/^ *(?!proxy_pass )\w+ .*;\n//mgr;

behind($server, 'nginx, defaults', nginx($plain), silence => nginx($plain, 'proxy_read_timeout 1s;'));
behind($server, 'nginx as below', nginx($sample), whole => 1, silence => nginx($sample, 'proxy_read_timeout 1s;'));

compressed($server, 'nginx as below', nginx($sample, 'gzip on; gzip_types *;'));

is_deeply [$server->stop], [], 'no trouble';
done_testing;
