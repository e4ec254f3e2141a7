# What happens to a GET that waits for subscribers when its client leaves, when its worker leaves, and when its worker dies.
use v5.36;
use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

# Takes connections and never answers.
my $silent = IO::Socket::INET->new(Listen => 40, LocalAddr => '127.0.0.1') or die "no socket: $!";

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    publish   => 'mirror /arrived; mirror_request_body off;',
    locations => <<"END",
location = /acts { sse_publish \$arg_channel; mirror /arrived; mirror_request_body off; post_action /action; }
        location = /again { sse_publish \$arg_channel; mirror /arrived; mirror_request_body off; post_action \@again; }
        location \@again { sse_publish \$arg_channel; }
        location = /action { internal; proxy_pass http://127.0.0.1:@{[ $silent->sockport ]}; }
        location = /arrived { internal; log_subrequest on; access_log arrived.log; return 204; }
END
);

# How many requests have arrived so far: once the mirrored request is answered, the original one waits.
sub arrived { return scalar(() = $server->read_file('arrived.log') =~ /\n/g) }

# Sends a request, and returns when it waits in the worker.
sub ask ($query, %option) {
    my $path   = delete $option{path} // '/pub';
    my $before = arrived();
    my $client = $server->request(GET => "$path?channel=$query", %option);
    wait_until(sub { arrived() > $before }, 'the request to arrive');
    return $client;
}
sub subscribers ($answer) { return ($answer->json // { subscribers => 'no answer' })->{subscribers} }

subtest 'a client that leaves' => sub {
    for my $via (qw(h1 tls h2c)) {
        $_->close for map { ask('left&wait=60&subscribers=9', via => $via) } 1 .. 5;
        my @stays = map { ask('left&wait=60&subscribers=1', via => $via) } 1 .. 5;
        my $subscriber = $server->subscribe('/sub?channel=left')->ready;
        is subscribers($_), 1, "over $via others go on" for @stays;
        $subscriber->close;
        is subscribers(ask('left&wait=60&subscribers=0')), 0, 'and go';
    }
};

subtest 'a client that leaves, and an action that goes on' => sub {
    for my $via (qw(h1 tls h2c)) {
        my $connection = $server->connect;
        my @client     = map { ask('acts&wait=60&subscribers=9', path => '/acts', via => $via) } 1 .. 4;
        ok !IO::Select->new($silent)->can_read(0), "over $via nothing is done before";
        my @action;
        for my $client (@client) {
            $client->close;
            ok IO::Select->new($silent)->can_read(30), 'then it is done';
            push @action, $silent->accept;
        }
        is subscribers(ask('acts&wait=1&subscribers=9', on => $connection)), 0, 'and the worker goes on';
    }
    $_->close for map { ask('again&wait=60&subscribers=9', path => '/again') } 1 .. 4;
    is subscribers(ask('again&wait=1&subscribers=9')), 0, 'nor does it mind an action that waits itself';
    my $subscriber = $server->subscribe('/sub?channel=acts')->ready;
    my $answered   = ask('acts&wait=60&subscribers=0', path => '/acts');
    $subscriber->close;
    is subscribers($answered), 0, 'an action after the answer';
    ok IO::Select->new($silent)->can_read(30), 'is done, too';
    $silent->accept->close;
};

subtest 'a worker that leaves' => sub {
    my @worker = $server->workers;
    my @client = map { ask('leaving&wait=60&subscribers=9', on => $server->connect_to($_)) } @worker, @worker;
    push @client, map { ask('leaving&wait=60&subscribers=9', via => $_) } qw(tls h2c);
    my $start = time;
    my @old   = $server->reload;
    for my $client (@client) {
        is $client->finish->status, 503, 'says so';
        is $client->header('Retry-After'), 1, 'and when to ask again';
        like $client->json->{error}, qr/again/, 'which it means';
    }
    $server->wait_gone(@old);
    cmp_ok time - $start, '<', 20, 'in time';
};

subtest 'a client that retries' => sub {
    my $before = arrived();
    my $url    = 'http://127.0.0.1:' . $server->port . '/pub?channel=retried&wait=60&subscribers=1';
    open my $curl, '-|', 'curl', '-fs', '--retry', '9', $url or die "curl: $!";
    wait_until(sub { arrived() == $before + 1 }, 'the request to arrive');
    my @old = $server->reload;
    wait_until(sub { arrived() == $before + 2 }, 'the request to arrive once more');
    $server->wait_gone(@old);
    my $subscriber = $server->subscribe('/sub?channel=retried')->ready;
    like readline($curl) // '', qr/"subscribers":1\b/, 'has the answer of a new worker';
    $subscriber->close;
    close $curl;
};

subtest 'a worker that dies' => sub {
    $server->allow(qr/exited on signal 9/);
    my ($dies, $stays) = $server->workers;
    my @cut  = map { ask('dead&wait=60&subscribers=1', on => $server->connect_to($dies)) } 1 .. 3;
    my @goes = map { ask('dead&wait=60&subscribers=1', on => $server->connect_to($stays)) } 1 .. 3;
    $server->kill9($dies);
    is $_->wait_closed, 'abort', 'its clients see the end of the connection' for @cut;
    is $_->raw, '', 'and nothing else' for @cut;
    my $subscriber = $server->subscribe('/sub?channel=dead')->ready;
    is subscribers($_), 1, 'others wait on' for @goes;
    is subscribers(ask('dead&wait=60&subscribers=1')), 1, 'as who asks again';
    $subscriber->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
