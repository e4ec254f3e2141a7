# A GET of a channel can wait until it has so many subscribers.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

# Takes connections and never answers.
my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no socket: $!";

my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    locations => <<"END",
location = /acts { sse_publish \$arg_channel; post_action /action; }
        location = /action { internal; proxy_pass http://127.0.0.1:@{[ $silent->sockport ]}; }
END
);
my $path = '/pub?channel=';

sub ask ($query, %option) { return $server->request(GET => "$path$query", %option) }
sub subscribers ($answer) { return ($answer->json // { subscribers => 'no answer' })->{subscribers} }
sub count ($channel) { return subscribers(ask($channel)) }

for my $via (qw(h1 tls h2c)) {
    subtest "over $via" => sub {
        my $channel    = "c$via";
        my $comes      = ask("$channel&wait=30&subscribers=1", via => $via);
        my $subscriber = $server->subscribe("/sub?channel=$channel")->ready;
        is subscribers($comes), 1, 'somebody comes';
        my $nobody = ask("$channel&wait=30&subscribers=0", via => $via);
        is $nobody->poll->closed, '', 'as long as somebody listens there is no answer';
        $subscriber->close;
        is subscribers($nobody), 0, 'then nobody listens';
        is $nobody->status, 200, 'and that is the answer';
        is subscribers(ask("$channel&wait=30&subscribers=0", via => $via)), 0, 'which is given at once if it is so';
    };
}

subtest 'when the time is up' => sub {
    my $subscriber = $server->subscribe('/sub?channel=late')->ready;
    my $start      = time;
    is subscribers(ask('late&wait=1&subscribers=0')), 1, 'the number as it is';
    cmp_ok time - $start, '>', 0.9, 'not before';
    my $kept = $server->connect;
    is subscribers(ask('late&wait=1&subscribers=7', on => $kept)), 1, 'on a connection that is kept';
    is subscribers(ask('late', on => $kept)), 1, 'the next request is answered';
    $subscriber->close;
};

subtest 'what does not wait' => sub {
    my $subscriber = $server->subscribe('/sub?channel=now')->ready;
    my $start      = time;
    is $server->request(HEAD => "${path}now&wait=30&subscribers=0")->finish->status, 200, 'HEAD';
    is subscribers(ask('now&wait=30&subscribers=0', body => 'x')), 1, 'a request with a body';
    is subscribers(ask('now&wait=0&subscribers=0')), 1, 'no time';
    cmp_ok time - $start, '<', 10, 'at once';
    for my $wrong (qw(wait=30 subscribers=0 wait=x&subscribers=0 wait=1&subscribers=-1 wait=99999999999999999999&subscribers=0)) {
        my $answer = ask("now&$wrong");
        is $answer->finish->status, 400, "$wrong is refused";
        like $answer->json->{error}, qr/wait/, 'with a reason';
    }
    $subscriber->close;
};

subtest 'a client that leaves' => sub {
    my @client = map { ask('left&wait=60&subscribers=9') } 1 .. 5;
    $_->close for @client;
    my @stays = map { ask('left&wait=60&subscribers=1') } 1 .. 5;
    my $subscriber = $server->subscribe('/sub?channel=left')->ready;
    is subscribers($_), 1, 'others go on' for @stays;
    $subscriber->close;
};

subtest 'a client that leaves, and an action that goes on' => sub {
    for my $via (qw(h1 tls h2c)) {
        my $connection = $server->connect;
        $server->request(GET => '/acts?channel=acts&wait=60&subscribers=9', via => $via)->close for 1 .. 4;
        is subscribers(ask('acts&wait=1&subscribers=9', on => $connection)), 0, "over $via the worker goes on";
    }
    $silent->close;
};

subtest 'a worker that leaves' => sub {
    my $start  = time;
    # On connections that the old workers have; they have the requests when they have answered others later.
    my @worker = $server->workers;
    my @client = map { ask('leaving&wait=60&subscribers=9', on => $server->connect_to($_)) } @worker, @worker;
    $server->connect_to($_)->close for @worker;
    my @old = $server->reload;
    is subscribers($_), 0, 'answers' for @client;
    $server->wait_gone(@old);
    cmp_ok time - $start, '<', 20, 'in time';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
