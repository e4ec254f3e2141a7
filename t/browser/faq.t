# What docs/faq.md says of browsers, in Chromium: six streams keep a seventh waiting, a SharedWorker shares one, an EventSource
# sends no preflight, and a policy forbids what it does not name.
# needs: module browser
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Document;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

sub page ($path, $content, @more) {
    return qq{location = $path { default_type text/html; @more return 200 "<!doctype html><title>a page</title>$content"; }};
}

my $other  = SSE::Nginx->new(listen => ['h1']);
my $there  = 'http://127.0.0.1:' . $other->port;
my $server = SSE::Nginx->start(
    http   => 'sse_zone events 4m;',
    server => join "\n",
    page('/page', ''),
    page('/tab', '<script>lines = []; console.log = (...line) => lines.push(line);</script><script src=/tab.js></script>'),
    page('/strict', '', q{add_header Content-Security-Policy "default-src 'self'";}),
    page('/named',  '', qq{add_header Content-Security-Policy "default-src 'self'; connect-src 'self' $there";}),
    'location = /tab.js { root .; } location = /events.js { root .; }',
    'location = /events { sse_channel $arg_channel; }',
    # What is published here goes to the other server, too.
    'location = /publish { mirror /mirrored; sse_publish $arg_channel; }',
    "location = /mirrored { internal; proxy_pass $there/pub\$is_args\$args; }",
);
$server->write_file('events.js', sample('docs/faq.md', 'shared-worker'));
$server->write_file('tab.js',    sample('docs/faq.md', 'tab'));
my $here = 'http://127.0.0.1:' . $server->port;
$other->{http} .= ' log_format asked "$request_method $arg_by $http_origin $http_last_event_id";';
$other->{server} .= <<"END";
location = /short { access_log asked.log asked; sse_channel \$arg_channel; sse_cors $here; sse_lifetime 1s; sse_retry 250ms 0%; }
        location = /events { sse_channel \$arg_channel; sse_cors $here; }
END
$other->write_configuration;
$other->launch or BAIL_OUT 'the other server does not start: ' . $other->log;

my $browser = SSE::Playwright::start('faq.mjs', $here, $there);
my %report = map { my $line = decode_json($_); ($line->{what} => $line->{value}) } readline $browser;
is SSE::Playwright::status($browser), 0, 'the browser has ended well';

subtest 'six connections' => sub {
    is_deeply $report{'the seventh'}, [0, 0, 'none'], 'a seventh stream waits, and so does a fetch, while the others get an event';
    is $report{'with room'}, 'both', 'are served when there is room';
};

subtest 'a SharedWorker' => sub {
    my ($id, $subscribers) = @{ $report{'the answer'} };
    is $subscribers, 1, 'one stream';
    is_deeply $report{tabs}, [([$id, 'the news']) x 7], 'for seven tabs';
};

subtest 'preflights' => sub {
    my @asked = split /\n/, $other->read_file('asked.log');
    my @by_source = grep {/ EventSource /} @asked;
    cmp_ok scalar(grep {/^GET EventSource \Q$here\E \d+-\d+$/} @by_source), '>=', 1, 'an EventSource comes back with its id' or diag explain \@asked;
    is scalar(grep { !/^GET / } @by_source), 0, 'and has never asked before';
    is_deeply [map {/^(\S+)/} grep {/ fetch /} @asked], [qw(OPTIONS GET)], 'fetch with Authorization asks first';
};

subtest 'the policy of a page' => sub {
    is_deeply $report{'/strict'}, ['error', 2], 'what it does not name is refused for good';
    is_deeply $report{'/named'},  ['open', 1], 'what it names is not';
};

is_deeply [$_->stop], [], 'no trouble' for $server, $other;
done_testing;
