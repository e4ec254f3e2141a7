# A worker that stops, but lives, with the lock of a zone: whoever wants the lock waits for it, and says so every second.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers => 2,
    locations => 'location = /stop { sse_publish $arg_channel; sse_test_crash_at stop1; }',
);
my ($holder, $waiting) = $server->workers;
my $subscriber = $server->subscribe_on($waiting, '/sub?channel=a')->ready;
my @connection = map { $server->connect_to($_) } $holder, $waiting;

# The reports: who waits, and for how long already.
my $pattern = qr/\[alert\] (\d+)#\d+: (?:\*\d+ )?sse: zone "events" is locked by $holder, which has not let go for (\d+) ms/;
$server->allow($pattern);
sub reports { return map { [/$pattern/] } grep {/$pattern/} split /\n/, $server->log }

my $first = $server->request(POST => '/stop?channel=a', body => 'first', on => $connection[0]);
wait_stopped($holder);
my $second = $server->request(POST => '/pub?channel=a', body => 'second', on => $connection[1]);
wait_until(sub { reports() >= 3 }, 'three reports');
is_deeply [grep { $_->[0] != $waiting } reports()], [], 'it is who waits that reports';
my @time = map { $_->[1] } reports();
cmp_ok $time[0], '>=', 1000, 'after a second';
is_deeply [grep { $time[$_] - $time[$_ - 1] < 1000 } 1 .. $#time], [], 'and no more than once a second';
note "@time";

thaw($holder);
is $_->finish->status, 201, 'when it goes on nobody has lost anything' for $first, $second;
is_deeply [$subscriber->data(2)], [qw(first second)], 'and all get on';
is_deeply [$server->stop], [], 'no other trouble';
unlike $server->log, qr/was locked by/, 'nobody has taken the lock from the living';
done_testing;
