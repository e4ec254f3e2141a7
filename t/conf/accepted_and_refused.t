# nginx -t refuses configurations that contradict themselves, and names the directive. It accepts good ones.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $zone = 'sse_zone events 1m;';
my ($sub, $pub) = ('sse_channel c;', 'sse_publish c;');

sub location ($text) { return "location /x { $text }" }

# A case for each of these values of a directive in a location.
sub each_of ($name, $handler, @values) { return map { [$name, $zone, location("$handler $name $_;")] } @values }

# What is wrong with a bus, and what the message says.
sub bad_buses {
    my $url = 'redis://127.0.0.1';
    my $bus = "sse_bus events $url";
    return (
        ["$zone sse_bus events;"],
        ["$zone sse_bus;"],
        ["$bus; $zone",                                     qr/unknown zone "events" in "sse_bus"/],
        ["$zone sse_bus other $url;",                       qr/unknown zone "other"/],
        # If the URL is in the wrong place, no message contains its password.
        (map { ["$zone sse_bus $_;", qr/\A(?!.*secret).*the zone and one URL must come first in "sse_bus"/s] }
            'redis://:secret@127.0.0.1 events', 'events stream=s rediss://:secret@127.0.0.1', "events $url redis://:secret\@127.0.0.1"),
        ["$zone $bus; $bus/1;",                             qr/"events" in "sse_bus" is duplicate/],
        ["$zone sse_zone more 1m; $bus stream=s; sse_bus more redis://10.0.0.9,127.0.0.1:6379 stream=s;", qr/zones "events" and "more" in "sse_bus" have the same keys in Redis, "s" and "s"/],
        (map { ["$zone sse_zone more 1m; $bus stream=$_->[0]; sse_bus more $url stream=$_->[1];", qr/same keys in Redis, "$_->[0]" and "$_->[1]"/] }
            ['s', 's:control'], ['s:control', 's'], ['s:lineage', 's'], ['s', 's:key:1:c:k'], ['s', 's:producer:x']),
        ["$zone sse_bus events http://127.0.0.1;",          qr/invalid URL/],
        ["$zone sse_bus events redis://;",                  qr/invalid URL/],
        ["$zone sse_bus events redis://127.0.0.1:x;",       qr/invalid URL/],
        ["$zone sse_bus events redis://127.0.0.1/x;",       qr/invalid URL/],
        ["$zone sse_bus events redis://u\@127.0.0.1;",      qr/user and no password/],
        ["$zone $bus speed=1;",                             qr/invalid parameter "speed=1"/],
        ["$zone $bus keep;",                                qr/invalid parameter "keep"/],
        ["$zone $bus keep=;",                               qr/empty parameter "keep="/],
        ["$zone $bus keep=1h keep=2h;",                     qr/duplicate parameter "keep=2h"/],
        (map { ["$zone $bus $_;", qr/invalid time "\Q$_\E"/] } qw(keep=x keep=0 keep=-1 timeout=0 timeout=1x)),
        (map { ["$zone $bus $_;", qr/invalid number "\Q$_\E"/] } qw(max=0 max=x max=-1 acks=x acks=-1)),
        ["$zone $bus timeout=499ms;",                       qr/too short "timeout=499ms" in "sse_bus", at least 500ms/],
        ["$zone $bus acks=17;",                             qr/too many replicas in "acks=17" of "sse_bus", at most 16/],
        ["$zone sse_bus events redis://:p\@127.0.0.1 password_file=nginx.conf;", qr/a password in its URL and a "password_file"/],
        ["$zone $bus password_file=nowhere;",               qr/cannot read the password file ".*nowhere"/],
        ["$zone $bus password_file=/dev/null;",             qr/the password file "\/dev\/null" of "sse_bus" is empty/],
        ["$zone $bus password_file=/dev/zero;",             qr/the password in "\/dev\/zero" of "sse_bus" is too long/],
        (map { ["$zone $bus $_;", qr/needs "rediss:\/\/"/] } qw(ca=certificate.pem verify=on verify=off name=x certificate=x certificate_key=x)),
        (map { ["$zone sse_bus events rediss://127.0.0.1 $_=x;", qr/"certificate" and "certificate_key" in "sse_bus" need each other/] } qw(certificate certificate_key)),
        ["$zone sse_bus events rediss://127.0.0.1 certificate=nowhere certificate_key=nowhere;", qr/cannot read ".*nowhere" of "sse_bus"/],
        ["$zone sse_bus events rediss://127.0.0.1 verify=x;", qr/invalid value "verify=x"/],
        ["$zone sse_bus events rediss://127.0.0.1 ca=nowhere;", qr/nowhere/],
        ["$zone sse_bus events rediss://127.0.0.1 ca=nginx.conf verify=off;", qr/"ca" in "sse_bus" means nothing/],
        ["$zone sse_bus events redis://no.such.host.invalid;", qr/host not found in "sse_bus" "no.such.host.invalid", and there is no "resolver"/],
    );
}

# name of the directive, http level, server level, and what else the message must say
my @bad = (
    ['sse_zone', 'sse_zone;'],
    ['sse_zone', 'sse_zone events;'],
    ['sse_zone', 'sse_zone events 1x;'],
    (map { ['sse_zone', "sse_zone $_ 1m;", '', qr/invalid value "/] } '""', '$host'),
    ['sse_zone', 'sse_zone events 0;'],
    ['sse_zone', 'sse_zone events -1m;'],
    ['sse_zone', 'sse_zone sse_workers 1m;',               '', qr/own/],
    ['sse_zone', 'sse_zone sse_keys 1m;',                   '', qr/own/],
    ['sse_zone', 'sse_zone events 255k;',                   '', qr/small/],
    ['sse_zone', 'sse_zone events 1m channels=0;'],
    ['sse_zone', 'sse_zone events 1m channels=x;'],
    ['sse_zone', 'sse_zone events 1m channels=999999999;'],
    ['sse_zone', 'sse_zone events 999999m channels=1073741825;', '', qr/invalid value "channels=/],
    ['sse_zone', 'sse_zone events 1m more;'],
    ['sse_zone', "$zone $zone",                             '', qr/events/],
    ['sse_zone', '',                                        $zone],
    ['sse_zone', 'sse_zone sse_bus:events 1m;',             '', qr/own/],
    (map { ['sse_bus', $_->[0], '', $_->[1]] } bad_buses()),
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
    (map { ['sse_channel', $zone, location("sse_channel \$arg_c separator=$_;"), qr/separator/] }
        '', 'ab', 'a', '7', "\x{1}", "\xc3\xa9"),
    (map { ['sse_channel', $zone, location("sse_channel c $_->[0];"), $_->[1]] }
        ['zone=', qr/invalid value "zone="/], ['zone=events zone=events', qr/duplicate parameter "zone=events"/],
        ['separator=, separator=+', qr/duplicate parameter "separator=\+"/]),
    (map { ['sse_publish', $zone, location("sse_publish $_;"), qr/invalid value "zone=/] } 'c zone=', 'zone=events'),
    (map { ['sse_channel', $zone, location("sse_channel $_ separator=,; sse_max_channels 2;"), qr/sse_max_channels/] } 'a,b,c', 'a b,c', '$arg_a $arg_b c'),
    ['sse_status', $zone,                                   location('sse_status nowhere;'), qr/nowhere/],
    (map { ['sse_status', $zone, location("sse_status format=$_;"), qr/invalid value "format=/] } '', 'xml', 'Json', '$arg_format'),
    ['sse_status', $zone,                                   location('sse_status format=json format=prometheus;'), qr/"format=" must come first, and once, in "sse_status"/],
    ['sse_status', $zone,                                   location('sse_status events format=prometheus;'), qr/"format=" must come first, and once, in "sse_status"/],
    ['sse_status', $zone,                                   location('sse_status format=prometheus nowhere;'), qr/nowhere/],
    ['sse_status', $zone,                                   location('sse_status format=json; sse_status format=prometheus;'), qr/duplicate/],
    ['sse_health', $zone,                                   location('sse_health nowhere;'), qr/nowhere/],
    ['sse_health', $zone,                                   location('sse_health events $arg_zone;'), qr/\$arg_zone/],
    ['sse_health', $zone,                                   location('sse_health; sse_health;'), qr/duplicate/],
    [qr/sse_health|sse_status/, $zone,                      location('sse_health; sse_status;')],
    [qr/sse_health|proxy_pass/, $zone,                      location('proxy_pass http://127.0.0.1:1; sse_health;')],
    ['sse_health', $zone,                                   'sse_health;'],
    # Values that no request can make valid.
    (map { ['sse_channel', $zone, location("sse_channel $_;")], ['sse_publish', $zone, location("sse_publish $_;")] }
        '""', "'a\x{1}b'", "\xff", "'a\xc2\x85b'", "'a\xe2\x80\xa8b'", 'x' x 256),
    ['sse_channel', $zone, location("sse_channel \$arg_c '';")],
    (map { ['sse_channel', $zone, location("sse_channel $_;")] }
        '"" separator=,', ',, separator=,', "'a,b\x{1},c' separator=,", "separator=, 'a,b\x{1},c'", 'a,' . 'x' x 256 . ' separator=,'),
    each_of(sse_event_type => $pub, 'a%0ab', '%20a', "\xff", "'a\xc2\x85b'", 't' x 129),
    each_of(sse_event_id => $pub, "'a b'", 'a%20b', '1-2', '1-2~x', 'x' x 87),
    each_of(sse_event_retry => $pub, 'x', '-1', '1s', '%41'),
    each_of(sse_retry => $sub, '249ms', '0', '', 'x', '3s 10', '3s -5%', '3s x%', '3s 101%', '3s 10% 5'),
    each_of(sse_heartbeat => $sub,
        '0', 'x', '', '15s event=', '15s name=x', 'off event=x', '15s event=a event=b'),
    each_of(sse_prime => $sub, 'x', '', 'id', 'event=', 'event=a b'),
    each_of(sse_caught_up => $sub, 'x', '', 'on', 'event=', 'live', 'event=a event=b'),
    each_of(sse_end_event => $sub, '', '""', '"" ""', '"" x retry=1s', 'a b c', 'off data', 'end retry=x', 'end retry=0',
        'end retry=', 'end x retry=1s more', "'a\x{1}'", "end 'a\x{1}'", "end '\xff'"),
    each_of(sse_absent => $sub, '', 'x', '410', 'wait 204'),
    each_of(sse_profile => $sub, '', 'x', 'model model'),
    each_of(sse_merge => $sub, '', 'x', 'on', 'text', 'data lines'),
    ['sse_merge', $zone, location("$sub sse_merge data; sse_merge lines;"), qr/duplicate/],
    each_of(sse_lifetime => $sub, '', 'x', '0', '31d', '-1s', 'off 10%', '1s 10', '1s 101%', '1s 10% 10%'),
    each_of(sse_expires => $sub, '', '$x event=', '$x more', 'off event=x', '$x event=a event=b', 'soon', '1h', '-1', '99999999999999999999'),
    each_of(sse_poll => $sub, '', 'x', '1', 'on off'),
    each_of(sse_max_subscribers => $sub, '', 'x', '-1', '9999999999', '5 per=', '5 per=zone', '5 key', 'per=key', '5 per=key more'),
    ['sse_max_subscribers', $zone, location("$sub sse_max_subscribers 5 per=key;"), qr/sse_key/],
    ['sse_max_subscribers', "$zone sse_max_subscribers 5 per=key;", location("$sub sse_key '';"), qr/sse_key/],
    (map { ['sse_max_subscribers', $zone, location("$sub sse_key x; sse_max_subscribers 5 $_; sse_max_subscribers 6 $_;"), qr/duplicate/] }
        '', 'per=channel', 'per=key'),
    ['sse_key', $zone, location("$sub sse_key;")],
    ['sse_key', $zone, location("$sub sse_key a; sse_key b;"), qr/duplicate/],
    each_of(sse_reject => $sub, '', 'off', 'hard 10s', 'soft x', 'soft 0', 'soft 249ms', 'soft 61m', 'soft 10s 5', 'soft 10s 101%',
        'soft 10s 5% more', '10s'),
    ['sse_later', '', location('sse_later x;')],
    (map { ['sse_later', '', location("sse_later $_;")] } '0', '249ms', '61m', '10s x', '10s 101%', '10s 5% 5%'),
    ['sse_later', '', location('sse_later; sse_later;'), qr/duplicate/],
    [qr/sse_channel|sse_later/, $zone, location("$sub sse_later;")],
    [qr/sse_later|proxy_pass/, $zone, location('proxy_pass http://127.0.0.1:1; sse_later;')],
    ['sse_later', $zone, 'sse_later;'],
    ['sse_kick', '', location('sse_kick;'), qr/sse_zone/],
    ['sse_kick', "$zone sse_zone more 1m;", location('sse_kick;'), qr/zone=/],
    (map { ['sse_kick', $zone, location("sse_kick $_;")] } 'events', 'zone=', 'zone=nowhere', 'zone=events more', '$arg_key'),
    ['sse_kick', $zone, location('sse_kick; sse_kick;'), qr/duplicate/],
    [qr/sse_kick|sse_publish/, $zone, location("sse_kick; $pub")],
    ['sse_kick', $zone, 'sse_kick;'],
    (map { ['sse_keys', "$zone $_", ''] } 'sse_keys;', 'sse_keys x;', 'sse_keys 0;', 'sse_keys 63k;', 'sse_keys 1m 2m;', 'sse_keys 1m; sse_keys 1m;'),
    ['sse_keys', $zone, location("$sub sse_keys 1m;")],
    each_of(sse_reopen => $pub, '', 'x', 'on off'),
    each_of(sse_batch => $pub, '', 'on', 'atomic atomic'),
    each_of(sse_max_batch => $pub, '', 'x', '0', '1023', '5m', '-1'),
    each_of(sse_event_encoding => $pub, '', 'hex', 'BASE64'),
    (map { [(/^(\w+)/)[0], $zone, location("$sub $_ $_"), qr/duplicate/] }
        'sse_caught_up off;', 'sse_end_event off;', 'sse_absent wait;', 'sse_profile model;', 'sse_lifetime 1s;', 'sse_expires off;', 'sse_poll off;'),
    each_of(sse_start => $sub, 'newest', '', 'last=', 'last=x', 'last=-1', 'new earliest'),
    each_of(sse_gap => $sub, 'on', '', 'x', 'event=', 'close off', "'event=a\x{1}'"),
    each_of(sse_history => $sub, 'x', '', '-1', '5 x', '5 1s 1s'),
    each_of(sse_framing => $pub, 'xml', '', 'lines sse'),
    each_of(sse_max_event_size => $pub, 'x', '', '1m', '263k'),
    ['sse_max_event_size', "$zone sse_max_event_size 1m;", location("$pub limit_except GET { deny all; }")],
    each_of(sse_publish_timeout => $pub, 'x', ''),
    each_of(sse_send_timeout => $sub, 'x', ''),
    (map { ['sse_drain', "$zone sse_drain $_;"] } 'x', '', '1s x', 'abort', '1s abort end', '1s; sse_drain 2s'),
    ['sse_drain', $zone, location("$sub sse_drain 1s;")],
    each_of(sse_cors => $sub,
        '', '* credentials', '* https://a.example', 'https://a.example *', 'credentials'),
    (map { ['sse_cors', $zone, location("$sub sse_cors $_->[0];"), $_->[1]] }
        ['https://A.example',                       qr{"https://A.example" .*lower case}],
        ['HTTPS://a.example',                       qr/lower case/],
        ['https://a.example:443',                   qr/default port/],
        ['http://a.example:80 credentials',         qr/default port/],
        ['https://a.example/',                      qr/slash/],
        ['https://b.example https://a.example/b',   qr{"https://a.example/b" .*path}],
        ['https://a.example?x',                     qr/query/],
        ['https://a.example#x',                     qr/fragment/],
        ['https://a.example,',                      qr/commas/],
        ['https://a.example,https://b.example',     qr/commas/],
        ['https://*.example',                       qr/character/],
        ['https://user@a.example',                  qr/user/],
        ['null credentials',                        qr/sandbox/],
        ['credentials https://a.example null',      qr/sandbox/],
        ['https://a.example:0',                     qr/port/],
        ['https://a.example:65536',                 qr/port/],
        ['https://a.example:https',                 qr/port/],
        ['https://',                                qr/host/],
        ['https://:8443',                           qr/host/],
        ['http://[::1',                             qr/IPv6/],
        ['a.example',                               qr/scheme/],
        ['off https://a.example',                   qr/"off" .*scheme/]),
    ['sse_cors', $zone, location("$sub sse_cors https://a; sse_cors https://b;"), qr/duplicate/],
    (map { ['sse_cors_headers', $zone, location("$sub sse_cors_headers $_->[0];"), $_->[1]] }
        ['', qr/number of arguments/], ['""', qr/""/], ['traceparent,baggage', qr/"traceparent,baggage"/],
        ['baggage x-a:', qr/"x-a:"/], ['"x a"', qr/"x a"/], ["\xc3\xa9", qr/\xc3\xa9/], ['x/y', qr{"x/y"}]),
    ['sse_cors_headers', $zone, location("$sub sse_cors_headers a; sse_cors_headers b;"), qr/duplicate/],
    # Where variables are not supported, one would be taken literally.
    (map { [(/^(\w+)/)[0], $zone, location("$sub $_;"), qr/invalid value ".*\$x"/] }
        'sse_prime event=$x', 'sse_gap event=$x', 'sse_caught_up event=$x', 'sse_heartbeat 1s event=$x', 'sse_expires $arg_e event=$x',
        'sse_end_event a$x', 'sse_allow_types error $x', 'sse_cors_headers $x'),
    ['sse_cursor', $zone, location("$sub sse_cursor;")],
    (map { ['ssi', "$zone $_->[0]", $_->[1], qr{location "/x" of server "localhost".*"ssi off" in \S+:\d+\z}] }
        ['', location("$sub ssi on; ssi_types *;")],
        ['', location("$sub ssi on; ssi_types application/json Text/Event-Stream;")],
        ['', location("$sub ssi on; ssi_types application/json;")],
        ['sse_poll off;', location("$sub ssi on; ssi_types application/json; sse_poll on;")],
        ['', location("$sub ssi_types *; if (\$arg_x) { ssi on; }")],
        ['', location("$pub ssi on; ssi_types application/json; limit_except GET { deny all; }")],
        ['', location('sse_status; ssi on; ssi_types *;')],
        ['', location('sse_health; ssi on; ssi_types application/json;')],
        ['', location('sse_kick; ssi on; ssi_types application/json;')],
        ['', location('sse_later; ssi on; ssi_types text/event-stream;')],
        ['', "location / { ssi on; ssi_types *; location /x { $sub } }"],
        ['ssi on; ssi_types *;', location($pub)],
        ['ssi on;', location("$sub ssi_types *;")]),
    ['sse_framing', $zone, location("$pub sse_framing xml;")],
    (map { ['sse_body_channels', $zone, location("$pub sse_framing json; sse_body_channels $_->[0];"), $_->[1]] }
        ['',          qr/number of arguments/],
        ['""',        qr/""/],
        ['on off',    qr/"on"/],
        ['news: off', qr/"off"/],
        ['$arg_x',    qr/"\$arg_x"/],
        ["'a\tb'",    qr/"a\tb"/],
        ["\xff",      qr/"\xff"/],
        ['x' x 256,   qr/"x+"/]),
    ['sse_body_channels', $zone, location("$pub sse_body_channels a; sse_body_channels b;"), qr/duplicate/],
    (map { ['sse_list', $zone, location("$pub sse_list $_->[0];"), $_->[1]] }
        ['', qr/number of arguments/], ["''", qr/invalid value ""/], ['on off', qr/invalid value "on"/], ['a off', qr/invalid value "off"/],
        ['x' x 256, qr/invalid value/], ["\xff", qr/invalid value/]),
    ['sse_list', $zone, location("$pub sse_list a; sse_list b;"), qr/duplicate/],
    ['sse_list', "$zone sse_list on;", location($pub), qr/not allowed here/],
    ['sse_list', $zone, location("$sub sse_list on;"), qr/needs an "sse_publish" or "sse_status"/],
    (map { ['sse_list', $zone, location("sse_status format=prometheus; sse_list $_;"), qr/"sse_list" means nothing in "\/x": "format=prometheus"/] }
        'on', 'news:', '$arg_x'),
    (map { ['sse_event_id', $zone, location("$pub sse_event_id x; sse_framing $_;"), qr/sse_framing/] } qw(lines ndjson sse json)),
    (map { ['sse_event_encoding', $zone, location("$pub sse_event_encoding base64; sse_framing $_;"), qr/sse_framing/] } qw(lines ndjson sse json form)),
    ['sse_list', $zone, location('sse_list on;'), qr/needs an "sse_publish" or "sse_status"/],
    (map { ['sse_publish', $zone, location("sse_publish ''; $_"), qr/"".*sse_body_channels/] }
        '', 'sse_body_channels on;', 'sse_framing json;', 'sse_framing lines; sse_body_channels on;',
        'sse_framing form; sse_body_channels off;'),
    (map { ["sse_$_", $zone, location("$pub sse_$_;")] } qw(event_type event_id event_retry event_encoding publish_end)),
);

for my $case (@bad) {
    my ($name, $http, $server, $more) = @$case;
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => $http, server => $server // '')->check;
    my ($message) = $output =~ /nginx: \[emerg\] (.*)/;
    subtest "$http " . ($server // '') => sub {
        ok !$good, 'is refused';
        # If a word is not in a list of words, nginx itself reports only its place.
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
    [
        "$zone sse_heartbeat 5s; sse_retry 1s 0%; sse_gap off; sse_max_event_size 100k;",
        "sse_start earliest; " . location($sub)
    ],
    ["$zone sse_retry 250ms;", location("$sub if (\$arg_x) { set \$y 1; }")],
    # SSI is harmless where it processes only other types, or is off.
    (map { ["$zone $_->[0]", $_->[1]] }
        ['ssi on;', location("$pub deny all;") . location($sub) =~ s/x/y/r . location('sse_status; deny all;') =~ s/x/z/r],
        ['ssi_types *;', location($sub)],
        ['ssi on; ssi_types *;', location("$sub ssi off;")],
        ['ssi on; ssi_types *;', location("$sub ssi_types text/html;")],
        ['sse_poll off;', location("$sub ssi on; ssi_types application/json;")],
        ['', location("$pub ssi on; ssi_types text/event-stream;")],
        ['', "location / { ssi on; ssi_types *; location /x { $pub ssi off; } }"]),
    # Blocks and inner locations do not inherit a default as if it had been configured.
    [$zone, location("$pub if (\$arg_x) { set \$y 1; } limit_except GET { deny all; }")],
    [$zone, "location / { $pub location /x { $pub } }"],
    [$zone, location('sse_channel a $arg_b separator=,; sse_history 10 1h; sse_cursor $arg_since;')],
    ["$zone sse_drain 1s end; sse_profile model;", location("$sub sse_gap event=lost; sse_prime message; sse_caught_up event=live;")],
    [$zone, location("$sub sse_end_event end 'all of it' retry=1h; sse_absent 204; sse_lifetime 1h 50%; sse_expires \$arg_e event=renew;")],
    [$zone, location("$sub sse_end_event '' '[DONE]'; sse_lifetime off; sse_expires off;")],
    [$zone, location("$sub sse_end_event off retry=off;")],
    [$zone, location("$pub sse_publish_end ''; sse_reopen off; sse_batch atomic; sse_max_batch 4m; sse_event_encoding base64;")],
    ["$zone sse_merge data;", 'sse_merge lines; ' . location("$sub sse_merge off;")],
    ["$zone sse_poll off;", location("$sub sse_poll on; location /x/y { $sub sse_poll off; }")],
    [$zone, location("$pub sse_publish_end ''; sse_reopen off; sse_event_encoding base64;")],
    [$zone, location("$sub sse_cors https://a.example https://b.example:8443 credentials;")],
    ["$zone sse_cors https://a.example https://a.example;", location("$sub sse_cors off;")],
    ["$zone sse_cors_headers Traceparent;", location("$sub sse_cors_headers baggage x_y.z Authorization;")],
    [$zone, location("$sub sse_cors capacitor://localhost chrome-extension://abcdefgh http://[::1] http://[::1]:8080 null;")],
    [$zone, location("$pub sse_event_type \$http_x; sse_event_id \$arg_id; sse_framing lines; sse_publish_timeout 1d;")],
    [$zone, location("sse_channel a,,b separator=,;") . location("sse_publish a,b;") =~ s/x/y/r],
    [$zone, location("sse_publish '\xc3\xbc b'; sse_event_type gap; sse_event_id ''; sse_event_retry 5;")],
    ["$zone sse_body_channels news: 'a b';", location("$pub sse_framing json; sse_body_channels off;")],
    ["$zone sse_framing json; sse_body_channels on;", location("sse_publish ''; limit_except GET { deny all; }")],
    [$zone, location("sse_publish ''; sse_body_channels \xc3\xbc; sse_framing form;")],
    [$zone, location("$pub sse_event_type ''; sse_event_id 1%2b2; sse_event_retry '';")],
    [$zone, location("$pub sse_list off; deny all;")],
    [$zone, location("$pub sse_list a- \$arg_x \xc3\xbc; deny all;")],
    [$zone, location('sse_status; sse_list on; deny all;')],
    [$zone, location('sse_status format=prometheus; sse_list off; deny all;')],
    [$zone, location("$pub sse_framing lines; sse_event_id ''; sse_event_encoding \$arg_x;")],
    [$zone, location("$pub sse_framing form; sse_event_id x;")],
    [$zone, location("$sub sse_expires '';")],
    [$zone, location('sse_channel a,b, c separator=,; sse_max_channels 3;')],
    [$zone, location('sse_status events;') . location("$sub sse_cors *;") =~ s/x/y/r],
    (map { ["$zone sse_bus events $_;", ''] } (
        'redis://127.0.0.1',
        'redis://localhost',
        'redis://:a%20b@127.0.0.1:6379,[::1]:6380,10.0.0.7/15 stream=sse:events keep=1h max=1000 acks=16 timeout=500ms',
        'redis://127.0.0.1 stream=sse:events keep=1h acks=0 timeout=5s',
        'redis://127.0.0.1 password_file=nginx.conf',
        'rediss://user:pass@127.0.0.1',
        'rediss://127.0.0.1 verify=off name=redis.example.com',
        'rediss://127.0.0.1 verify=on',
    )),
    ["$zone sse_bus events redis://no.such.host.invalid,127.0.0.1:1; resolver 127.0.0.1;", ''],
    ["$zone sse_zone more 1m; sse_bus events redis://127.0.0.1; sse_bus more redis://127.0.0.1;", ''],
    ["$zone sse_zone more 1m; sse_bus events redis://127.0.0.1 stream=s; sse_bus more redis://127.0.0.1 stream=s:more;", ''],
    ["$zone sse_zone more 1m; sse_bus events redis://127.0.0.1 stream=s; sse_bus more redis://127.0.0.1/1 stream=s;", ''],
    ["$zone sse_keys 64k; sse_max_subscribers 9;", location("$sub sse_key \$cookie_uid; sse_max_subscribers 5 per=key; sse_reject soft 250ms 0%;")],
    ["$zone sse_key \$remote_user; sse_max_subscribers 5 per=key; sse_reject soft;", location("$sub sse_max_subscribers 0 per=key; sse_key '';")],
    [$zone, location("$sub sse_max_subscribers 5; sse_max_subscribers 5 per=channel; sse_reject hard;")],
    [$zone, location('sse_kick zone=events; internal;')],
    [$zone, location('sse_health events events; limit_except GET { deny all; }') . location('sse_health;') =~ s/x/y/r],
    ['', location('sse_health;')],
    ['', location('sse_later;') . ' location @later { sse_later 1h 100%; } location /y { sse_later 1s; }'],
    ['sse_keys 1m;', ''],
    [location('sse_channel c;') =~ s/.*//r . 'sse_zone late 1m;', location('sse_publish c zone=late;')],
);
for my $case (@good) {
    my ($http, $server) = @$case;
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => $http, server => $server)->check;
    ok $good, "accepted: $http $server" or diag $output;
}

subtest 'what does not hold across machines' => sub {
    my $bus = "$zone sse_bus events redis://127.0.0.1;";
    my $limited = 'sse_max_subscribers 5;';
    for my $case (
        [1, $bus, location("$sub $limited")],
        [1, "$bus $limited", location($sub)],
        [1, $bus, location("$sub sse_key x; sse_max_subscribers 5 per=key; if (\$arg_x) { set \$y 1; }")],
        [2, "$bus sse_max_subscribers 5 per=channel;", location($sub) . location($sub) =~ s/x/y/r],
        [0, "$zone $limited", location($sub)],
        [0, $bus, location("$sub sse_max_subscribers 0;")],
        [0, "$bus $limited", location("$pub deny all;") . location('sse_health;') =~ s/x/y/r],
        [0, "$bus sse_zone other 1m;", location("sse_channel c zone=other; $limited")],
    ) {
        my ($count, $http, $server) = @$case;
        my ($good, $output) = SSE::Nginx->new(drain => undef, http => $http, server => $server)->check;
        ok $good, "accepted: $http $server" or diag $output;
        my @warnings = grep {/\[warn\]/} split /\n/, $output;
        is scalar(@warnings), $count, 'with the right number of warnings' or diag $output;
        like $_, qr{\Anginx: \[warn\] "sse_max_subscribers" counts .* zone "events" by "sse_bus", at location "/[xy]" of server "localhost" in \S+:\d+\z}, 'that name it'
            for @warnings;
    }
};

subtest 'a zone that is defined after its use' => sub {
    my ($good, $output) = SSE::Nginx->new(drain => undef, http => '', server => location($sub), servers => $zone)->check;
    ok $good, 'is found' or diag $output;
};

subtest 'nothing of the module is used' => sub {
    my $server = SSE::Nginx->start(http => '', server => 'location / { return 200 ok; }', drain => undef);
    is $server->get('/')->body, 'ok', 'and nginx works';
    is_deeply [$server->stop], [], 'without trouble';
    my $bare = SSE::Nginx->new;
    my $load = 'load_module ' . SSE::Nginx::module();
    $bare->write_file('bare.conf', "$load; pid nginx.pid; error_log error.log; events {}\n");
    my $output = qx{@{[SSE::Nginx::binary()]} -t -p $bare->{prefix}/ -e error.log -c bare.conf 2>&1};
    is $?, 0, 'no http block at all' or diag $output;
};

done_testing;
