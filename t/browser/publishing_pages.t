# Which pages may publish, with a real browser: t/browser/publish.mjs tries; this file has the servers and checks the results.
# Over http to names other than localhost, browsers send only Origin, otherwise Sec-Fetch-Site as well.
# needs: module browser
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

my $page = 'location = /page { default_type text/html; return 200 "<!doctype html><title>a page</title>"; }';

# Pages of another port are of another origin, of the same host or of another one.
my $other = SSE::Nginx->start(module => 0, server => $page);

sub ask ($scheme_host, $others) {
    my @listed = map { "$_->[0]:" . $other->port } grep { $_->[1] } @$others;
    my $server = SSE::Nginx->start(
        http   => 'sse_zone events 4m; log_format attempt "$arg_attempt $request_method $status";',
        server => <<"END",
$page
        location = /sub    { sse_channel \$arg_channel; }
        location = /status { sse_status; }
        location = /pub    { sse_publish c; access_log attempts.log attempt; }
        location = /listed { sse_publish c; sse_cors @listed credentials; access_log attempts.log attempt; }
END
    );
    my $own   = "$scheme_host:" . $server->port;
    my $witness = $server->subscribe('/sub?channel=c')->ready;
    my @pages = ($own, map { "$_->[0]:" . $other->port } @$others);
    my $browser = SSE::Playwright::start('publish.mjs', $own, @pages);
    my @attempt = map { decode_json($_) } readline $browser;
    is SSE::Playwright::status($browser), 0, 'the browser has ended well';
    my %status = $server->read_file('attempts.log') =~ /^(\d+) POST (\d+)$/mg;
    $_->{status} = delete $status{ $_->{number} } // 'not asked' for @attempt;
    return ($server, $witness, $own, { map { $_ => 1 } @listed }, @attempt);
}

my %from = (
    'http://127.0.0.1'     => [['http://127.0.0.1', 0], ['http://localhost', 0], ['http://app.test', 1]],
    'http://push.app.test' => [['http://push.app.test', 0], ['http://evil.test', 0], ['http://www.app.test', 1]],
);
for my $own_host (sort keys %from) {
    subtest $own_host => sub {
        my ($server, $witness, $own, $listed, @attempt) = ask($own_host, $from{$own_host});
        is scalar @attempt, 48, 'four pages, two locations, six ways';
        my @may;
        for (@attempt) {
            my $may = $_->{how} !~ /sandbox/ && ($_->{origin} eq $own || $_->{target} eq '/listed' && $listed->{ $_->{origin} });
            is $_->{status}, $may ? 201 : 403, "$_->{origin} to $_->{target} by $_->{how}";
            push @may, $_->{number} if $may;
        }
        is_deeply [map {/\Aattempt (\d+)/} $witness->data(scalar @may)], \@may, 'what may has been published';
        is $server->get('/status')->json->{zones}{events}{published}, scalar @may, 'and nothing else';
        is_deeply [$server->stop], [], 'no trouble';
    };
}

is_deeply [$other->stop], [], 'no trouble';
done_testing;
