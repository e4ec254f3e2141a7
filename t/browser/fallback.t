# The page of docs/guide.md that polls where a proxy holds streams back: in a real browser, through such a proxy and without.
# needs: module browser
use v5.36;
use lib 't/lib';
use IPC::Open2 qw(open2);
use JSON::PP   qw(decode_json);
use Test::More;
use SSE::Document;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

my $code = sample('docs/guide.md', 'fallback');

my $page   = 'location = /page { default_type text/html; return 200 "<!doctype html><title>a page</title><script src=/follow.js></script>"; }';
my $script = 'location = /follow.js { root .; }';
my $server = SSE::Nginx->start(
    http      => 'sse_zone events 4m; log_format asked "$request_uri $status";',
    subscribe => 'access_log asked.log asked;',
    locations => "$page $script",
);
# With HTTP/1.1, which is the default from nginx 1.29.7 on, nginx passes each chunk on, whatever it is to buffer.
my $proxy = SSE::Nginx->start(
    module => 0,
    server => "$page $script location / { proxy_pass http://127.0.0.1:@{[ $server->port ]}; proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering; }",
);
$_->write_file('follow.js', $code) for $server, $proxy;

sub asked { return split /\n/, $server->read_file('asked.log') }

# A browser that follows a channel through that server. It prints a line when it has begun, and one for each event.
sub open_page ($origin, $channel) {
    my $pid = open2(my $out, my $in, 'node', 't/browser/fallback.mjs', $origin, "/sub?channel=$channel") or BAIL_OUT "node does not start: $!";
    return { pid => $pid, out => $out, in => $in };
}

sub next_line ($browser) { return decode_json(readline($browser->{out}) // die 'the browser has ended') }

sub close_page ($browser) {
    close $browser->{in};
    waitpid $browser->{pid}, 0;
    is $? >> 8, 0, 'the browser has ended well';
}

for my $case (['without a proxy', $server, 0], ['through a proxy that holds streams back', $proxy, 1]) {
    my ($name, $by, $polls) = @$case;
    subtest $name => sub {
        my $channel = $polls ? 'held' : 'passed';
        my $browser = open_page('http://127.0.0.1:' . $by->port, $channel);
        is next_line($browser), 'opened', 'the page is there';
        # It has its position, and has not decided yet whether to poll.
        wait_until(sub { grep {m{^/sub\?channel=$channel&poll 200}} asked() }, 'the position');
        my @id = map { $server->publish("/pub?channel=$channel", $_)->json->{id} } 1 .. 3;
        is_deeply next_line($browser), { id => $id[$_ - 1], type => 'message', data => $_ }, "event $_ is not lost" for 1 .. 3;
        for my $number (4 .. 8) {
            my $id = $server->publish("/pub?channel=$channel", $number)->json->{id};
            is_deeply next_line($browser), { id => $id, type => 'message', data => $number }, "event $number comes";
        }
        my $waited = grep {m{^/sub\?channel=$channel&poll&wait=25&last_event_id=\S+ 200}} asked();
        ok $polls ? $waited >= 2 : !$waited, $polls ? 'by polls' : 'by a stream' or diag asked();
        $server->publish("/pub?channel=$channel", '', method => 'DELETE');
        is next_line($browser), 204, 'it learns of the end' if $polls;
        close_page($browser);
    };
}

is_deeply [$_->stop], [], 'no trouble' for $proxy, $server;
done_testing;
