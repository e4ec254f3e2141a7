# Many waiting requests may have to be answered at the same moment: because their time is up, because what they wait for has happened,
# or because they may continue. They take turns, and other requests are answered in between.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Process;

my $count  = 100;
my $server = SSE::Nginx->start(
    http   => 'sse_zone events 4m; log_format path "$request_uri";',
    server => <<'END',
access_log order.log path;
        location = /sub    { sse_channel $arg_channel; access_log off; }
        location = /pub    { sse_publish $arg_channel; }
        location = /paced  { sse_publish $arg_channel; sse_framing lines; sse_max_rate 1; }
        location = /other  { return 204; }
END
);

# Stops the worker until all of @waiting are due, and another client has asked for something else.
sub answers_others ($what, $path, @waiting) {
    $server->get('/sub'); # when this is answered, the worker has seen all of @waiting
    my ($worker) = $server->workers;
    my $other = $server->connect;
    freeze($worker);
    # On a busy machine, some are due before the last one has arrived.
    my $early = () = $server->read_file('order.log') =~ m{^/\Q$path\E}mg;
    my $due = time + 1.5;
    wait_until(sub { time > $due }, 'all of them to be due');
    $other->send_raw("GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n" x 3);
    thaw($worker);
    is scalar(grep { $_->finish->status =~ /^20/ } @waiting), $count, "$what: all are answered";
    my @order = $server->read_file('order.log') =~ m{^/(other|\Q$path\E)}mg;
    my ($last) = grep { $order[$_] eq 'other' } reverse 0 .. $#order;
    my $after = grep { $_ ne 'other' } @order[$last + 1 .. $#order];
    cmp_ok $after, '>', ($count - $early) / 2, 'most of them after one that came at the same time' or diag "@order";
    $other->close;
    truncate $server->prefix . '/order.log', 0;
}

answers_others('time that is up', 'pub', map { $server->request(GET => '/pub?channel=a&wait=1&subscribers=9') } 1 .. $count);
# The first event uses up the next second, and the second event the second after that.
answers_others('a rate', 'paced', map { $server->request(POST => '/paced?channel=a', body => "1\n2\n3\n") } 1 .. $count);

is_deeply [$server->stop], [], 'no trouble';
done_testing;
