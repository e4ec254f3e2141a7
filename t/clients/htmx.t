# htmx with its extension for Server-Sent Events swaps in the fragments of an answer, resumes after a cut, and ends by the
# named event.
# needs: module browser clients
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Clients;
use SSE::Nginx;

SSE::Clients::need('browser', 'htmx.org');
my $server  = SSE::Clients::server(locations => SSE::Clients::pages() . <<'END');
location = /soon { sse_channel $arg_channel; sse_start earliest; sse_prime off; sse_end_event end retry=250ms; }
END
my $browser = SSE::Clients->browser;

sub publish ($text, $end = '') { $server->publish("/pub?channel=answer-7$end", "<b>$text</b>") }
sub answered ($arguments) { return [map {/ (\d+)$/} SSE::Clients::requests($server, qr{^GET /fragments\?$arguments})] }

publish($_) for 'a' .. 'c';
$browser->open_page($server, 'page', sample('htmx'));
is_deeply [$browser->lines(3)], ['a' .. 'c'], 'what has been written';
publish('d');
is $browser->line, 'd', 'what is written';
$server->allow(qr/exited on signal 9/);
$server->kill9($server->workers);
publish('e');
is $browser->line, 'e', 'after a cut it goes on, with nothing twice';
publish('f', '&end');
is $browser->line, 'f', 'to the last event';
wait_until(sub { @{ answered('channel=answer-7 ') } == 1 }, 'the end');

# Pages that name no end.
my $naive = sample('htmx') =~ s/ hx-sse:close="end"//r;
$browser->open_page($server, 'page', $naive =~ s/answer-7/$&&naive/r);
is_deeply [$browser->lines(6)], ['a' .. 'f'], 'one that comes later has the whole answer';
$browser->open_page($server, 'soon', $naive =~ s{/fragments}{/soon}r);
is_deeply [$browser->lines(6)], ['a' .. 'f'], 'and so has another one';
SSE::Clients::let_time_pass($server, $browser);
is_deeply answered('channel=answer-7 '),      [200], 'after the named end there is no request';
is_deeply answered('channel=answer-7&naive'), [200], 'without one htmx waits for as long as the end says';

my $soon = sub { join ' ', map {/ (\d+)$/} SSE::Clients::requests($server, qr/soon/) };
ok eval { wait_until(sub { $soon->() =~ /\A200 204 204/ }, 'two more requests') }, 'if that is soon, a 204 does not keep it away' or diag $soon->();

is $browser->close, 0, 'the browser has ended';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
