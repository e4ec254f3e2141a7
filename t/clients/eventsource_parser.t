# A program with eventsource-parser reads an answer from its first event, resumes after a cut, and understands the end.
# needs: module clients
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Clients;

SSE::Clients::need('eventsource-parser');
my $server = SSE::Clients::server();

sub publish ($text, $end = '') { $server->publish("/pub?channel=answer-7$end", $text) }

publish($_) for 'a' .. 'c';
my $client = SSE::Clients->node($server, sample('eventsource-parser'));
is_deeply [$client->lines(3)], ['a' .. 'c'], 'what has been written';
publish('d');
is $client->line, 'd', 'what is written';
$server->allow(qr/exited on signal 9/);
$server->kill9($server->workers);
publish('e');
is $client->line, 'e', 'after a cut it goes on, with nothing twice';
$server->wait_gone($server->reload); # a worker that leaves could deliver the end, too
publish('f');
publish('g', '&end');
is_deeply [$client->rest], ['f', 'g'], 'and after a reload, to the end';
is $client->{status}, 0, 'which it understands';

my $late = SSE::Clients->node($server, sample('eventsource-parser'));
is_deeply [$late->rest], ['a' .. 'g'], 'one that comes later reads the whole answer';
is_deeply [$server->stop], [], 'no trouble';
# Without the request whose worker was killed.
is_deeply [map {/ (\d+)$/} SSE::Clients::requests($server, qr/completion/)], [(200) x 3], 'none asks once more after the end';
done_testing;
