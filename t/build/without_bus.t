# Without sse_bus the module needs no hiredis, does not know the directive, and does everything else.
# needs: module without-bus
use v5.36;
use Cwd ();
use lib 't/lib';
use Test::More;
use SSE::Nginx;

plan skip_all => 'it is built for the nginx of the distribution' if $ENV{TEST_NGINX_SANITIZE} || $ENV{TEST_NGINX_BINARY};
my $without = Cwd::getcwd() . '/build/gcc-without-bus/ngx_http_sse_module.so';
plan skip_all => "no $without; `./build.sh build --without-bus` makes it" unless -e $without;

# What nginx -t says about the directive.
sub verdict (%option) {
    my $server = SSE::Nginx->new(%option, http => 'sse_zone events 1m; sse_bus events redis://127.0.0.1;');
    my ($status, $output) = $server->check;
    return $output;
}

sub hiredis ($module) { return scalar grep {/ t redis/} qx{nm "$module"} }

ok hiredis(SSE::Nginx::module()), 'usually hiredis is in the module';
is hiredis($without), 0, 'here it is not';

unlike verdict(), qr/unknown directive "sse_bus"/, 'usually the directive is known';
like verdict(module => $without), qr/unknown directive "sse_bus"/, 'here it is not';

my $server     = SSE::Nginx->start(module => $without);
my $subscriber = $server->subscribe('/sub?channel=a')->ready;
is $server->publish('/pub?channel=a', 'hello')->status, 201, 'an event is published';
is $subscriber->next_event->{data}, 'hello', 'and received';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
