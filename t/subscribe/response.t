# The response to a subscriber: head, first bytes, events, end; over every transport.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    listen    => [qw(h1 unchunked tls h2c h2)],
    http      => 'sse_zone events 4m; types { text/html sub; } default_type image/png; gzip on; gzip_types *;
        gzip_min_length 0;',
    server    => <<'END',
location /sub { sse_channel $arg_channel; }
        location /foreign { sse_channel $arg_channel; charset koi8-r; charset_types *; etag on; expires 1h; }
        location /pub { sse_publish $arg_channel; }
        location /quick { sse_channel $arg_channel; sse_retry 300ms 0%; }
        location /moved { return 307 /sub?$args; }
END
);

my %common = (
    'content-type'      => 'text/event-stream; charset=utf-8',
    'cache-control'     => 'no-store, no-cache, no-transform',
    'x-accel-buffering' => 'no',
);

for my $via (qw(h1 h1.0 unchunked tls h2c h2)) {
    subtest $via => sub {
        my $subscriber = $server->subscribe("/sub?channel=$via", via => $via,
            headers => ['Accept-Encoding' => 'gzip, br', Range => 'bytes=0-3',
                'If-Modified-Since' => 'Sat, 01 Jan 2022 00:00:00 GMT']);
        is $subscriber->status, 200, 'status';
        is $subscriber->header($_), $common{$_}, $_ for sort keys %common;
        is $subscriber->header($_), undef, "no $_"
            for qw(content-length etag last-modified accept-ranges content-encoding content-range);
        is $subscriber->header('transfer-encoding'), $via =~ /\A(?:h1|tls)\z/ ? 'chunked' : undef, 'transfer encoding';
        is $subscriber->header('connection'), undef, 'no connection header' if $via =~ /h2/;

        ok $subscriber->read_body(3), 'the first bytes come although nothing happens';
        like $subscriber->body, qr/\A:\nretry: \d+\n/, 'a comment and the retry, no blank line';
        my $ready = $subscriber->next_event;
        is $ready->{type}, 'ready', 'then the position';
        is $ready->{data}, qq({"id":"$ready->{id}"}), 'also as data';
        like $ready->{id}, qr/\A\d+-\d+\z/, 'an id';

        my $told = $server->publish("/pub?channel=$via", "line\nanother")->json;
        is_deeply $subscriber->next_event, { id => $told->{id}, type => 'message', data => "line\nanother" }, 'an event';
        my ($wire) = $subscriber->body =~ /.*^(id: \Q$told->{id}\E\n.*)\z/ms;
        is $wire, "id: $told->{id}\ndata: line\ndata: another\n\n", 'as it should be on the wire';
        unlike $subscriber->body, qr/\r|\xef\xbb\xbf/, 'no CR, no byte order mark';
        is $subscriber->closed, '', 'the stream stays open';
        $subscriber->close;
        wait_until(sub { $server->publish("/pub?channel=$via", '')->json->{subscribers} == 0 }, 'the end of it');
    };
}

subtest 'nothing around it changes what is sent' => sub {
    my $subscriber = $server->subscribe('/foreign?channel=x');
    is $subscriber->header('content-type'), $common{'content-type'}, 'the charset is utf-8 whatever is configured';
    is $subscriber->header('etag'), undef, 'no etag';
    $subscriber->ready;
    $server->publish('/pub?channel=x', "\xd0\x9f\xd1\x80\xd0\xb8");
    is $subscriber->next_event->{data}, "\xd0\x9f\xd1\x80\xd0\xb8", 'and the bytes are the same';
};

subtest 'retry' => sub {
    my %seen;
    for (1 .. 40) {
        my $subscriber = $server->subscribe('/sub?channel=retry')->ready;
        my @retry = $subscriber->body =~ /^retry: (\d+)$/mg;
        is scalar(grep { $_ < 3000 || $_ > 3990 } @retry), 0, 'within the default' or diag "@retry";
        ok @retry >= 1, 'told';
        $seen{ $retry[0] }++;
    }
    ok keys %seen > 5, 'drawn anew for each connection' or diag join ' ', sort keys %seen;
    like $server->subscribe('/quick?channel=retry')->ready->body, qr/\A:\nretry: 300\n/, 'as configured';

    my $subscriber = $server->subscribe('/sub?channel=first', cursor => '0-0');
    $server->publish('/pub?channel=first', 'a');
    $subscriber->next_event;
    my ($block) = $subscriber->body =~ /\A(.*?)\n\n/s;
    like $block, qr/^retry: \d+$/m, 'in the block of the first event, so that every client applies it';
};

subtest 'events of other channels stay away' => sub {
    my ($one, $other) = map { $server->subscribe("/sub?channel=$_")->ready } qw(one other);
    $server->publish('/pub?channel=other', 'for the other');
    $server->publish('/pub?channel=one', 'for the one');
    is $one->next_event->{data}, 'for the one', 'one';
    is $other->next_event->{data}, 'for the other', 'other';
    $server->publish("/pub?channel=$_", $_) for qw(oneone on one);
    is $one->next_event->{data}, 'one', 'names are whole names';
};

subtest 'a redirect in front' => sub {
    my $answer = $server->get('/moved?channel=one', cursor => '1-1');
    is $answer->status, 307, 'redirected';
    is $answer->header('location') =~ s{\Ahttp://[^/]*}{}r, '/sub?channel=one', 'to the stream';
};

subtest 'many at once' => sub {
    my @subscribers = map { $server->subscribe('/sub?channel=crowd') } 1 .. 300;
    $_->ready for @subscribers;
    is $server->publish('/pub?channel=crowd', 'all')->json->{subscribers}, 300, 'all are counted';
    is scalar(grep { $_->next_event->{data} eq 'all' } @subscribers), 300, 'and all are reached';
    $_ % 2 ? $subscribers[$_]->close : $subscribers[$_]->reset for 0 .. $#subscribers;
    wait_until(sub { $server->publish('/pub?channel=crowd', '')->json->{subscribers} == 0 }, 'the end of all');
    pass 'and gone';
};

done_testing;
