# The AI SDK sends a message and reads the answer through an application that redirects to its stream. It resumes after a cut,
# and when its page is loaded again.
# needs: module clients
use v5.36;
use lib 't/lib';
use HTTP::Tiny;
use JSON::PP qw(decode_json encode_json);
use Test::More;
use SSE::App;
use SSE::Clients;
use SSE::Nginx;

SSE::Clients::need('ai');

# The application: it names the run of a chat, publishes its first event, and sends the client there. It learns from its
# first request, by /port, where nginx is.
my ($nginx, %run);
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    if ($path =~ m{^/port/(\d+)}) {
        $nginx = $1;
        return (204, [], '');
    }
    if ($method eq 'POST') {
        my $chat = decode_json($body)->{id};
        $run{$chat} = "$chat-a";
        HTTP::Tiny->new->post("http://127.0.0.1:$nginx/pub?channel=run:$run{$chat}",
            { content => '{"type":"start","messageId":"answer-1"}' });
        return (200, ['X-Accel-Redirect' => "/runs/$run{$chat}"], '');
    }
    my ($chat) = $path =~ m{^/api/chat/([^/]+)/stream} or return (404, [], '');
    return $run{$chat} ? (200, ['X-Accel-Redirect' => "/runs/$run{$chat}"], '') : (204, [], '');
});
my $server = SSE::Clients::server(app => $app->port);
HTTP::Tiny->new->get('http://127.0.0.1:' . $app->port . '/port/' . $server->port);

sub publish ($end, @chunks) {
    $server->publish('/pub?channel=run:chat-1-a' . $end, join('', map { 'data: ' . encode_json($_) . "\n\n" } @chunks),
        type => 'text/event-stream');
}
sub text ($text) { return { type => 'text-delta', id => 't', delta => $text } }

my $client = SSE::Clients->node($server, SSE::Document::slurp('t/clients/ai_sdk.mjs'));
sub reported { return decode_json($client->line // die 'the client has ended') }
# Reads reports until the answer is that one.
sub answer ($wanted) {
    my $report = reported();
    $report = reported() while $report->{answers} && $report->{answers}[0] ne $wanted;
    return $report->{answers};
}

is_deeply reported(), { ended => 'nothing to resume', status => 'ready', messages => 0 }, '204: there is nothing to resume';
wait_until(sub { $server->get('/pub?channel=run:chat-1-a')->json->{last_id} }, 'the run');
publish('', { type => 'text-start', id => 't' }, text('one '), text('two '));
is_deeply answer('one two '), ['one two '], 'a message is answered';
$server->allow(qr/exited on signal 9/);
$server->kill9($server->workers);
is_deeply reported(), { ended => 'cut off', status => 'error', messages => 2 }, 'a cut is an error';
is_deeply answer('one two '), ['one two '], 'resumed, the answer begins anew';
publish('', text('three '));
is_deeply answer('one two three '), ['one two three '], 'and goes on in the same message';
publish('&end', text('four'), { type => 'text-end', id => 't' }, { type => 'finish' });
is_deeply answer('one two three four'), ['one two three four'], 'to its end';
is_deeply reported(), { ended => 'resumed', status => 'ready', messages => 2 }, 'which it understands';
is_deeply answer('one two three four'), ['one two three four'], 'resumed once more, it is read once more';
is_deeply reported(), { ended => 'resumed after the end', status => 'ready', messages => 2 }, 'and replaces itself';
is_deeply answer('one two three four'), ['one two three four'], 'a page that is loaded anew has all of it';
is_deeply reported(), { ended => 'loaded', status => 'ready', messages => 1 }, 'and the end';
is_deeply [$client->rest], [], 'that is all';
is $client->{status}, 0, 'without an error';

is_deeply [$server->stop], [], 'no trouble';
# Without the request whose worker was killed.
is_deeply [SSE::Clients::requests($server, qr/./)],
    ['GET /api/chat/nobody/stream 204', ('GET /api/chat/chat-1/stream 200') x 3], 'and without more requests';
$app->stop;
done_testing;
