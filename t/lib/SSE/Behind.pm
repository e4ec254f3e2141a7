package SSE::Behind;

# Compares what a row of the table in docs/proxies.md says of a proxy with what a real one does.
#
#   my $server = SSE::Behind::server();
#   behind($server, 'Caddy', $proxy, h2c => 1);   # the row, and an SSE::Proxy that has not been started
#
# The columns, and what a cell begins with:
#
#   Events arrive                at once | late | never
#   A cut arrives as             a cut | an end
#   A leaving client is noticed  at once | by heartbeats
#   An open body is passed on    at once | when it ends | never (it is refused)
#   The client's address         known | forged
#   Time limits                  none, or some of: N s of silence; N s in all; bodies: N s in all; bodies: N s of silence
#
# Where it is different for clients over HTTP/2: "late (HTTP/2: at once)".
#
# Options: h2c (it speaks HTTP/2 to clients on the same port), silence, body (the same proxy with a limit of a second in place
# of that of the row for the silence of a stream, for a body), whole (1: with what takes a while: 100 heartbeats, reload and
# restart).

use v5.36;
use Exporter 'import';
use IO::Socket::INET;
use List::Util qw(min);
use SSE::Client::Curl;
use SSE::Client::Socket;
use SSE::Document qw(slurp);
use SSE::Nginx;
use SSE::Proxy;
use Test::More;
use Time::HiRes qw(time);
our @EXPORT = qw(behind compressed held_back);

# How long an event may take to arrive, in seconds.
my $limit = 0.1;

# nginx with the module; it compresses every response that can be compressed.
sub server () {
    return SSE::Nginx->start(
        listen    => [qw(h1 h2c)],
        drain     => '100ms',
        subscribe => 'sse_heartbeat off;',
        publish   => 'sse_framing lines;',
        locations => <<"END",
gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any;
        location = /beating { sse_channel \$arg_channel; sse_heartbeat 20ms; }
        @{[sample('address')]} add_header X-Address \$remote_addr always;
END
        allow => [qr/exited on signal 9/],
    );
}

# The cells of a row by the words at the top of their columns.
sub row ($name) {
    my $text = slurp('docs/proxies.md');
    my ($head) = $text =~ /^(\| Proxy .*\|)$/m or die 'there is no table';
    my ($line) = $text =~ /^(\| \Q$name\E \|.*\|)$/m or die "the table has no row $name";
    my %row;
    @row{ cells($head) } = cells($line);
    return \%row;
}

sub cells ($line) { return map {s/\*\*//gr} split / *\| */, $line =~ s/^\| *| *\|$//gr, -1 }

my ($server, $proxy, $row, %option); # of the current check

# Whether that is what the row says, of clients that speak HTTP/2 or not.
sub says ($column, $word, $h2c = 0) { return told($column, $h2c) =~ /^\Q$word\E/ }

sub told ($column, $h2c) {
    my ($always, $http2) = ($row->{$column} // die "there is no column $column") =~ /^([^(]*?)(?: \(HTTP\/2: (.*)\))?$/;
    return $h2c && $http2 || $always;
}

sub behind ($with, $name, $what, %more) {
    ($server, $proxy, $row, %option) = ($with, $what, row($name), %more);
    subtest $name => sub {
        $proxy->start($server);
        says('Events arrive', 'never') ? subtest('no event comes' => \&check_never) : check_stream();
        $proxy->stop('KILL');
        subtest 'a silent stream' => \&check_silence if $option{silence};
        subtest 'a slow body' => \&check_slow_body if $option{body};
        like $row->{'Time limits'}, qr/^\d|; \d/, 'says that silence has a limit' if $option{silence};
        like $row->{'Time limits'}, qr/bodies: \d/, 'says that bodies have a limit' if $option{body};
    };
}

sub check_stream () {
    my $beating = subscriber('beating', path => '/beating');
    subtest $_->[0] => $_->[1] for (
        ['events'               => \&check_events],
        ['a client comes back'  => \&check_resume],
        ['an open body'         => \&check_body],
        ["the client's address" => \&check_address],
        ['a client leaves'      => \&check_leaving],
        ($option{whole} ? ['heartbeats' => sub { check_heartbeats($beating) }] : ()),
        ['a cut' => \&check_cut],
        ($option{whole} ? ['the proxy restarts' => \&check_restart] : ()),
    );
}

# A proxy that compresses streams does not delay them.
sub compressed ($with, $name, $what) {
    ($server, $proxy, $row, %option) = ($with, $what, row($name));
    subtest "$name, with compression" => sub {
        $proxy->start($server);
        my $subscriber = subscriber('compressed', class => 'SSE::Behind::Inflating')->ready;
        is $subscriber->header('content-encoding'), 'gzip', 'a compressed stream';
        cmp_ok usual_delay($subscriber, 'compressed'), '<', $limit, 'each event is in time';
        $proxy->stop('KILL');
    };
}

# A proxy that holds streams back.
sub held_back ($with, $name, $what) {
    ($server, $proxy) = ($with, $what);
    subtest $name => sub {
        $proxy->start($server);
        check_never();
        $proxy->stop('KILL');
    };
}

# Through the proxy -----------------------------------------------------------------------------------------------------

sub through ($class = 'SSE::Client::Socket', $port = $proxy->port) { return (on => $class->new(port => $port)) }

# A stream as a browser asks for it. Options: path, h2c, cursor, class, port (not that of the proxy).
sub subscriber ($channel, %how) {
    return $server->subscribe(
        ($how{path} // '/sub') . "?channel=$channel",
        through($how{h2c} ? 'SSE::Client::Curl' : $how{class} // 'SSE::Client::Socket', $how{port} // $proxy->port),
        headers => ['Accept' => 'text/event-stream', 'Accept-Encoding' => 'gzip, deflate, br, zstd'],
        exists $how{cursor} ? (cursor => $how{cursor}) : (),
    );
}

sub publish ($channel, $text) { return $server->publish("/pub?channel=$channel", "$text\n")->json }

sub subscribers ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }

# Events ----------------------------------------------------------------------------------------------------------------

# How long an event that is published now takes to reach a subscriber.
sub delay ($subscriber, $channel) {
    my $start = time;
    publish($channel, $start);
    my $event = $subscriber->next_event or die "an event does not come\n";
    $event->{data} eq $start or die "another event comes: $event->{data}\n";
    return time - $start;
}

# How much later the first event of a stream comes through the proxy than without it. Both are measured one after the other, because
# over HTTP/2 the start of curl, which takes longer on a busy machine, is part of them.
sub first_delay_more ($h2c) {
    return first_delay(h2c => $h2c) - first_delay(h2c => $h2c, port => $server->port($h2c ? 'h2c' : 'h1'));
}

# How long the first event of a stream takes, with all that comes before it.
sub first_delay (%how) {
    my $start      = time;
    my $subscriber = subscriber('first', cursor => '0-0', %how);
    $subscriber->next_event or die "the first event does not come\n";
    return time - $start;
}

sub median (@numbers) { return (sort { $a <=> $b } @numbers)[@numbers / 2] }

# A median; if it is too long, the least of several, so that other load of this machine does not count.
sub usual ($measure, $h2c = 0) {
    my ($least, $times) = (9, says('Events arrive', 'late', $h2c) ? 1 : 5);
    for (1 .. $times) {
        $least = min $least, median(map { $measure->() } 1 .. 5);
        last if $least < $limit;
    }
    return $least;
}

sub usual_delay ($subscriber, $channel, $h2c = 0) { return usual(sub { delay($subscriber, $channel) }, $h2c) }

sub check_events {
    publish('first', 'first');
    for my $h2c (0, $option{h2c} ? 1 : ()) {
        my $subscriber = subscriber("events$h2c", h2c => $h2c)->ready;
        my $way = $h2c ? 'HTTP/2' : 'HTTP/1.1';
        like $subscriber->header('content-type'), qr{^text/event-stream}, "$way: a stream";
        is $subscriber->header('content-encoding'), undef, 'not compressed';
        my ($first, $each) = (usual(sub { first_delay_more($h2c) }, $h2c), usual_delay($subscriber, "events$h2c", $h2c));
        note sprintf 'the first event %.1f ms later, each after %.1f ms', 1000 * $first, 1000 * $each;
        my ($compare, $what) = says('Events arrive', 'late', $h2c) ? ('>', 'late') : ('<', 'in time');
        cmp_ok $first, $compare, $limit, "the first event is $what";
        cmp_ok $each,  $compare, $limit, "each event is $what";
    }
}

# A proxy that holds a response back until it is complete.
sub check_never {
    my $subscriber = subscriber('never', cursor => '0-0', class => 'SSE::Behind::Inflating');
    wait_until(sub { subscribers('never') == 1 }, 'the subscriber');
    publish('never', $_) for 1 .. 3;
    is $subscriber->next_event(0.5), undef, 'before the channel ends, nothing comes';
    $server->publish('/pub?channel=never', '', method => 'DELETE');
    is join(' ', grep {/\d/} $subscriber->data(4)), '1 2 3', 'and then all of it';
}

sub check_resume {
    my $subscriber = subscriber('resume')->ready;
    publish('resume', 1);
    is $subscriber->next_event->{data}, 1, 'one event';
    my $cursor = $subscriber->last_event_id;
    $subscriber->close;
    publish('resume', $_) for 2 .. 4;
    is_deeply [subscriber('resume', cursor => $cursor)->data(3)], [2 .. 4], 'it gets what it has missed, once';
}

# All of them arrive, on a stream that has been open all the time.
sub check_heartbeats ($beating) {
    ok $beating->pump_until(sub { (() = $beating->body =~ /^:/mg) >= 100 }), '100 of them';
}

# Bodies, addresses -----------------------------------------------------------------------------------------------------

# Whether a line of a body that has not ended arrives before what is published after it.
sub check_body {
    for my $h2c (0, $option{h2c} ? 1 : ()) {
        my $way        = $h2c ? 'HTTP/2' : 'HTTP/1.1';
        my $subscriber = subscriber('body')->ready;
        my $publisher  = $server->stream('/pub?channel=body', through($h2c ? 'SSE::Client::Curl' : 'SSE::Client::Socket'));
        $publisher->feed("one\n");
        if (says('An open body is passed on', 'at once', $h2c)) {
            is $subscriber->next_event->{data}, 'one', "$way: its first line";
            $publisher->feed("two\n");
            is $subscriber->next_event->{data}, 'two', 'and the next one';
            is $publisher->end->status, 201, 'are answered when it ends';
        }
        elsif (says('An open body is passed on', 'never', $h2c)) {
            isnt $publisher->end->status, 201, "$way: is refused";
            publish('body', 'later');
            is $subscriber->next_event->{data}, 'later', 'and nothing of it comes';
        }
        else {
            publish('body', 'later');
            is $subscriber->next_event->{data}, 'later', "$way: its lines are held back";
            is $publisher->end->status, 201, 'until it ends';
            is $subscriber->next_event->{data}, 'one', 'and come then';
        }
    }
}

sub check_address {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $proxy->port, LocalAddr => '127.0.0.2') or die "connect: $!";
    print $socket "GET /status HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
    my ($address) = join('', readline $socket) =~ /^X-Address: (\S+)\r$/mi;
    is $address, says("The client's address", 'known') ? '127.0.0.2' : '192.0.2.1', $row->{"The client's address"};
}

# Ends ------------------------------------------------------------------------------------------------------------------

sub check_leaving {
    my $silent = subscriber('silent')->ready;
    if (says('A leaving client is noticed', 'at once')) {
        $silent->close;
        wait_until(sub { subscribers('silent') == 0 }, 'the one that has left');
        return pass 'is noticed without a heartbeat';
    }
    my $beating = subscriber('leaving', path => '/beating')->ready;
    $_->close for $silent, $beating;
    wait_until(sub { subscribers('leaving') == 0 }, 'the one that has left');
    is subscribers('silent'), 1, 'is noticed with heartbeats, and not without them';
}

# A worker cuts its streams off when nginx is reloaded, and when it is killed.
sub check_cut {
    for my $h2c (0, $option{h2c} ? 1 : ()) {
        my $what       = told('A cut arrives as', $h2c);
        my $expected   = $what eq 'a cut' ? 'abort' : 'clean';
        my $subscriber = subscriber('cut', h2c => $h2c)->ready;
        my @old        = $server->reload;
        is $subscriber->wait_closed, $expected, ($h2c ? 'HTTP/2' : 'HTTP/1.1') . ", a reload: $what";
        $server->wait_gone(@old);
        $subscriber = subscriber('cut', h2c => $h2c)->ready;
        $server->kill9($_) for $server->workers;
        is $subscriber->wait_closed, $expected, 'a worker is killed: the same';
    }
}

# A client that comes back with its last id whenever its stream ends, until it has that event.
sub follow ($subscriber, $last) {
    my $cursor = $subscriber->last_event_id;
    my @data;
    wait_until(
        sub {
            if (my $event = $subscriber->next_event(0.05)) {
                $cursor = $event->{id};
                push @data, $event->{data} if $event->{type} eq 'message';
                return $event->{data} eq $last;
            }
            # While the proxy restarts, its port refuses connections, or it responds with an error.
            $subscriber = eval { subscriber('restart', cursor => $cursor) } // $subscriber if $subscriber->closed;
            return 0;
        },
        "event $last"
    );
    return ($subscriber, @data);
}

sub check_restart {
    my ($subscriber, @data) = (subscriber('restart')->ready);
    if ($proxy->{reload}) {
        $proxy->reload;
        publish('restart', $_) for 1 .. 3;
        ($subscriber, @data) = follow($subscriber, 3);
        is_deeply \@data, [1 .. 3], 'after a reload: every event, once';
    }
    $subscriber->close;
    $subscriber = subscriber('restart')->ready; # after a reload, the old stream may belong to a process that is leaving
    $proxy->stop;
    is $subscriber->wait_closed, 'abort', 'to the client, a restart is a cut';
    publish('restart', $_) for 4 .. 6;
    $proxy->start($server);
    ($subscriber, @data) = follow($subscriber, 6);
    is_deeply \@data, [4 .. 6], 'after a restart: every event, once';
}

# Limits ----------------------------------------------------------------------------------------------------------------

# With a limit of a second only heartbeats keep a stream.
sub check_silence {
    $proxy = $option{silence};
    $proxy->start($server);
    my $silent  = subscriber('silence')->ready;
    my $beating = subscriber('silence', path => '/beating')->ready;
    ok $silent->wait_closed, 'ends';
    is $beating->closed, '', 'one with heartbeats does not';
    $proxy->stop('KILL');
}

# With a limit of a second a body that takes longer, or is silent for so long, is refused.
sub check_slow_body {
    $proxy = $option{body};
    $proxy->start($server);
    my $publisher = $server->stream('/pub?channel=slow', through());
    my $pause     = $row->{'Time limits'} =~ /bodies: \d+ s of silence/ ? $SSE::Client::Patience : 0.2;
    my $start     = time;
    while (time - $start < $SSE::Client::Patience && !$publisher->closed) {
        $publisher->feed("line\n");
        $publisher->pump_until(sub {0}, $pause);
    }
    isnt $publisher->closed, '', 'is ended';
    isnt $publisher->{status} // 0, 201, 'without success';
    $proxy->stop('KILL');
}

# A client that takes compressed streams.
package SSE::Behind::Inflating {
    use v5.36;
    use parent -norequire, 'SSE::Client::Socket';
    use Compress::Raw::Zlib qw(WANT_GZIP Z_OK Z_STREAM_END);

    sub decode ($self) {
        my $part = $self->SUPER::decode;
        return $part if ($self->{headers}{'content-encoding'} // '') ne 'gzip';
        $self->{inflate} //= Compress::Raw::Zlib::Inflate->new(-WindowBits => WANT_GZIP, -AppendOutput => 1);
        my $status = $self->{inflate}->inflate($part, my $out);
        $status == Z_OK || $status == Z_STREAM_END or die "inflate: $status\n";
        return $out // '';
    }
}

1;
