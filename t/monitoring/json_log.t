# The log_format for JSON of docs/operations.md: every line parses and says what has happened, whatever clients send. In the error log,
# lines name the channel and the reason, and no client can add lines of its own.
use v5.36;
use lib 't/lib';
use Encode ();
use JSON::PP;
use Test::More;
use SSE::Nginx;

my $operations = do { local (@ARGV, $/) = 'docs/operations.md'; readline };
my ($format) = $operations =~ /^<!-- test: json_log -->\n```nginx\n(.*?)^```/ms or BAIL_OUT('no sample');
my ($line) = $operations =~ /^The line of a stream then looks like this:\n\n```json\n(.*?)^```/ms or BAIL_OUT('no line');

my $server = SSE::Nginx->start(
    listen => [qw(h1 h2c)],
    http   => "sse_zone events 1m channels=64; $format",
    server => <<'END',
        access_log access.log sse_json;
        error_log error.log info;
        location = /sub   { sse_channel $arg_channel; }
        location ~ ^/sub/(.*) { sse_channel $1; }
        location = /pub   { sse_publish $arg_channel; }
        location ~ ^/pub/(.*) { sse_publish $1; sse_max_event_size 10; }
        location = /slow  { sse_channel slow; sse_send_timeout 300ms; }
        location = /other { return 200 x; }
        location = /status { sse_status; access_log off; }
END
    listen_flags => 'sndbuf=16k',
);

# The objects of the access log. Dies if a complete line is not an object.
sub objects () { return map { decode_json($_) } $server->read_file('access.log') =~ /^(.*)\n/mg }
sub logged ($what, $test) {
    my @found;
    wait_until(sub { @found = grep { $test->($_) } objects() }, $what);
    return $found[0];
}

my $subscriber = $server->subscribe('/sub?channel=news')->ready;
my $id = $server->publish('/pub?channel=news', 'x')->json->{id};
$subscriber->next_event;
$subscriber->close;
my $stream = logged('the stream', sub ($o) { $o->{uri} eq '/sub' });
is_deeply { map { $_ => $stream->{$_} } qw(channel events last_id reason method client) },
    { channel => 'news', events => 1, last_id => $id, reason => 'client', method => 'GET', client => '127.0.0.1' }, 'a stream';
my $publish = logged('the publish', sub ($o) { $o->{uri} eq '/pub' });
is_deeply { map { $_ => $publish->{$_} } qw(channel events last_id status subscribers reason) },
    { channel => 'news', events => 1, last_id => $id, status => 201, subscribers => 1, reason => '' }, 'a publish';
$server->get('/other');
is_deeply logged('another location', sub ($o) { $o->{uri} eq '/other' })->{events}, undef, 'a location of others has no number';
is_deeply [sort keys %$stream], [sort keys %{ decode_json($line) }], 'the documented line has the same members';

# Text that clients can put into a line.
my %nasty = (
    quote => 'a"b', backslash => 'a\\b', json => '","status":999,"x":"', escape => '%22%5C%0A', percent => 'a%b', angle => '<script>',
    umlaut => "\xc3\xbc", long => 'x' x 255,
);
sub encoded ($text) { return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }
for my $name (sort keys %nasty) {
    my $encoded = encoded($nasty{$name});
    is $server->publish("/pub/$encoded", 'x')->status, 201, "a channel with $name";
    $server->publish("/pub/$encoded", 'too large for this location');
    my $decoded = Encode::decode('UTF-8', my $copy = $nasty{$name});
    ok logged($name, sub ($o) { $o->{channel} eq $decoded && $o->{status} == 413 }), 'is in the log as it is';
}
$server->get('/pub?channel=%00%1b', headers => ['User-Agent' => "evil\x1b[31m\"\\\xff\xfe"]);
$server->get("/sub/%1b%5b31m%0a");
$server->get('/sub/%ff%fe%c3');
my @all = eval { objects() };
is $@, '', 'every line parses';
cmp_ok scalar @all, '>=', 20, 'and there are many';
is scalar(grep { $_->{status} == 999 } @all), 0, 'nobody writes members of their own';

subtest 'error log' => sub {
    my $log = $server->log;
    my @refused = $log =~ /^(.*sse: channel ".*)$/mg;
    cmp_ok scalar @refused, '>=', 1, 'refusals are there';
    # At most one refusal a second is logged, so the request is repeated until it is in the log.
    wait_until(
        sub {
            $server->publish('/pub/' . encoded('a"b, client: 6.6.6.6'), 'too large for this location');
            $server->log =~ /sse: channel "a\\x22b, client: 6\.6\.6\.6": refused with 413: the event is too large \(\d+ more since the last\), client: 127\.0\.0\.1/;
        },
        'a refusal with that name'
    );
    pass 'a quote in the name of a channel does not end it';
    my $slow = $server->subscribe('/slow', rcvbuf => 4096)->ready;
    $slow->stall;
    $server->publish('/pub?channel=slow', 'x' x 100_000) for 1 .. 3;
    $server->wait_for_log(qr/\[info\] .*sse: channel "slow": the client reads nothing \(110: /);
    pass 'a client that takes nothing is named';
    $slow->close;
    my @held = map { $server->subscribe("/sub?channel=held$_") } 1 .. 64;
    wait_until(sub { $server->get('/sub?channel=more'); $server->log =~ /\[error\] .*channel "more": no room for another channel in zone/ }, 'a full index');
    pass 'a full index names the channel';
    $_->close for @held;
    unlike $server->log, qr/[\x00-\x08\x0b-\x1f\x7f-\xff]/, 'no control bytes, and nothing that is not ASCII' or diag grep { /[\x00-\x08\x0b-\x1f\x7f-\xff]/ } split /^/, $server->log;
    unlike $server->log, qr/sse: .*[.]$/m, 'no full stops';
};

$server->allow(qr/no room for another channel/);
is_deeply [$server->stop], [], 'no trouble';
done_testing;
