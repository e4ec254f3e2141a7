# A client is put off, and a fragment has to come before the response (add_before_body): it gets both, or is closed after a second.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;

plan skip_all => 'this nginx has no add_before_body' unless SSE::Nginx::has('http_addition_module');

# A backend that responds when the test does.
my $backend = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
my $server  = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    locations => <<"END",
location = /later    { add_before_body /fragment; addition_types *; sse_later 30s 0%; }
        location = /fragment { proxy_pass http://127.0.0.1:@{[ $backend->sockport ]}; }
END
);
my @worker = $server->workers;

for my $via (qw(h1 tls h2c)) {
    subtest $via => sub {
        my $client   = $server->subscribe('/later', via => $via);
        my $fragment = $backend->accept;
        print $fragment "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n:fragment\n";
        close $fragment;
        is $client->wait_closed, 'abort', 'it breaks off';
        is $client->body, ":fragment\n:\nretry: 30000\n", 'after all that it is told';

        my $impatient = $server->subscribe('/later', via => $via);
        my $never     = $backend->accept;
        is $impatient->wait_closed, 'abort', 'it does not wait for long';
    };
}

is_deeply [$server->workers], \@worker, 'the worker lives';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
