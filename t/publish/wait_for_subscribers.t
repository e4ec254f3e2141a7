# A GET of a channel can wait until the channel has no subscriber any more, or until it has one.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my @via    = (qw(h1 h1.0 tls h2c), SSE::Nginx::lacks_http3() ? () : 'h3');
my $server = SSE::Nginx->start(workers => 2, listen => [grep { $_ ne 'h1.0' } @via]);
my $path   = '/pub?channel=';

sub ask ($query, %option) { return $server->request(GET => "$path$query", %option) }
sub subscribers ($answer) { return ($answer->json // { subscribers => 'no answer' })->{subscribers} }
sub count ($channel) { return subscribers(ask($channel)) }

for my $via (@via) {
    subtest "over $via" => sub {
        my $channel = "c$via";
        my $comes   = ask("$channel&wait=30&subscribers=1", via => $via);
        my $first   = $server->subscribe("/sub?channel=$channel")->ready;
        is subscribers($comes), 1, 'somebody comes';
        is $comes->status, 200, 'and that is the answer';
        is subscribers(ask("$channel&wait=30&subscribers=1", via => $via)), 1, 'which is given at once if somebody is there';

        my $both   = ask("$channel&wait=30&subscribers=2", via => $via);
        my $nobody = ask("$channel&wait=30&subscribers=0", via => $via);
        my $second = $server->subscribe("/sub?channel=$channel")->ready;
        is subscribers($both), 2, 'two';
        is subscribers(ask("$channel&wait=30&subscribers=1", via => $via)), 2, 'are more than one';
        $first->close;
        wait_until(sub { count($channel) == 1 }, 'the first one to be gone');
        is $nobody->closed, '', 'as long as somebody listens there is no answer';
        $second->close;
        is subscribers($nobody), 0, 'then nobody listens';
        is $nobody->status, 200, 'and that is the answer';
        is subscribers(ask("$channel&wait=30&subscribers=0", via => $via)), 0, 'which is given at once if it is so';
    };
}

subtest 'on all workers' => sub {
    my @worker     = $server->workers;
    my @some       = map { ask('all&wait=60&subscribers=4', on => $server->connect_to($_)) } @worker;
    my @subscriber = map { $server->subscribe('/sub?channel=all', on => $server->connect_to($_))->ready } @worker, @worker;
    is subscribers($_), 4, 'all come together' for @some;
    my @nobody = map { ask('all&wait=60&subscribers=0', on => $server->connect_to($_)) } @worker;
    while (my $subscriber = shift @subscriber) {
        is scalar(grep { $_->closed } @nobody), 0, 'somebody is there';
        $subscriber->close;
        wait_until(sub { count('all') == @subscriber }, 'one less');
    }
    is subscribers($_), 0, 'nobody' for @nobody;
};

subtest 'when the time is up' => sub {
    my $subscriber = $server->subscribe('/sub?channel=late')->ready;
    my $start      = time;
    is subscribers(ask('late&wait=1&subscribers=0')), 1, 'the number as it is';
    cmp_ok time - $start, '>', 0.9, 'not before';
    my $kept = $server->connect;
    is subscribers(ask('late&wait=1&subscribers=7', on => $kept)), 1, 'on a connection that is kept';
    is subscribers(ask('late', on => $kept)), 1, 'the next request is answered';
    my $head = "GET ${path}late%s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    $kept->send_raw(sprintf("$head$head", '&wait=1&subscribers=9', ''));
    is subscribers($kept), 1, 'also one that has been sent in advance:';
    $kept->begin(method => 'GET');
    is subscribers($kept->poll), 1, 'after this one';
    $subscriber->close;
};

subtest 'what does not wait' => sub {
    my $subscriber = $server->subscribe('/sub?channel=now')->ready;
    my $start      = time;
    is $server->request(HEAD => "${path}now&wait=30&subscribers=0")->finish->status, 200, 'HEAD';
    is subscribers(ask('now&wait=30&subscribers=0', body => 'x')), 1, 'a request with a body';
    is subscribers(ask('now&wait=0&subscribers=0')), 1, 'no time';
    cmp_ok time - $start, '<', 10, 'at once';
    for my $poll ("${path}now&subscribers=0", '/sub?channel=now&poll') {
        is $server->get("$poll&wait=0&wait=x")->status, 200, "$poll: of several the first counts, as in \$arg_wait";
        is $server->get("$poll&wait=x&wait=0")->status, 400, 'and the others do not';
    }
    for my $wrong (
        qw(wait=30 subscribers=0 wait=x&subscribers=0 wait=1.5&subscribers=0 wait=1&subscribers=-1),
        'wait=61&subscribers=0', 'wait=99999999999999999999&subscribers=0', 'wait=1&subscribers=', 'wait=1&subscribers=2147483648'
    ) {
        my $answer = ask("now&$wrong");
        is $answer->finish->status, 400, "$wrong is refused";
        like $answer->json->{error}, qr/wait/, 'with a reason';
    }
    $subscriber->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
