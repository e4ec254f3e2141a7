# Many times more events than 16 bits can count, in a few seconds, on one channel: each arrives once and in order.
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Pipeline;

my $lines  = $ENV{TEST_NGINX_LINES} // 520_000;
my $server = SSE::Nginx->start(
    workers => 2,
    listen  => [qw(h1 unchunked)],
    zone    => '128m',
    locations => 'location = /lines { sse_publish $arg_channel; sse_framing lines; client_max_body_size 0; }',
);

# Calls $what in a child process, which exits with 0 if the result is true; returns its pid.
sub aside ($what) {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $good = eval { $what->() } or print STDERR "# $@\n";
    POSIX::_exit($good ? 0 : 1);
}

# Reads the numbers 1 .. $count from the raw stream, because parsing takes most of the time here; returns what is wrong with the first
# that is not as expected, or undef.
sub first_wrong ($subscriber, $count) {
    my ($socket, $text) = ($subscriber->{socket}, '');
    my ($number, $time, $sequence) = (0, 0, 0);
    $socket->blocking(1);
    local $SIG{ALRM} = sub { die "only $number of $count have come\n" };
    alarm 120;
    while ($number < $count) {
        sysread $socket, $text, 262_144, length $text or last;
        while ($text =~ /\G(?::\n)*id: (\d+)-(\d+)\ndata: (\d+)\n\n/gc) {
            my $grown = $1 > $time || $1 == $time && $2 > $sequence;
            return "$3 with id $1-$2 after $number with id $time-$sequence" unless $grown && $3 == $number + 1;
            ($time, $sequence, $number) = ($1, $2, $3);
        }
        substr($text, 0, pos($text) // 0) = '';
        return "after $number: $text" if $text =~ /\n\n/;
    }
    alarm 0;
    return $number == $count ? undef : "the end after $number";
}

subtest 'in one body' => sub {
    my $subscriber = $server->subscribe('/sub?channel=lines', via => 'unchunked')->ready;
    my $start = time;
    my $pid = aside(sub {
        my $answer = $server->publish('/lines?channel=lines', join '', map {"$_\n"} 1 .. $lines);
        $answer->json->{events} == $lines or die 'answer: ' . $answer->body;
    });
    is first_wrong($subscriber, $lines), undef, "$lines events, each once and in order";
    note sprintf 'in %.1f s', time - $start;
    waitpid $pid, 0;
    is $?, 0, 'all of them were acknowledged';
    is $server->get('/status')->json->{zones}{events}{published}, $lines, 'and counted';
};

subtest 'one by one' => sub {
    my $count      = 70_000;
    my $subscriber = $server->subscribe('/sub?channel=single', via => 'unchunked')->ready;
    my $start = time;
    my $pid = aside(sub {
        my @status = SSE::Pipeline->new($server)->publish(map { ['/pub?channel=single', $_] } 1 .. $count);
        $count == grep { $_ == 201 } @status;
    });
    is first_wrong($subscriber, $count), undef, "$count events, each once and in order";
    note sprintf 'in %.1f s', time - $start;
    waitpid $pid, 0;
    is $?, 0, 'each publish was acknowledged';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
