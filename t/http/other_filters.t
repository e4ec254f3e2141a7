# Other features of nginx in the same location do not delay, change or break a stream.
use v5.36;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;

my %location = (
    gzip       => 'gzip on; gzip_types *; gzip_min_length 0; gzip_vary on;',
    ssi        => 'ssi on;',
    sub_filter => 'sub_filter_types *; sub_filter nothing-like-this x;',
    addition   => 'addition_types *; add_after_body /ok;',
    charset    => 'charset koi8-r; override_charset on; charset_types *;',
    postpone   => 'postpone_output 100000;',
    sendfile   => 'sendfile on; tcp_nopush on; tcp_nodelay off;',
    buffers    => 'output_buffers 1 1k;',
    expires    => 'expires 1h; etag on; add_header X-More more;',
    limit_conn => 'limit_conn places 2;',
    satisfy    => 'satisfy any; allow 127.0.0.1; deny all;',
    timeouts   => 'send_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s; lingering_timeout 1s;',
    aio        => 'aio threads;',
    ranges     => 'max_ranges 1;',
);
my %way = (traced => '', traced_chain => 'sse_direct off;');
my %needed = (sub_filter => 'http_sub_module', addition => 'http_addition_module', aio => 'threads');
for my $name (sort keys %needed) {
    next if SSE::Nginx::has($needed{$name});
    delete $location{$name};
    note "$name is not tested: this nginx has no $needed{$name}";
}
my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    http      => 'sse_zone events 8m; limit_conn_zone $binary_remote_addr zone=places:1m;'
        . ' limit_req_zone $uri zone=pace:1m rate=100r/s;'
        . ' log_format bytes "$bytes_sent $body_bytes_sent";',
    server    => join("\n        ",
        'location /ok { return 200 ok; } location /pub { sse_publish $arg_channel; } location /status { sse_status; }',
        'location /rate { sse_channel $arg_channel; limit_rate 30k; }',
        (SSE::Nginx::has('http_sub_module')
            ? 'location /changed { sse_channel $arg_channel; sub_filter_types *; sub_filter secret public; sub_filter_once off; }'
            : ()),
        (map {"location /$_ { sse_channel \$arg_channel; error_log traced.log debug; $way{$_} }"} sort keys %way),
        'location /logged { sse_channel $arg_channel; access_log bytes.log bytes; }',
        'location /pace { sse_channel $arg_channel; limit_req zone=pace burst=5; }',
        map {"location /$_ { sse_channel \$arg_channel; $location{$_} }"} sort keys %location),
);

for my $name (sort keys %location) {
    subtest $name => sub {
        for my $via (qw(h1 tls h2c)) {
            my $channel    = "$name$via";
            my $subscriber = $server->subscribe("/$name?channel=$channel", via => $via, headers => ['Accept-Encoding' => 'gzip']);
            is $subscriber->header('content-type'), 'text/event-stream; charset=utf-8', "$via: type";
            is $subscriber->header('content-encoding'), undef, 'not compressed';
            $subscriber->ready;
            for my $data ('short', 'x' x 50_000, '<!--#include virtual="/ok" --> <!--#echo var="uri" --> end') {
                $server->publish("/pub?channel=$channel", $data);
                ok $subscriber->next_event->{data} eq $data, 'arrives at once, and as it is';
            }
            $subscriber->close;
        }
    };
}

subtest 'a filter that changes what comes later' => sub {
    plan skip_all => 'this nginx has no http_sub_module' unless SSE::Nginx::has('http_sub_module');
    for my $via (qw(h1 tls h2c)) {
        my $subscriber = $server->subscribe("/changed?channel=changed$via", via => $via)->ready;
        for my $word (qw(one two three)) {
            $server->publish("/pub?channel=changed$via", "secret $word");
            is $subscriber->next_event->{data}, "public $word", "$via: is asked about each event";
        }
        $subscriber->close;
    }
};

subtest 'the way of what comes later' => sub {
    plan skip_all => 'this nginx logs nothing of its filters' unless SSE::Nginx::has('debug');
    my $calls = sub { scalar(() = $server->read_file('traced.log') =~ /http output filter "/g) };
    for ([h1 => 'traced', 0], [tls => 'traced', 0], [h2c => 'traced', 1], [h1 => 'traced_chain', 1]) {
        my ($via, $location, $chain) = @$_;
        $chain ||= $ENV{TEST_NGINX_CHAIN};
        my $subscriber = $server->subscribe("/$location?channel=$location$via", via => $via)->ready;
        my $before = $calls->();
        for my $word (qw(one two three)) {
            $server->publish("/pub?channel=$location$via", $word);
            is $subscriber->next_event->{data}, $word, "$via, $location: an event";
        }
        is $calls->() - $before > 0, !!$chain, $chain ? 'goes through the filters' : 'does not go through the filters';
        $subscriber->close;
    }
};

subtest 'what is logged of a stream' => sub {
    my $subscriber = $server->subscribe('/logged?channel=logged', via => 'h1')->ready;
    $server->publish('/pub?channel=logged', 'x' x $_) for 1, 20_000, 300_000;
    $subscriber->events(3);
    $subscriber->pump_until(sub { $subscriber->raw =~ /\n\n\r\n\z/ }); # the end of the chunk may come later
    my $length = length $subscriber->raw;
    $subscriber->close;
    wait_until(sub { $server->read_file('bytes.log') =~ /^\d+ \d+\n/ }, 'a line in the log');
    my ($all, $body) = split / /, $server->read_file('bytes.log');
    is $all, $length, 'all bytes are counted';
    cmp_ok $all - $body, '<', 1000, 'and those of the body';
    cmp_ok $all - $body, '>', 100, 'which are less by the header';
};

subtest 'limit_rate' => sub {
    for my $via (qw(h1 tls h2c)) {
        my $subscriber = $server->subscribe("/rate?channel=rate$via", via => $via)->ready;
        my $start = time;
        $server->publish("/pub?channel=rate$via", "$_ " . 'x' x 10_000) for 1 .. 8;
        my @number = map { (split / /, $_->{data})[0] } $subscriber->events(8);
        is_deeply \@number, [1 .. 8], "$via: everything comes";
        cmp_ok time - $start, '>', 1, 'slowly';
        $subscriber->close;
    }
};

subtest 'limit_conn' => sub {
    my @place = map { $server->subscribe('/limit_conn?channel=places')->ready } 1, 2;
    is $server->get('/limit_conn?channel=places')->status, 503, 'no more than two';
    $place[0]->close;
    wait_until(sub { $server->publish('/pub?channel=places', '')->json->{subscribers} == 1 }, 'one to leave');
    ok $server->subscribe('/limit_conn?channel=places')->ready, 'then there is room again';
};

subtest 'limit_req' => sub {
    my @subscriber = map { $server->subscribe('/pace?channel=pace') } 1 .. 4;
    $_->ready for @subscriber;
    $server->publish('/pub?channel=pace', 'x');
    is scalar(grep { $_->next_event->{data} eq 'x' } @subscriber), 4, 'delayed requests become streams like others';
};

subtest 'a stream that is silent for longer than every timeout' => sub {
    my $subscriber = $server->subscribe('/timeouts?channel=silent')->ready;
    my $since = time;
    wait_until(sub { time - $since > 2.5 }, 'the timeouts');
    is $subscriber->closed, '', 'stays open';
    $server->publish('/pub?channel=silent', 'x');
    is $subscriber->next_event->{data}, 'x', 'and live';
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'those that have left to be counted off');
is_deeply [$server->stop], [], 'no trouble';
done_testing;
