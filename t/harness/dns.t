# The name server of the other tests.
# needs: module
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::App;
use SSE::Dns;
use SSE::Nginx;

my $app = SSE::App->start(sub (@) { return (200, [], 'found') });
my $dns = SSE::Dns->start(address => '127.0.0.1');
my $nginx = SSE::Nginx->start(module => 0, server => 'resolver ' . $dns->address . ' valid=1s ipv6=off; resolver_timeout 2s;'
    . ' location / { set $name $arg_name; proxy_pass http://$name:' . $app->port . '; }');

is $nginx->get('/?name=one.test')->body, 'found', 'a name is resolved';
is $dns->questions, 1, 'by one question';
$dns->answer(delay => 0.5);
my $start = time;
is $nginx->get('/?name=two.test')->body, 'found', 'another one, too';
cmp_ok time - $start, '>=', 0.5, 'in its time';
$dns->answer(delay => undef);
is $nginx->get('/?name=three.test')->status, 502, 'a third one never';
$dns->answer(delay => 0, address => '127.0.0.9');
is $nginx->get('/?name=four.test')->status, 502, 'and a fourth one leads elsewhere';
is_deeply [$nginx->stop], [], 'no trouble';

done_testing;
