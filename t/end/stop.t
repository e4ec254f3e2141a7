# A producer stops because nobody listens, or because a page asks it to, in the ways that docs/guide.md shows.
# needs: module quiet
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) { return ($headers->{authorization} ? 204 : 401, [], '') });
my $server = SSE::Nginx->start(
    workers   => 2,
    locations => <<"END",
location = /stop {
            auth_request /auth;
            sse_publish run-\$arg_run;
            limit_except DELETE { deny all; }
        }
        location = /run {
            sse_publish run-\$arg_run;
            sse_framing lines;
            sse_reopen off;
        }
        location = /stop-order {
            auth_request /auth;
            sse_publish order-\$arg_run;
            sse_publish_end 1;
        }
        location = /stop-orders {
            sse_channel order-\$arg_run;
            sse_start earliest;
        }
        location = /auth {
            internal;
            proxy_pass http://127.0.0.1:@{[ $app->port ]};
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
END
);
my @page = (headers => [Authorization => 'Bearer of-the-page', 'Sec-Fetch-Site' => 'same-origin']);

my $producer = 0;
END { kill KILL => $producer if $producer }

sub median (@numbers) { return (sort { $a <=> $b } @numbers)[@numbers / 2] }

# The data of the newest event that a subscriber has.
sub latest ($subscriber) {
    my @events = @{ $subscriber->poll->{events} };
    return @events ? $events[-1]{data} : 0;
}

subtest 'nobody listens' => sub {
    $server->write_file('producer.sh', <<'END');
set -eu -o pipefail
channel=$1
number() { grep -o '"subscribers":[0-9]*'; }
for ((tick = 1; ; tick++)); do
    listeners=$(curl -sS -d "$tick" "$channel" | number)
    if [ "$listeners" = '"subscribers":0' ]; then
        echo "alone after $tick"
        listeners=$(curl -fs --retry 9 --retry-all-errors "$channel&wait=3&subscribers=1" | number)
    fi
    [ "$listeners" != '"subscribers":0' ] || break
    sleep 0.02
done
echo "stopped after $tick"
END
    my $subscriber = $server->subscribe('/sub?channel=ticks')->ready;
    my $url        = 'http://127.0.0.1:' . $server->port . '/pub?channel=ticks';
    my $out        = $server->prefix . '/producer.out';
    $producer = fork // die "fork: $!";
    if (!$producer) {
        open STDOUT, '>', $out or POSIX::_exit(1);
        exec 'bash', $server->prefix . '/producer.sh', $url or POSIX::_exit(127);
    }
    my $alone = sub { return scalar(() = $server->read_file('producer.out') =~ /^alone/mg) };
    wait_until(sub { latest($subscriber) > 10 }, 'ticks');

    for my $way ('leaves', 'is cut off by a reload') {
        my $before = $alone->();
        my $last   = latest($subscriber);
        $server->reload if $way ne 'leaves'; # the producer may have to connect to another worker
        $subscriber->close;
        wait_until(sub { $alone->() > $before }, 'the producer to be alone');
        $server->reload if $way ne 'leaves';
        $subscriber = $server->subscribe('/sub?channel=ticks')->ready;
        wait_until(sub { latest($subscriber) > $last }, 'more');
        pass "a client that $way comes back, and the producer goes on";
    }

    my $before = $alone->();
    $subscriber->close;
    my $start = time;
    wait_until(sub { $alone->() > $before }, 'the producer to be alone');
    my $id = $server->get('/pub?channel=ticks')->json->{last_id};
    waitpid $producer, 0;
    $producer = 0;
    is $?, 0, 'one that does not come back';
    cmp_ok time - $start, '>', 2.9, 'ends it after three seconds';
    like $server->read_file('producer.out'), qr/^stopped after/m, 'as it says';
    is $server->get('/pub?channel=ticks')->json->{last_id}, $id, 'and nothing has come meanwhile';
};

subtest 'a page ends the channel' => sub {
    my @times;
    for my $run (1 .. 11) {
        my $watcher = $server->subscribe("/sub?channel=run-$run")->ready;
        my $open    = $server->stream("/run?run=$run");
        my $token   = 0;
        $open->feed(++$token . "\n") while $token < 5;
        is_deeply [$watcher->data(5)], [1 .. 5], 'tokens';
        my $start = time;
        is $server->request(DELETE => "/stop?run=$run", @page)->status, 200, 'the page says stop';
        until ($open->poll->{status}) {
            $open->feed(++$token . "\n");
            sleep 0.01;
            last if time - $start > 30;
        }
        push @times, time - $start;
        is_deeply [$open->finish->status, @{ $open->json }{qw(error events)}], [409, 'the channel has ended', 5], 'the producer hears it';
        is $watcher->wait_closed, 'clean', 'who watches sees the end';
        is_deeply [$watcher->data(1, 0)], [], 'after the last event';
        is $server->publish("/run?run=$run", 'more')->status, 409, 'and there is nothing more';
    }
    cmp_ok median(@times), '<', 0.1, sprintf 'within %.1f ms', 1000 * median(@times);
};

subtest 'before the first event' => sub {
    is $server->request(DELETE => '/stop?run=early', @page)->status, 404, 'where nobody watches there is nothing to stop';
    my $watcher = $server->subscribe('/sub?channel=run-early')->ready;
    is $server->request(DELETE => '/stop?run=early', @page)->status, 200, 'what somebody watches can be stopped';
    is $server->publish('/run?run=early', 'first')->status, 409, 'and does not begin';
};

subtest 'a page gives the order' => sub {
    my @times;
    for my $run (1 .. 11) {
        my $producer = $server->subscribe("/stop-orders?run=$run")->ready;
        my $start = time;
        is $server->request(POST => "/stop-order?run=$run", body => 'stop', @page)->status, 201, 'the page says stop';
        is $producer->next_event->{data}, 'stop', 'the producer hears it';
        push @times, time - $start;
        is $producer->wait_closed, 'clean', 'and its stream has ended';
    }
    cmp_ok median(@times), '<', 0.1, sprintf 'within %.1f ms', 1000 * median(@times);

    is $server->request(POST => '/stop-order?run=early', body => 'stop', @page)->finish->status, 201, 'before anybody listens';
    my $late = $server->subscribe('/stop-orders?run=early');
    is $late->next_event->{data}, 'stop', 'the order is heard later';
    is $late->wait_closed, 'clean', 'as it is at once';

    my $cut = $server->subscribe('/stop-orders?run=cut')->ready;
    $server->wait_gone($server->reload);
    is $cut->wait_closed, 'abort', 'a producer that is cut off can tell that from an order';
};

subtest 'who may not say it' => sub {
    my $watcher = $server->subscribe('/sub?channel=run-guarded')->ready;
    my $stop = sub ($method, $path, @headers) {
        my @body = $method eq 'DELETE' ? () : (body => 'stop');
        return $server->request($method, "$path?run=guarded", headers => \@headers, @body)->finish->status;
    };
    my @known = (Authorization => 'Bearer of-the-page');
    for ([DELETE => '/stop'], [POST => '/stop-order']) {
        my ($method, $path) = @$_;
        is $stop->($method, $path), 401, "$method: whom the application does not know";
        is $stop->($method, $path, @known, 'Sec-Fetch-Site' => 'cross-site'), 403, 'another page';
        is $stop->($method, $path, @known, Origin => 'http://elsewhere.example'), 403, 'in an old browser';
    }
    is $stop->(POST => '/stop', @known), 403, 'whoever may stop may not publish';
    is $watcher->closed, '', 'nothing has happened';
    is $server->publish('/run?run=guarded', 'first')->status, 201, 'and all goes on';
};

$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
