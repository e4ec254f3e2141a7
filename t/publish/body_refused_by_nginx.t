# A body that nginx refuses: the answer says why, and a location to which an error_page passes the request is the only one to answer it.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;

# A backend that answers when the test lets it.
my $backend = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
$backend->blocking(0);

my %page = (
    plain => '',
    slow  => 'error_page 400 413 = /slow;',
    sub   => 'error_page 400 413 = /instead;',
);
my $locations = join '', map {
    "location = /lines/$_ { sse_publish \$arg_channel; sse_framing lines; client_max_body_size 20; $page{$_} }\n"
        . "location = /event/$_ { sse_publish \$arg_channel; client_max_body_size 20; $page{$_} }\n"
} sort keys %page;
my $server = SSE::Nginx->start(locations => <<"END");
$locations
        location = /kick    { sse_kick; }
        location = /instead { sse_channel instead; }
        location = /slow    { proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:@{[ $backend->sockport ]}; }
END

sub chunk ($bytes) { return sprintf "%x\r\n%s\r\n", length $bytes, $bytes }

my %bad = (
    'too large' => { chunk => chunk('x' x 30 . "\n"), status => 413 },
    'malformed' => { chunk => "no chunk\r\n", status => 400 },
);

# The only worker has seen everything that was sent before these requests when they are answered.
sub settle { $server->get('/status') for 1 .. 3 }

# Publishes a good chunk and a bad one: together, or the bad one once the good one has been read.
sub publish_badly ($path, $chunk, $at_once) {
    my $witness = $server->subscribe('/sub?channel=c')->ready;
    my $head    = "POST $path?channel=c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    my $client  = $server->connect;
    $client->send_raw($head . chunk("good\n") . ($at_once ? $chunk : ''), method => 'POST');
    if (!$at_once) {
        $path =~ /lines/ ? $witness->next_event : settle();
        $client->write($chunk);
    }
    $witness->close;
    return $client;
}

for my $at_once (0, 1) {
    for my $what (sort keys %bad) {
        subtest "$what, " . ($at_once ? 'at once' : 'later') => sub {
            for my $framing (qw(lines event)) {
                my $client = publish_badly("/$framing/plain", $bad{$what}{chunk}, $at_once)->finish;
                is $client->status, $bad{$what}{status}, "$framing: refused";
                is $client->header('Content-Type'), 'application/json', 'with JSON';
                like $client->body, qr/\A[^\n]+\n\z/, 'of one line';
                my $told = $client->json // {};
                like $told->{error} // '', qr/./, 'that tells why';
                is $told->{events}, $at_once ? 0 : 1, 'and how many events were taken' if $framing eq 'lines';
            }
        };
    }
}

# The request to the backend, or undef if the client has been answered without it.
sub slow_request ($client) {
    my $request;
    wait_until(sub { ($request = $backend->accept) || $client->poll->{status} }, 'an answer');
    return $request;
}

sub redirected ($framing, $chunk, $at_once) {
    my $before  = $server->subscribe('/sub?channel=other')->ready;
    my @worker  = $server->workers;
    my $slow    = publish_badly("/$framing/slow", $chunk, $at_once);
    my $request = slow_request($slow);
    my $sub     = publish_badly("/$framing/sub", $chunk, $at_once);
    my $after   = $server->subscribe('/sub?channel=other')->ready;
    ok $sub->status, 'answered: ' . $sub->status;
    $_->write(chunk("more\n") x 3) for $slow, $sub;
    settle();
    is_deeply [$server->workers], \@worker, 'the worker is still there';
    if ($sub->is_stream) {
        $server->publish('/pub?channel=instead', 'hello');
        is_deeply [grep {/hello/} $sub->ready->data(1)], ['hello'], 'the stream works';
    }
    my @old = $server->reload;
    ok $_->wait_closed, 'the drain is over' for $before, $after;
    if ($request) {
        print $request "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nsorry";
        close $request;
        is $slow->finish->body, 'sorry', 'the other location has answered';
    }
    ok $_->wait_closed, 'an end' for $slow, $sub;
    $_->close for $slow, $sub;
    $server->wait_gone(@old);
    is_deeply [$server->problems], [], 'without a word of trouble';
}

for my $at_once (0, 1) {
    for my $what (sort keys %bad) {
        for my $framing (qw(lines event)) {
            subtest "error_page, $framing, $what, " . ($at_once ? 'at once' : 'later') =>
                sub { redirected($framing, $bad{$what}{chunk}, $at_once) };
        }
    }
}

subtest 'malformed, of a request that needs none' => sub {
    $server->publish('/pub?channel=old', 'x');
    for my $case ([DELETE => '/pub?channel=old', 'ended_id'], [POST => '/kick?channel=old&for=0', 'for'], [GET => '/pub?channel=old', 'last_id']) {
        my ($method, $path, $told) = @$case;
        my $head   = "$method $path HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        my $client = $server->connect->send_raw($head . $bad{malformed}{chunk}, method => $method)->finish;
        is $client->status, 200, "$method is carried out, and that is the answer";
        ok defined(($client->json // {})->{$told}), 'with what it has to tell';
        is $client->header('Connection'), 'close', 'the connection ends';
    }
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
