# A reload in real browsers, whether it aborts streams or ends them: each EventSource comes back with the id of its last event and
# receives every event once and in order. After the end of its channel it stays away. Over HTTP/1.1, HTTP/2, and HTTP/3 if nginx
# has it. What a browser sees is in its page's journals, by t/browser/drain.mjs.
# needs: module browsers
use v5.36;
use lib 't/lib';
use Cwd        qw(abs_path);
use JSON::PP   qw(decode_json);
use List::Util qw(all);
use Test::More;
use Time::HiRes qw(sleep);
use SSE::Browser;
use SSE::Nginx;

my $reloads = 3;
my $no_h3   = SSE::Nginx::has('http_v3_module') ? '' : 'this nginx has no HTTP/3';
BAIL_OUT("$no_h3, and TEST_NGINX_REQUIRE_H3 is set") if $no_h3 && $ENV{TEST_NGINX_REQUIRE_H3};

my @browser  = qw(chromium firefox);
my %protocol = (tls => 'HTTP/1.1', h2 => 'HTTP/2.0', h3 => 'HTTP/3.0');
my @via      = ('tls', 'h2', $no_h3 ? () : 'h3');
my ($connecting, $closed) = (0, 2); # readyState

# Over HTTP/3 a new worker may get packets that are for an old one, which then waits for up to keepalive_timeout.
sub server ($way) {
    return SSE::Nginx->new(
        listen  => ['h1', @via],
        workers => 2,
        drain   => "2s $way",
        http    => 'sse_zone events 4m; keepalive_timeout 5s; log_format stream "$arg_stream $msec $request_time'
            . ' $server_protocol $status $http_last_event_id $sse_close_reason";',
        server => <<"END",
location = /numbers {
            sse_channel numbers;
            sse_cors *;
            sse_retry 250ms 0%;
            sse_end_event end retry=off;
            access_log streams.log stream;
        }
        location = /count { sse_publish numbers; }
        location = /pub   { sse_publish \$arg_channel; client_max_body_size 1m; }
        location = /sub   { sse_channel \$arg_channel; }
        location /page/   { alias @{[ abs_path('t/browser') ]}/; types { text/html html; text/javascript mjs; } }
END
    );
}

# If HTTP/3 is forced, a browser needs a different host name for each port.
sub host ($way, $via) { return $via eq 'h3' ? "$way.localhost" : '127.0.0.1' }

my %server = map { $_ => server($_) } qw(abort end);
my @stream = map { my $way = $_; map { [$way, $_] } @via } sort keys %server;
my $home   = $server{abort};
SSE::Browser::certify([map { host($_, 'h3') } keys %server], map { $_->prefix } $home, $server{end});
for (values %server) {
    $_->write_configuration;
    $_->launch or die 'nginx does not start: ' . $_->log;
}

sub address ($way, $via) { return host($way, $via) . ':' . $server{$way}->port($via) }

sub open_page ($browser) {
    my @url   = map { "https://@{[ address(@$_) ]}/numbers?stream=$browser-$_->[1]" } @stream;
    my @http3 = $no_h3 ? () : map { address($_, 'h3') } sort keys %server;
    my $query = join '&', "browser=$browser", map { 'stream=' . s/[^\w.]/sprintf '%%%02X', ord $&/ger } @url;
    my $page  = 'http://127.0.0.1:' . $home->port . "/page/drain.html?$query";
    return SSE::Browser->open($browser, $page, certified => $home->prefix, http3 => \@http3);
}

# The requests of a stream as nginx has logged them, in the order in which they began.
sub requests ($way, $via, $browser) {
    my @request;
    for ($server{$way}->read_file('streams.log') =~ m{^$browser-$via (.*)$}mg) {
        my ($end, $time, @rest) = split / /;
        push @request, { began => $end - $time, map { $_ => shift @rest } qw(protocol status cursor reason) };
    }
    return sort { $a->{began} <=> $b->{began} } @request;
}

# Whether all streams of all browsers are there, each having been cut off by that many reloads. (A client that comes back to a
# worker that has begun to leave, on a connection that it opened before, is cut off once more.)
sub all_are_there ($after) {
    for my $way (sort keys %server) {
        for my $browser (@browser) {
            return 0 unless all { my $via = $_; $after <= grep { $_->{reason} eq 'drain' } requests($way, $via, $browser) } @via;
        }
        # Counted after the log has been read: a stream that is cut off in between would not have come back.
        return 0 if $server{$way}->get('/count')->json->{subscribers} != @via * @browser;
    }
    return 1;
}

my $count = 0;

sub publish { $count++; $_->publish('/count', $count)->status == 201 or die 'not published' for values %server }

my $listener = $home->subscribe('/sub?channel=journals')->ready;
my $since    = $listener->last_event_id;
my %open     = map { $_ => open_page($_) } @browser;

my $went_on = eval {
    wait_until(sub { all_are_there(0) }, 'all streams of all browsers', 60);
    for my $reload (1 .. $reloads) {
        publish() for 1 .. 20;
        $_->reload for values %server;
        wait_until(sub { publish(); sleep 0.05; all_are_there($reload) }, "all of them after reload $reload");
    }
    publish() for 1 .. 20;
    $_->request(DELETE => '/count')->finish for values %server;
    1;
};
if (!ok $went_on, 'all streams come back from every reload') {
    diag $@;
    $_->close for values %open;
    $_->stop for values %server; # nginx logs a request when it ends
    diag map { "$_:\n" . $server{$_}->read_file('streams.log') } sort keys %server;
    diag map { "$_:\n" . $open{$_}->output } @browser;
    done_testing;
    exit;
}

# A reload may have cut the listener off. The journals arrive in the order in which the browsers finish.
my %journal;
$listener = $home->subscribe('/sub?channel=journals', cursor => $since);
for (@browser) {
    my $event = $listener->next_event or last;
    my ($browser, @journals) = @{ decode_json($event->{data}) };
    $journal{$browser} = \@journals;
}

# What an EventSource has seen besides events and its first position. Errors of attempts to reconnect that did not reach nginx
# are left out.
sub states (@journal) {
    my @state = map { defined $_->{state} ? "$_->{what} $_->{state}" : $_->{what} } @journal;
    return join(', ', grep { !/^(?:event|ready)$/ } @state) =~ s/(error $connecting)(?:, \1)+/$1/gr;
}

# The id that it had last when it came back, each time; '-' for none.
sub cursors (@journal) {
    my ($last, @cursors) = ('-');
    for (@journal) {
        $last = $_->{id} // $last;
        push @cursors, $last if $_->{what} eq 'open' || $_->{what} eq 'last';
    }
    return @cursors;
}

for my $browser (@browser) {
    for my $number (0 .. $#stream) {
        my ($way, $via) = @{ $stream[$number] };
        subtest "$browser over $protocol{$via}, sse_drain 2s $way" => sub {
            my @journal = @{ $journal{$browser}[$number] // [] };
            my @request = requests($way, $via, $browser);
            my $opened  = grep { $_->{what} eq 'open' } @journal;
            my $errors  = grep { $_->{what} eq 'error' } @journal;
            note "$opened times open, $errors errors";
            my @events = map { $_->{what} eq 'event' ? $_->{data} : () } @journal;
            is_deeply \@events, [1 .. $count], 'every event, once and in order';
            my $again = ", error $connecting, open" x ($opened - 1);
            is states(@journal), "open$again, end, error $connecting, error $closed, last $closed",
                'it is connecting after each cut, and closed after the end';
            cmp_ok $opened, '>', $reloads, 'it has been cut off by each reload';
            # Over HTTP/3 a response may not reach the browser, which then asks again.
            my $repeated = $via eq 'h3' ? qr/( \S+)\1+/ : qr/(?!)/;
            my $asked    = join '', map {" $_->{cursor}"} @request;
            my $had      = join '', map {" $_"} cursors(@journal);
            is $asked =~ s/$repeated/$1/gr, $had =~ s/$repeated/$1/gr, 'each request has the id of the last event';
            is scalar(grep { $_->{status} != 200 } @request), 1, 'there is one request after the end';
            is $request[-1]{status}, 204, 'which is told so';
            # Firefox falls back to another protocol if HTTP/3 takes long.
            my @other = grep { $_->{protocol} ne $protocol{$via} } @request;
            cmp_ok scalar @other, '<', $via eq 'h3' ? $reloads : 1, "by $protocol{$via}";
        };
    }
}
for my $way (sort keys %server) {
    subtest "HTTP/3, sse_drain 2s $way" => sub { plan skip_all => $no_h3 } if $no_h3;
}

$_->close for values %open;
is_deeply [$_->stop], [], 'no trouble' for values %server;
done_testing;
