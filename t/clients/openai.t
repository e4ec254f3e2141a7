# The SDK of OpenAI for Node reads an answer from its first event, again after a cut, and to its end.
# needs: module clients
use v5.36;
use lib 't/lib';
use JSON::PP qw(encode_json);
use Test::More;
use SSE::Clients;

SSE::Clients::need('openai');
my $server = SSE::Clients::server();

sub chunk ($text) {
    return encode_json({ id => 'c', object => 'chat.completion.chunk', choices => [{ index => 0, delta => { content => $text } }] });
}

sub publish ($text, $end = '') { $server->publish("/pub?channel=answer-7$end", chunk($text)) }

publish($_) for 'a' .. 'c';
my $client = SSE::Clients->node($server, sample('openai'));
is_deeply [$client->lines(3)], ['a' .. 'c'], 'what has been written';
publish('d');
is $client->line, 'd', 'what is written';
$server->allow(qr/exited on signal 9/);
$server->kill9($server->workers);
is $client->line, '(again)', 'a cut throws';
is_deeply [$client->lines(4)], ['a' .. 'd'], 'and then the answer begins anew';
publish('e');
publish('f', '&end');
is_deeply [$client->rest], ['e', 'f'], 'to its end';
is $client->{status}, 0, 'which it understands';

my $late = SSE::Clients->node($server, sample('openai'));
is_deeply [$late->rest], ['a' .. 'f'], 'one that comes later reads the whole answer';
is_deeply [$server->stop], [], 'no trouble';
is_deeply [map {/ (\d+)$/} SSE::Clients::requests($server, qr/completion/)], [200, 200], 'none asks once more after the end';
done_testing;
