# docker/html/sse.js in real browsers: a cut, a reload, a gap, both ends, a refusal that lasts and one that does not, a body, and a
# page that the user leaves and returns to. t/browser/sse_js.mjs reports what they see.
# needs: module browsers
use v5.36;
use lib 't/lib';
use Cwd      qw(abs_path);
use JSON::PP qw(decode_json);
use Test::More;
use SSE::App;
use SSE::Browser;
use SSE::Nginx;

my @browser = qw(chromium firefox);
my $app     = SSE::App->start(
    sub ($method, $path, $headers, $body) { return (200, ['Content-Type' => 'text/event-stream'], "data: $method $body\n\n") });
my $server = SSE::Nginx->start(
    workers => 2,
    http    => 'sse_zone events 4m; sse_retry 250ms 0%; sse_end_event end;'
        . ' log_format request "$uri $status $arg_browser";',
    server => <<"END",
access_log requests.log request;
        location = /numbers  { sse_channel numbers; }
        location = /count    { sse_publish numbers; access_log off; }
        location = /pub      { sse_publish \$arg_channel; client_max_body_size 1m; access_log off; }
        location = /over     { sse_channel over; }
        location = /sub      { sse_channel \$arg_channel; sse_start earliest; sse_prime off; }
        location = /back     { sse_channel back; sse_start earliest; }
        location = /recent   { sse_channel \$arg_channel; sse_history 2; }
        location = /refusing { return 401; }
        location = /busy     {
            root .;
            if (-f \$document_root/busy) { add_header Retry-After 1 always; return 503; }
            sse_channel busy;
            sse_start earliest;
        }
        location = /first    { root .; }
        location = /echo     { proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
        location /page/      { alias @{[ abs_path('t/browser') ]}/; types { text/html html; text/javascript mjs; } }
        location /client/    { alias @{[ abs_path('docker/html') ]}/; types { text/javascript js; } }
END
);

my $count = 0;
sub publish ($times) { $server->publish('/count', ++$count)->status == 201 or die 'not published' for 1 .. $times }
sub subscribers { return $server->get('/count')->json->{subscribers} }
sub both_are_there ($what, $seconds = $SSE::Client::Patience) {
    wait_until(sub { subscribers() == @browser }, "both browsers $what", $seconds);
    publish(5);
}

# The channels that the pages find: one with more events than may be replayed, one that has ended, and one that cannot be read
# yet.
$server->write_file('first', $server->publish('/pub?channel=gap', 1)->json->{id});
$server->publish('/pub?channel=gap', $_) for 2 .. 6;
$server->publish('/pub?channel=over&end', 'over');
$server->publish('/pub?channel=busy', 'there');
$server->write_file('busy', '');
$server->allow(qr/exited on signal 9/);

my $url  = 'http://127.0.0.1:' . $server->port . '/page/sse_js.html?browser=';
my %open = map { $_ => SSE::Browser->open($_, $url . $_) } @browser;
my (@away, %left);
my $went_on = eval {
    both_are_there('at first', 60); # they start slowly on a busy machine
    $server->kill9($_) for $server->workers;
    publish(5);
    both_are_there('after a cut');
    $server->wait_gone($server->reload);
    publish(5);
    both_are_there('after a reload');
    wait_until(sub { my $log = $server->read_file('requests.log'); !grep { $log !~ m{^/busy 503 $_$}m } @browser }, 'refusals');
    unlink $server->prefix . '/busy';

    $server->publish('/count', 'leave');
    my $listener = $server->subscribe('/sub?channel=away');
    @away = sort $listener->data(scalar @browser);
    wait_until(sub { subscribers() == 0 }, 'both streams to be closed while the page is left');
    publish(5);
    $server->publish('/pub?channel=back', 'back');
    both_are_there('after they have come back');
    $server->request(DELETE => '/count')->finish;
    1;
};
ok $went_on, 'both browsers go on' or diag $@, $server->read_file('requests.log'), map { $_->output } values %open;
is_deeply \@away, \@browser, 'both have left the page';

my $listener = $server->subscribe('/sub?channel=journals');
my %result = $went_on ? map { $_->{browser} => $_ } map { decode_json($_) } $listener->data(scalar @browser) : ();
sub of_type ($journal, $type) { return [map { $_->[1] } grep { $_->[0] eq $type } @$journal] }

for my $browser (@browser) {
    subtest $browser => sub {
        my $result = $result{$browser} or return fail 'it has not told what it has seen';
        is_deeply [grep { $_ ne 'leave' } of_type($result->{numbers}, 'message')->@*], [1 .. $count],
            'every event, once and in order';
        is_deeply [map { $_->[0] } $result->{numbers}[0], @{ $result->{numbers} }[-2, -1]], [qw(open end close)],
            'from its opening to its end';
        cmp_ok scalar of_type($result->{numbers}, 'open')->@*, '>=', 4, 'having been cut off, reloaded, and left';
        is_deeply [map { $_ ? 1 : 0 } $result->{shown}->@*], [0, 1], 'the page was kept meanwhile';
        my ($gap) = of_type($result->{gap}, 'gap')->@*;
        is decode_json($gap)->{missed}, 3, 'a gap is told';
        is_deeply $result->{refused}, [['close', 'refused', 401]], '401 is for good';
        my @busy = $result->{busy}->@*;
        is_deeply [map { join ' ', grep {defined} @$_ } $busy[0], @busy[-3 .. -1]],
            ['error 503', 'open 200', 'message there', 'close ended'], '503 is not';
        is_deeply $result->{over}, [['close', 'ended', 204]], '204 is the end';
        is_deeply of_type($result->{posted}, 'message'), ['POST question=why%3F'], 'a form can be posted';
    };
}

$_->close for values %open;
$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
