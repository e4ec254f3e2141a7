# Behind Varnish, as docs/proxies.md says.
# needs: module varnish
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Behind;
use SSE::Proxy;

my $server = SSE::Behind::server();

sub varnish ($vcl, @more) {
    return SSE::Proxy->new(
        program => 'varnishd',
        files   => { 'default.vcl' => $vcl },
        command => sub ($proxy) {
            return (qw(varnishd -j none -F -n), $proxy->file('varnish'), '-f', $proxy->file('default.vcl'), '-a', '127.0.0.1:' . $proxy->port,
                '-s', 'malloc,16m', qw(-p feature=+http2), @more);
        },
        reload  => sub ($proxy) {
            state $number = 0;
            my ($directory, $name) = ($proxy->file('varnish'), 'again' . ++$number);
            return ("varnishadm -n $directory vcl.load $name @{[$proxy->file('default.vcl')]} && varnishadm -n $directory vcl.use $name");
        },
    );
}

my $sample = sample('varnish');
my $plain  = $sample =~ s/^sub vcl_recv.*?^\}\n//msr;

behind($server, 'Varnish, defaults', varnish($plain), h2c => 1, body => varnish($plain, qw(-p timeout_idle=1)));
behind($server, 'Varnish as below', varnish($sample), h2c => 1, whole => 1, silence => varnish($sample, qw(-p pipe_timeout=1)));

# When Varnish compresses a stream, it holds the stream back, unless the stream is piped.
my $gzip = "sub vcl_backend_response { set beresp.do_gzip = true; }\n";
held_back($server, 'Varnish, with compression', varnish("$plain$gzip"));
subtest 'piped, with compression' => sub {
    my $proxy   = varnish("$sample$gzip")->start($server);
    my @headers = ('Accept' => 'text/event-stream', 'Accept-Encoding' => 'gzip');
    my $on      = SSE::Client::Socket->new(port => $proxy->port);
    is $server->subscribe('/sub?channel=piped', headers => \@headers, on => $on)->ready->header('content-encoding'), undef, 'as it is';
    $proxy->stop;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
