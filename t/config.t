# Configurations that contradict themselves are refused by nginx -t, which names the directive; good ones are not.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $zone = 'sse_zone events 1m;';
my ($sub, $pub) = ('sse_channel c;', 'sse_publish c;');

sub location ($text) { return "location /x { $text }" }

# name of the directive, http level, server level, and what else the message must say
my @bad = (
    ['sse_zone', 'sse_zone;'],
    ['sse_zone', 'sse_zone events;'],
    ['sse_zone', 'sse_zone events 1x;'],
    ['sse_zone', 'sse_zone events 0;'],
    ['sse_zone', 'sse_zone events -1m;'],
    ['sse_zone', 'sse_zone events 255k;',                   '', qr/small/],
    ['sse_zone', 'sse_zone events 1m channels=0;'],
    ['sse_zone', 'sse_zone events 1m channels=x;'],
    ['sse_zone', 'sse_zone events 1m channels=999999999;'],
    ['sse_zone', 'sse_zone events 1m more;'],
    ['sse_zone', "$zone $zone",                             '', qr/events/],
    ['sse_zone', '',                                        $zone],
    ['sse_channel', '',                                     location($sub), qr/zone/],
    ['sse_publish', '',                                     location($pub), qr/zone/],
    ['sse_channel', $zone,                                  location('sse_channel c zone=nowhere;'), qr/nowhere/],
    ['sse_publish', $zone,                                  location('sse_publish c zone=nowhere;'), qr/nowhere/],
    ['sse_channel', "$zone sse_zone more 1m;",              location($sub), qr/zone/],
    ['sse_publish', "$zone sse_zone more 1m;",              location($pub), qr/zone/],
    ['sse_channel', $zone,                                  location('sse_channel;')],
    ['sse_channel', $zone,                                  location('sse_channel zone=events;')],
    ['sse_channel', $zone,                                  location("$sub $sub"), qr/duplicate/],
    ['sse_publish', $zone,                                  location("$pub $pub"), qr/duplicate/],
    ['sse_publish', $zone,                                  location('sse_publish a b;')],
    ['sse_publish', $zone,                                  location('sse_publish;')],
    [qr/sse_channel|sse_publish/, $zone,                    location("$sub $pub")],
    [qr/sse_channel|sse_publish/, $zone,                    location("$pub $sub")],
    [qr/sse_channel|sse_status/,  $zone,                    location("$sub sse_status;")],
    [qr/sse_publish|sse_status/,  $zone,                    location("sse_status; $pub")],
    [qr/sse_channel|proxy_pass/,  $zone,                    location("proxy_pass http://127.0.0.1:1; $sub")],
    ['sse_channel', $zone,                                  "$sub"],
    (map { ['sse_channel', $zone, location("sse_channel \$arg_c separator=$_"), qr/separator/] } ';', 'ab;', 'a;', '7;', "\x{1};", "\xc3\xa9;"),
    ['sse_status', $zone,                                   location('sse_status nowhere;'), qr/nowhere/],
    (map { ['sse_retry', $zone, location("$sub sse_retry $_;")] } '249ms', '0', '', 'x', '3s 10', '3s -5%', '3s x%', '3s 101%', '3s 10% 5'),
    (map { ['sse_heartbeat', $zone, location("$sub sse_heartbeat $_;")] } '0', 'x', '', '15s event=', '15s name=x', 'off event=x', '15s event=a event=b'),
    (map { ['sse_prime', $zone, location("$sub sse_prime $_;")] } 'x', '', 'event=', 'event=a b'),
    (map { ['sse_start', $zone, location("$sub sse_start $_;")] } 'newest', '', 'last=', 'last=x', 'last=-1', 'new earliest'),
    (map { ['sse_gap', $zone, location("$sub sse_gap $_;")] } 'on', '', 'x'),
    (map { ['sse_history', $zone, location("$sub sse_history $_;")] } 'x', '', '-1', '5 x', '5 1s 1s'),
    (map { ['sse_framing', $zone, location("$pub sse_framing $_;")] } 'xml', '', 'lines sse'),
    (map { ['sse_max_event_size', $zone, location("$pub sse_max_event_size $_;")] } 'x', '', '1m', '263k'),
    (map { ['sse_publish_timeout', $zone, location("$pub sse_publish_timeout $_;")] } 'x', ''),
    (map { ['sse_send_timeout', $zone, location("$sub sse_send_timeout $_;")] } 'x', ''),
    (map { ['sse_drain', "$zone sse_drain $_;"] } 'x', ''),
    ['sse_drain', $zone, location("$sub sse_drain 1s;")],
    (map { ['sse_cors', $zone, location("$sub sse_cors $_;")] } '', '* credentials', '* https://a.example', 'https://a.example *', 'credentials'),
    ['sse_cursor', $zone, location("$sub sse_cursor;")],
    (map { ["sse_$_", $zone, location("$pub sse_$_;")] } qw(event_type event_id event_retry)),
);

for my $case (@bad) {
    my ($name, $http, $server, $more) = @$case;
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => $http, server => $server // '')->check;
    my ($message) = $output =~ /nginx: \[emerg\] (.*)/;
    subtest "$http " . ($server // '') => sub {
        ok !$good, 'is refused';
        # Of a word that is none of a list nginx itself says only where it stands.
        like $message // '', qr/$name|\Ainvalid value "\w+" in \S+nginx.conf:\d+/, 'the directive is named';
        like $message, $more, 'and the reason' if $more;
        unlike $output, qr/Sanitizer|runtime error|\[alert\]/, 'nothing worse';
        diag $output unless Test::More->builder->is_passing;
    };
}

my @good = (
    ['', ''],
    [$zone, ''],
    ['sse_zone events 256k;', location($sub)],
    ['sse_zone events 1m channels=100;', location($pub)],
    ["$zone sse_zone more 1m;", location('sse_channel c zone=more;')],
    ["$zone sse_heartbeat 5s; sse_retry 1s 0%; sse_gap off; sse_max_event_size 100k;", "sse_start earliest; " . location($sub)],
    ["$zone sse_retry 250ms;", location("$sub if (\$arg_x) { set \$y 1; }")],
    [$zone, location('sse_channel a $arg_b separator=,; sse_history 10 1h; sse_cursor $arg_since; sse_cors https://a.example credentials;')],
    [$zone, location("$pub sse_event_type \$http_x; sse_event_id \$arg_id; sse_framing lines; sse_publish_timeout 1d;")],
    [$zone, location('sse_status events;') . location("$sub sse_cors *;") =~ s/x/y/r],
    [location('sse_channel c;') =~ s/.*//r . 'sse_zone late 1m;', location('sse_publish c zone=late;')],
);
for my $case (@good) {
    my ($http, $server) = @$case;
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => $http, server => $server)->check;
    ok $good, "accepted: $http $server" or diag $output;
}

subtest 'a zone that is defined after its use' => sub {
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => '', server => location($sub), servers => $zone)->check;
    ok $good, 'is found' or diag $output;
};

subtest 'nothing of the module is used' => sub {
    my $server = SSE::Nginx->start(http => '', server => 'location / { return 200 ok; }', drain => undef);
    is $server->get('/')->body, 'ok', 'and nginx works';
    is_deeply [$server->stop], [], 'without trouble';
    my $bare = SSE::Nginx->new;
    $bare->write_file('bare.conf', 'load_module ' . SSE::Nginx::module() . "; pid nginx.pid; error_log error.log; events {}\n");
    my $output = qx{@{[SSE::Nginx::binary()]} -t -p $bare->{prefix}/ -e error.log -c bare.conf 2>&1};
    is $?, 0, 'no http block at all' or diag $output;
};

done_testing;
