# Conditions and ranges ask for a version of a document. A stream has none, and is sent all the same.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 h2c)]);
my $past   = 'Sat, 21 Nov 2020 10:00:00 GMT';
my $future = 'Sat, 21 Nov 2099 10:00:00 GMT';

my @conditions = (
    ['If-None-Match'       => '*'],
    ['If-None-Match'       => '"x", W/"y"'],
    ['If-Match'            => '*'],
    ['If-Match'            => '"x"'],
    ['If-Unmodified-Since' => $past],
    ['If-Unmodified-Since' => $future],
    ['If-Modified-Since'   => $past],
    ['If-Modified-Since'   => $future],
    ['Range'               => 'bytes=0-10'],
    ['Range'               => 'bytes=100-', 'If-Range' => '"x"'],
    ['If-Match' => '"x"', 'If-None-Match' => '*', 'If-Unmodified-Since' => $past, 'If-Modified-Since' => $future],
);

for my $via (qw(h1 h2c)) {
    for my $headers (@conditions) {
        subtest "$via, @$headers" => sub {
            my $subscriber = $server->subscribe('/sub?channel=c', via => $via, headers => $headers);
            is $subscriber->status, 200, 'a stream' or return;
            like $subscriber->header('Content-Type'), qr{\Atext/event-stream}, 'that is called so';
            is $subscriber->header($_), undef, "without $_" for qw(ETag Last-Modified Accept-Ranges Content-Range);
            $subscriber->ready;
            $server->publish('/pub?channel=c', 'x' x 200);
            is length $subscriber->next_event->{data}, 200, 'all of it';
            $subscriber->close;
        };
    }
}

subtest 'what has been done is not denied' => sub {
    $server->publish('/pub?channel=done', 'x');
    my $any = ['If-Match' => '*'];
    is $server->get($_, headers => $any)->status, 200, $_ for '/pub?channel=done', '/status';
    is $server->request(DELETE => '/pub?channel=done', headers => $any)->finish->status, 200, 'an end';
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
is $server->get('/pub?channel=c')->json->{subscribers}, 0, 'nor on the channel';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
