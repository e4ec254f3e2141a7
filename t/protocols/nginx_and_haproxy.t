# Behind nginx and HAProxy as docs/proxies.md sets them up: events are not held back, a body without an end is passed on as it
# comes, who leaves is noticed without a heartbeat, an abort is no clean end, and the client's address arrives.
# needs: module haproxy
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my $text   = do { local (@ARGV, $/) = 'docs/proxies.md'; readline };
my %sample = $text =~ /<!-- test: (\w+) -->\n```\w+\n(.*?)^```/msg;

my $server = SSE::Nginx->start(
    subscribe => 'sse_heartbeat off;',
    publish   => 'sse_framing lines;',
    servers   => 'log_format address $remote_addr;',
    locations => "$sample{address} add_header X-Address \$remote_addr always;",
    allow     => [qr/exited on signal 9/],
);

# A sample for this test's module and, if it has one, with that port.
sub adapted ($name, $port = 0) { return $sample{$name} =~ s/\b8080\b/$server->port/egr =~ s/\b8088\b/$port/gr }

my $haproxy;
END { kill TERM => $haproxy if $haproxy }

# Each starts a proxy and returns the port to reach it by, and how to end it; nothing if it is not installed.
my %proxy = (
    nginx => sub {
        my $front = SSE::Nginx->start(module => 0, server => adapted('nginx'));
        return ($front->port, sub { is_deeply [$front->stop], [], 'no trouble there' });
    },
    haproxy => sub {
        return unless grep { -x "$_/haproxy" } split /:/, $ENV{PATH};
        my $port = SSE::Nginx::free_port();
        $server->write_file('haproxy.cfg', adapted('haproxy', $port));
        $haproxy = fork // die "fork: $!";
        if (!$haproxy) {
            open STDOUT, '>', $server->prefix . '/haproxy.log';
            open STDERR, '>&', \*STDOUT;
            exec 'haproxy', '-db', '-f', $server->prefix . '/haproxy.cfg' or POSIX::_exit(127);
        }
        wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) || waitpid $haproxy, POSIX::WNOHANG() }, 'haproxy');
        diag $server->read_file('haproxy.log');
        return ($port, sub { local $?; kill TERM => $haproxy; waitpid $haproxy, 0; $haproxy = 0 });
    },
);

sub through ($port) { return (on => SSE::Client::Socket->new(port => $port)) }

sub subscribers ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }

for my $name (sort keys %proxy) {
    subtest $name => sub {
        my ($port, $end) = $proxy{$name}->() or plan skip_all => "there is no $name; `./build.sh deps test` installs it";
        my $channel    = $name;
        my $subscriber = $server->subscribe("/sub?channel=$channel", through($port))->ready;

        my @took;
        for my $number (1 .. 9) {
            my $start = time;
            $server->publish("/pub?channel=$channel", "event $number\n");
            is $subscriber->next_event->{data}, "event $number", "event $number";
            push @took, time - $start;
        }
        my $median = (sort { $a <=> $b } @took)[@took / 2];
        note sprintf 'median %.1f ms', 1000 * $median;
        cmp_ok $median, '<', 0.1, 'events are not held back';

        my $publisher = $server->stream("/pub?channel=$channel", through($port));
        $publisher->feed("one\n");
        is $subscriber->next_event->{data}, 'one', 'a line of an open body';
        $publisher->feed("two\n");
        is $subscriber->next_event->{data}, 'two', 'and the next one';
        is $publisher->end->status, 201, 'which is answered when it ends';

        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, LocalAddr => '127.0.0.2') or die "connect: $!";
        print $socket "GET /status HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
        like join('', readline $socket), qr/^X-Address: 127\.0\.0\.2\r$/mi, "the client's address";

        my $leaving = $server->subscribe("/sub?channel=$channel", through($port))->ready;
        is subscribers($channel), 2, 'two are there';
        $leaving->close;
        wait_until(sub { subscribers($channel) == 1 }, 'the one that has left');

        $server->kill9($_) for $server->workers;
        is $subscriber->wait_closed, 'abort', 'an abort is no clean end';
        $end->();
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
