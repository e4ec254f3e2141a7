# The EventSource of Chromium reads an answer from its first event, resumes after a cut, and asks no more after the end.
# needs: module browser clients
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Clients;
use SSE::Nginx;

SSE::Clients::need('browser');
my $server = SSE::Clients::server(locations => SSE::Clients::pages() . <<'END');
location = /soon { sse_channel $arg_channel; sse_start earliest; sse_prime off; sse_end_event end retry=250ms; }
        location = /absent { sse_channel $arg_channel; sse_absent 204; }
END
my $browser = SSE::Clients->browser;

sub publish ($text, $end = '') { $server->publish("/pub?channel=answer-7$end", $text) }
sub answered ($path) { return [map {/ (\d+)$/} SSE::Clients::requests($server, qr/^GET $path/)] }

publish($_) for 'a' .. 'c';
$browser->open_page($server, 'page', sample('event-source'));
is_deeply [$browser->lines(3)], ['a' .. 'c'], 'what has been written';
publish('d');
is $browser->line, 'd', 'what is written';
$server->allow(qr/exited on signal 9/);
$server->kill9($server->workers);
publish('e');
is $browser->line, 'e', 'after a cut it goes on, with nothing twice';
$browser->open_page($server, 'page', sample('event-source'));
is_deeply [$browser->lines(5)], ['a' .. 'e'], 'a page that is loaded has all';
publish('f', '&end');
is_deeply [$browser->lines(2)], ['f', 'f'], 'both see the last event';
wait_until(sub { @{ answered('/fragments') } == 2 }, 'the ends');

# A page that does not look at the end.
my $naive = sample('event-source') =~ s/source\.close\(\)/{}/r;
$browser->open_page($server, 'soon', $naive =~ s{/fragments}{/soon}r);
$browser->open_page($server, 'absent', $naive =~ s{/fragments\?channel=answer-7}{/absent?channel=none}r);
is_deeply [$browser->lines(6)], ['a' .. 'f'], 'one that comes later reads the whole answer';
SSE::Clients::let_time_pass($server, $browser);
is_deeply answered('/fragments'), [200, 200], 'after close() there is no request';
is_deeply answered('/soon'),      [200, 204], 'without it there is one, and a 204 keeps the browser away';
is_deeply answered('/absent'),    [204], 'as it does where there is nothing';

is $browser->close, 0, 'the browser has ended';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
