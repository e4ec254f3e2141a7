# A leaving worker that dies with the lock of a zone that the new configuration has no more, or in another size: nginx
# frees the locks of the zones it knows, so the other leaving workers have to see to this one themselves.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Faulty;
use SSE::Nginx;

my $module = SSE::Faulty::module() or plan skip_all => SSE::Faulty::reason();
$ENV{TEST_NGINX_MODULE} = $module;

my $locations = <<'END';
location = /sub       { sse_channel $arg_channel zone=events; }
location = /pub       { sse_publish $arg_channel zone=events; }
location = /crash/sub { sse_channel $arg_channel zone=events; sse_test_crash_at $arg_crash; }
END

sub leave_with_lock ($name, %reload) {
    subtest $name => sub {
        my $server = SSE::Nginx->start(
            workers => 3,
            drain   => '2s',
            http    => 'sse_zone events 4m;',
            server  => $locations
        );
        my @subscriber = map { $server->subscribe_on($_, '/sub?channel=a')->ready } ($server->workers) x 5;
        # Half a request: its worker serves it when the rest has come, leaving or not.
        my $fatal = $server->connect->send_raw("GET /crash/sub?channel=b&crash=1 HTTP/1.1\r\nHost:");
        my $mark  = $server->log_mark;
        my $start = time;
        my @old   = $server->reload(%reload);
        $server->allow(qr/exited on signal 9/, qr/was locked by/);
        $fatal->write(" localhost\r\n\r\n");
        $server->wait_for_log(qr/exited on signal 9/, $mark);
        my ($dead) = $server->log_since($mark) =~ /worker process (\d+) exited on signal 9/;
        $_->wait_closed for @subscriber;
        my @others = grep { $_->header('X-Worker') ne $dead } @subscriber;
        is scalar(@others), 10, 'there are streams of the other two';
        is scalar(grep { $_->closed ne 'clean' } @others), 0, 'which end as they should';
        ok eval { $server->wait_gone(@old); 1 }, 'all old workers are gone';
        note sprintf 'after %.1f s', time - $start;
        like $server->log_since($mark), qr/sse_zone "events" was locked by \d+/, 'and one has said why';
        is_deeply [$server->stop], [], 'no other trouble';
    };
}

leave_with_lock 'another size', http => 'sse_zone events 8m;';
leave_with_lock 'no such zone',
    http   => 'sse_zone others 4m;',
    server => $locations =~ s/zone=events/zone=others/gr;

done_testing;
