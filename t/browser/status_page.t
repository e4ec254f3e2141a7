# The page of "sse_status format=html" in a real browser: what it shows, how it keeps up to date, that nothing can get into it, and that it can be
# used by keyboard, with a screen reader, in the dark and on a phone. The browser is driven by t/browser/status_page.mjs.
# needs: module browser
use v5.36;
use lib 't/lib';
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 1m; sse_zone other 1m;',
    server  => <<'END',
        location = /pub    { sse_publish $arg_channel zone=events; }
        location = /json/pub { sse_publish '' zone=events; sse_framing json; sse_body_channels on; }
        location = /sub    { sse_channel $arg_channel zone=events; }
        location = /status { sse_status format=html; sse_list on; }
        location = /plain  { sse_status format=html; }
        location = /json   { sse_status; }
END
);

my $page = $server->get('/status');
is $page->status, 200, 'a page';
is $page->header('content-type'), 'text/html; charset=utf-8', 'of HTML';
is $page->header('cache-control'), 'no-store', 'that nobody stores';
my ($nonce) = $page->header('content-security-policy') =~ /script-src 'nonce-([0-9a-f]{32})'/;
is_deeply [sort($page->body =~ /nonce="([^"]*)"/g)], [$nonce, $nonce], 'its style and its script have the nonce of the policy';
my $source = do { local (@ARGV, $/) = 'src/status/page.html'; readline };
is $page->body =~ s/$nonce/{{nonce}}/gr, $source, 'and the rest is the file';
is_deeply [sort(map {/^(\S+)/} split /; /, $page->header('content-security-policy'))],
    [sort qw(default-src connect-src img-src base-uri form-action frame-ancestors style-src script-src)], 'which says the rest';
unlike $page->header('content-security-policy'), qr/unsafe|\*|https?:/, 'and lets nothing else in';
unlike $server->get('/status')->body, qr/\Q$nonce\E/, 'another page has another one';
unlike $page->body, qr/ on\w+=|style="|https?:/, 'no inline handlers, no inline styles, nothing from elsewhere';
is_deeply [sort keys %{ $server->get('/status?json')->json }], [sort keys %{ $server->get('/json')->json }], 'its JSON is that of any status';
is $server->get('/plain?json&top=1')->status, 403, 'and names channels only with sse_list';
is $server->request(HEAD => '/status')->status, 200, 'HEAD';

my $pictures = 'build/browser';
make_path($pictures);
my @subscriber = map { $server->subscribe('/sub?channel=news')->ready } 1 .. 3;
my $base = 'http://127.0.0.1:' . $server->port;
my $browser = SSE::Playwright::start('status_page.mjs', "$base/status", "$base/pub", $pictures);
my $count = 0;
while (my $line = readline $browser) {
    my $check = decode_json($line);
    ok($check->{good}, $check->{name}) or diag $check->{detail};
    ++$count;
}
is SSE::Playwright::status($browser), 0, 'the driver has come to its end';
cmp_ok $count, '>=', 23, 'and has made all its checks';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
