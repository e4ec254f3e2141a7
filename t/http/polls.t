# Polls in locations that use other features of nginx, or that are reached from inside nginx.
use v5.36;
use lib 't/lib';
use Compress::Zlib ();
use Test::More;
use Time::HiRes qw(time);
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => "/sub$1"], '') if $path =~ m{^/accel(.*)};
    return (404, [], 'none');
});

my %location = (
    gzip       => 'gzip on; gzip_types *; gzip_min_length 0;',
    limit_rate => 'limit_rate 20k;',
    limit_conn => 'limit_conn places 2;',
    timeouts   => 'send_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s;',
    postpone   => 'postpone_output 100000; tcp_nopush on; sendfile on;',
    buffers    => 'output_buffers 1 1k;',
    sub_filter => 'sub_filter_types *; sub_filter secret public; sub_filter_once off;',
    addition   => 'addition_types application/json; add_before_body /ok; add_after_body /ok;',
);
my %needed = (sub_filter => 'http_sub_module', addition => 'http_addition_module');
for my $name (sort keys %needed) {
    next if SSE::Nginx::has($needed{$name});
    delete $location{$name};
    note "$name is not tested: this nginx has no $needed{$name}";
}
my $server = SSE::Nginx->start(
    listen    => [qw(h1 tls h2c)],
    zone      => '8m',
    http      => 'sse_zone events 8m; limit_conn_zone $uri zone=places:1m;',
    locations => join("\n        ",
        "location /accel      { proxy_pass http://127.0.0.1:@{[ $app->port ]}; }",
        "location = /missing  { proxy_pass http://127.0.0.1:@{[ $app->port ]}; proxy_intercept_errors on; error_page 404 = /sub?channel=inner&poll&last_event_id=0-0; }",
        'location = /rewrite  { rewrite ^ /sub?poll last; }',
        'location = /ok       { default_type text/html; return 200 ok; }',
        'location = /include  { ssi on; default_type text/html; alias html/include; }',
        'location = /gate     { auth_request /sub?channel=inner&poll; alias html/include; }',
        map {"location = /$_ { sse_channel \$arg_channel; $location{$_} }"} sort keys %location),
);
mkdir $server->prefix . '/html';
$server->write_file('html/include', 'before <!--# include virtual="/sub?channel=inner&poll&last_event_id=0-0" --> after');

sub publish ($channel, $data) { return $server->publish("/pub?channel=$channel", $data)->json->{id} }
sub subscribers ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} }
sub data ($answer) { return [map { $_->{data} } @{ $answer->json->{events} }] }

# Sends a poll that waits, publishes an event for it, and returns the answer.
sub answered ($name, $via, $data, %option) {
    my $channel = "$name$via";
    my $client = $server->request(GET => "/$name?channel=$channel&poll&wait=30", via => $via, %option);
    wait_until(sub { subscribers($channel) == 1 }, 'a poll that waits');
    publish($channel, $data);
    return $client->finish;
}

for my $via (qw(h1 tls h2c)) {
    for my $name (grep { exists $location{$_} } qw(limit_rate postpone buffers)) {
        my $client = answered($name, $via, 'x' x 50_000);
        is length data($client)->[0], 50_000, "$name over $via";
    }
    subtest "gzip over $via" => sub {
        my $client = answered(gzip => $via, 'text ' x 10_000, headers => ['Accept-Encoding' => 'gzip']);
        is $client->header('Content-Encoding'), 'gzip', 'compresses an answer';
        like Compress::Zlib::memGunzip($client->body), qr/"data":"(?:text ){10000}"/, 'which is whole';
        is $server->request(GET => '/gzip?channel=gzip', via => $via, headers => ['Accept-Encoding' => 'gzip'])->header('Content-Encoding'), undef,
            'and no stream';
    };
    subtest "other filters over $via" => sub {
        is_deeply data(answered(sub_filter => $via, 'secret text')), ['public text'], 'sub_filter' if $location{sub_filter};
        my $client = $location{addition} && answered(addition => $via, 'x');
        like $client->body, qr/\Aok\{.*"data":"x".*\}\nok\z/s, 'addition' if $client;
    };
}

subtest 'limit_conn' => sub {
    my @place = map { $server->request(GET => '/limit_conn?channel=places&poll&wait=30') } 1, 2;
    wait_until(sub { subscribers('places') == 2 }, 'two polls that wait');
    is $server->get('/limit_conn?channel=places&poll')->status, 503, 'there is no room for another one';
    publish('places', 'x');
    is_deeply data($_), ['x'], 'until they are answered' for @place;
    is $server->get('/limit_conn?channel=places&poll')->status, 200, 'then there is';
};

subtest 'a poll that waits for longer than every timeout' => sub {
    for my $via (qw(h1 tls h2c)) {
        my $start  = time;
        my $client = $server->request(GET => "/timeouts?channel=slow&poll&wait=4", via => $via);
        is_deeply $client->json->{events}, [], "$via: is answered";
        cmp_ok time - $start, '>', 3, 'when its time is over';
    }
};

subtest 'from inside nginx' => sub {
    publish('inner', 'x');
    is_deeply data($server->get('/accel?channel=inner&poll&last_event_id=0-0')), ['x'], 'X-Accel-Redirect';
    is_deeply data($server->get('/missing')), ['x'], 'error_page';
    is_deeply data($server->get('/rewrite?channel=inner&last_event_id=0-0')), ['x'], 'rewrite';
    my $client = $server->request(GET => '/accel?channel=late&poll&wait=30');
    wait_until(sub { subscribers('late') == 1 }, 'a poll that waits');
    publish('late', 'y');
    is_deeply data($client), ['y'], 'it may wait there, too';
};

subtest 'a subrequest is refused' => sub {
    for my $via (qw(h1 h2c)) {
        my $page = $server->get('/include', via => $via);
        is $page->status, 200, "$via: a page that includes a poll comes";
        like $page->body, qr/\Abefore .* after\z/s, 'to its end';
        unlike $page->body, qr/"events"/, 'without it';
        is $server->get('/gate', via => $via)->status, 500, 'nor can one say who may come in';
    }
};

wait_until(sub { $server->get('/status')->json->{subscribers} == 0 }, 'nobody to be counted');
$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
