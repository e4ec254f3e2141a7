# Behind Apache, as docs/proxies.md says.
# needs: module apache
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

# What is enabled on Debian after `a2enmod proxy_http`, and these modules.
sub apache ($sites, %option) {
    my @modules = (qw(mpm_event authz_core reqtimeout deflate filter mime env setenvif headers proxy proxy_http), @{ $option{modules} // [] });
    my $include = join '', map { my $name = $_; map {"Include $_\n"} grep {-e} map {"/etc/apache2/mods-available/$name.$_"} qw(load conf) } @modules;
    return SSE::Proxy->new(
        program => 'apache2',
        user    => 'www-data',
        files   => { 'apache2.conf' => <<"END" },
ServerRoot PREFIX
ServerName localhost
PidFile PREFIX/apache2.pid
ErrorLog PREFIX/error.log
Mutex file:PREFIX default
User www-data
Group www-data
TypesConfig /etc/mime.types
$include
$sites
END
        command => sub ($proxy) { return ('apache2', '-DFOREGROUND', '-f', $proxy->file('apache2.conf')) },
        reload  => 'USR1',
        %option,
    );
}

# The sample without its optional lines.
my $sample = sample('apache');
my $plain  = $sample =~ s/^ *(?:SetEnv|RequestReadTimeout).*\n//mgr;

behind(
    $server, 'Apache, defaults', apache($plain),
    silence => apache("ProxyTimeout 1\n$plain"),
    body    => apache("RequestReadTimeout body=1\n$plain"),
);
behind($server, 'Apache as below', apache("Protocols h2c http/1.1\n$sample", modules => ['http2']), h2c => 1, whole => 1);
behind($server, 'Apache, HTTP/2 to nginx', apache($sample =~ s/http:/h2c:/r, modules => [qw(http2 proxy_http2)], backend => 'h2c'));
compressed($server, 'Apache as below', apache("SetOutputFilter DEFLATE\n$sample"));

is_deeply [$server->stop], [], 'no trouble';
done_testing;
