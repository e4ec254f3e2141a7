# Padding: a stream may begin with a comment of 2 KB, for proxies that hold the first bytes back.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 tls h2c)]);

for my $via (qw(h1 h1.0 tls h2c)) {
    for my $query ('padding=true', 'padding', 'padding=1') {
        my $id     = $server->publish('/pub?channel=c', 'x')->json->{id};
        my $client = $server->subscribe("/sub?channel=c&$query", via => $via, cursor => $id);
        $server->publish('/pub?channel=c', 'y');
        is $client->next_event->{data}, 'y', "$via, $query: a stream";
        like $client->body, qr/\A: {2048}\nretry: \d+\nid: /, 'that begins with 2 KB in one comment line';
        $client->close;
    }
    for my $query ('', 'padding=0', 'paddings=1') {
        my $client = $server->subscribe("/sub?channel=c&$query", via => $via)->ready;
        like $client->body, qr/\A:\nretry: \d+\nid: /, "$via, $query: none unless it is asked for";
        $client->close;
    }
}
is $server->get('/sub?channel=c&poll&padding')->json->{events}->@*, 0, 'a poll needs none';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
