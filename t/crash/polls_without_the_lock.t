# A worker stops while it holds the lock of a zone. Polls on another worker wait for the lock no longer than they would wait for an
# event, and get all that was published once the lock is available.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;
use SSE::Process;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $server = SSE::Nginx->start(
    workers   => 2,
    locations => 'location = /stop { sse_publish $arg_channel; sse_test_crash_at stop1; }
        location = /file { return 200 file; }',
);

sub data ($answer) { return [map { $_->{data} } @{ $answer->json->{events} }] }

sub stop_one ($how, $end) {
    subtest $how => sub {
        my ($holder, $other) = $server->workers;
        $server->allow(qr/is locked by $holder, which has not let go/);
        my $on = sub ($pid) { $server->connect_to($pid) };
        my ($publisher, $stopper) = ($on->($holder), $on->($holder));
        my $cursor = $server->get('/sub?channel=a&poll', on => $publisher)->json->{cursor};
        my $wait = sub ($seconds, $channel) {
            return $server->request(GET => "/sub?channel=$channel&poll&wait=$seconds", on => $on->($other), cursor => $cursor);
        };
        my ($patient, $silent) = ($wait->(60, 'a'), $wait->(60, 'b'));
        my $brief = $wait->(2, 'a');
        my $late  = $on->($other);
        wait_until(sub { $server->get('/pub?channel=a', on => $publisher)->json->{subscribers} == 2 }, 'polls that wait');

        # The other worker learns of the event while the lock is not available.
        freeze($other);
        $server->publish('/pub?channel=a', 'before', on => $publisher);
        my $mark  = $server->log_mark;
        my $first = $server->request(POST => '/stop?channel=a', body => 'first', on => $stopper);
        wait_stopped($holder);
        thaw($other);
        $server->wait_for_log(qr/is locked by $holder/, $mark);

        my $answer = $brief->json;
        is_deeply [$brief->status, $answer->{events}], [200, []], 'whose time is over gets an empty list';
        my $start   = time;
        my $refused = $server->get('/sub?channel=a&poll&wait=60', cursor => $answer->{cursor}, on => $late);
        is $refused->status, 503, 'who comes is refused';
        is $refused->header('Retry-After'), 1, 'and told when to come again';
        is $server->get('/file', on => $late)->body, 'file', 'others are served';
        cmp_ok time - $start, '<', 5, 'at once';
        is $_->closed, '', 'who waits goes on' for $patient, $silent;

        my @data = $end->($holder, $first);
        is_deeply data($patient), \@data, 'and then has it';
        is_deeply data($server->get('/sub?channel=a&poll', cursor => $answer->{cursor})), \@data, 'nothing is lost';
        $server->publish('/pub?channel=b', 'x');
        is_deeply data($silent), ['x'], 'a silent channel goes on';
        wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
    };
}

stop_one 'it goes on', sub ($holder, $first) {
    thaw($holder);
    is $first->finish->status, 201, 'the holder has lost nothing';
    return ('before', 'first');
};

stop_one 'it dies', sub ($holder, $first) {
    $server->allow(qr/exited on signal 9/, qr/was locked by $holder/);
    $server->kill9($holder);
    return ('before');
};

is_deeply [$server->stop], [], 'no other trouble';
done_testing;
