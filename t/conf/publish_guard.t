# nginx -t warns about locations where anybody can publish, kick, list channels or read the status, and about no others. Requests from a
# foreign address without credentials then show what anybody can really do there.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $publish = 'POST, PUT, DELETE';
my $read    = 'GET, HEAD';
my $kick    = 'POST, DELETE';
my $basic   = 'auth_basic x; auth_basic_user_file users;';

# The open methods; the location (with sse_publish, unless this is a whole location); why; directives at server level.
my @case = (
    [$publish, '',                             'nothing guards'],
    [$publish, 'sse_cors *;',                  'CORS is no protection'],
    ['',       'internal;',                    'no client gets here'],
    ['',       'location @x { sse_publish c; }', 'nor to a named location'],
    [$publish, 'if ($arg_y) { set $z 1; }',    'a block of "if" is not another location'],

    [$publish, 'allow all;',                   'a rule that allows does not guard'],
    [$publish, 'allow 10.0.0.0/8;',            'and leaves the others undecided'],
    [$publish, 'deny 10.0.0.0/8;',             'some are refused only'],
    ['',       'deny all;',                    'all are refused'],
    ['',       'allow 127.0.0.1; deny all;',   'all but one are'],
    ['',       'allow 10.0.0.0/8; deny 192.0.2.0/24; allow ::1; deny all;', 'all but some'],
    ['',       'deny all; allow all;',         'the first match counts'],
    [$publish, 'allow all; deny all;',         'the first match counts'],
    [$publish, 'allow 0.0.0.0/0; deny all;',   'IPv4 is open'],
    [$publish, 'allow ::/0; deny all;',        'IPv6 is open'],
    [$publish, 'deny 0.0.0.0/0;',              'IPv6 is open'],
    [$publish, 'allow ::1; deny ::/0;',        'IPv4 is open'],
    ['',       'deny 0.0.0.0/0; deny ::/0;',   'each family is refused'],
    [$publish, 'deny unix:;',                  'only who is on this machine is refused'],
    [$publish, 'allow unix:;',                 'the network is undecided'],
    ['',       'allow unix:; deny all;',       'the network is refused'],

    ['',       $basic,                         'a password is asked for'],
    [$publish, 'auth_basic x;',                'without passwords nginx asks for none'],
    [$publish, 'auth_basic_user_file users;',  'nor without a realm'],
    [$publish, 'auth_basic off;',              '"off" does not guard',               $basic],
    ['',       "$basic allow all;",            'both have to be satisfied'],
    ['',       "$basic allow 10.0.0.0/8;",     'both have to be satisfied'],
    ['',       'auth_basic off; deny all;',    '"off" does not open either',         $basic],
    ['',       'auth_request /auth;',          'another location is asked'],
    ['',       'auth_request /auth; allow all;', 'both have to be satisfied'],
    [$publish, 'auth_request off;',            '"off" does not guard',               'auth_request /auth;'],

    [$publish, 'satisfy any;',                 'nothing has to be satisfied'],
    ['',       "satisfy any; $basic",          'the only way is a password'],
    [$publish, "satisfy any; allow all; $basic", 'an address is enough'],
    [$publish, "satisfy any; allow 0.0.0.0/0; deny all; $basic", 'an address of IPv4 is'],
    [$publish, "satisfy any; allow ::/0; deny all; $basic",      'an address of IPv6 is'],
    ['',       "satisfy any; allow 127.0.0.1; deny all; $basic", 'a good address or a password'],
    ['',       "satisfy any; allow 127.0.0.1; $basic",           'the others are left to the password'],
    [$publish, 'satisfy any; allow 127.0.0.1;',                  'the others are left to nobody'],
    ['',       "satisfy any; allow unix:; $basic",               'the network is left to the password'],
    ['',       "satisfy any; deny all; allow all; $basic",       'the first match counts'],
    [$publish, 'satisfy any; auth_basic off;',                   '"off" does not guard',       $basic],
    ['',       'satisfy any; auth_basic off; deny all;',         '"off" does not open',        $basic],
    [$publish, 'satisfy any; allow all; auth_request /auth;',    'an address is enough'],
    ['',       'satisfy any; auth_request /auth;',               'another location is asked'],
    ['',       'satisfy any; allow 127.0.0.1; deny all;',        'there is one way only'],

    ['',       'limit_except GET { deny all; }',                 'all that publishes is refused'],
    ['',       'limit_except GET { allow 127.0.0.1; deny all; }', 'to strangers'],
    ['',       "limit_except GET { $basic }",                    'or asked for a password'],
    [$publish, 'limit_except GET { allow 10.0.0.0/8; }',         'a block that leaves strangers undecided'],
    [$publish, 'limit_except GET { }',                           'a block that says nothing'],
    ['POST',   'limit_except POST { deny all; }',                'the rest is refused'],
    ['POST, PUT', 'limit_except GET POST PUT { deny all; }',     'the rest is refused'],
    ['DELETE', 'limit_except DELETE { deny all; }',              'the rest is refused'],
    ['',       'deny all; limit_except POST { deny all; }',      'each is refused somewhere'],
    ['',       'deny all; limit_except GET { }',                 'a block inherits'],
    ['PUT, DELETE', 'deny all; limit_except POST { allow all; }', 'a block may open'],
    ['',       'satisfy any; allow all; limit_except GET { deny all; }', 'the rules of the block count'],
    ['DELETE', "satisfy any; $basic limit_except POST PUT { allow all; }", '"satisfy" is inherited'],
    [$publish, 'limit_except GET { auth_basic off; }',           '"off" does not guard',       $basic],

    ['',       '',                                               'the server refuses',         'deny all;'],
    ['',       '',                                               'the server asks',            $basic],
    ['',       '',                                               'the server asks another',    'auth_request /auth;'],
    [$publish, '',                                               'the server allows',          'allow all;'],
    [$publish, 'allow 10.0.0.0/8;',                              'own rules replace those of the server', 'deny all;'],
    [$publish, $basic,                                           'an address is enough',       'satisfy any; allow all;'],
    ['',       'location / { deny all; location /x { sse_publish c; } }',                   'the outer location refuses'],
    [$publish, 'location / { deny all; location /x { sse_publish c; allow all; } }',        'the inner one allows'],
    [$publish, 'location / { location /x { sse_publish c; } deny 10.0.0.0/8; }',            'the outer one says too little'],
    ['',       'location / { internal; location /x { sse_publish c; } }',                   'no client gets there'],
    ['POST',   'location / { location /x { sse_publish c; limit_except POST { deny all; } } }', 'a block in an inner one'],

    [$read,    'location /x { sse_status format=prometheus; }',                  'nothing guards'],
    [$read,    'location /x { sse_status; }',                                    'nothing guards'],
    ['',       'location /x { sse_status; deny all; }',                          'all are refused'],
    ['',       "location /x { sse_status; $basic }",                             'a password is asked for'],
    ['',       'location /x { sse_status; internal; }',                          'no client gets here'],
    [$read,    'location /x { sse_status; limit_except GET { deny all; } }',     'reading is all there is'],
    ['',       'location /x { sse_status; limit_except POST { deny all; } }',    'reading is refused'],
    ['HEAD',   'location /x { sse_status; limit_except HEAD { deny all; } }',    'the rest is refused'],
    [$read,    'location /x { sse_status; if ($arg_y) { set $z 1; } }',          'a block of "if" is not another location'],

    [$kick,    'location /x { sse_kick; }',                                      'nothing guards'],
    [$kick,    'location /x { sse_kick; allow 10.0.0.0/8; }',                    'the others are left undecided'],
    ['',       'location /x { sse_kick; allow 127.0.0.1; deny all; }',           'all but one are refused'],
    ['',       "location /x { sse_kick; $basic }",                               'a password is asked for'],
    ['',       'location /x { sse_kick; internal; }',                            'no client gets here'],
    ['POST',   'location /x { sse_kick; limit_except POST { deny all; } }',      'the rest is refused'],
    ['DELETE', 'location /x { sse_kick; limit_except DELETE GET { deny all; } }', 'the rest is refused'],

    [$read,    'location /x { sse_publish c; sse_list on; limit_except GET { deny all; } }',   'names are for those who may publish'],
    [$read,    'location /x { sse_publish c; sse_list a b; limit_except GET { deny all; } }',  'some names, too'],
    ['',       'location /x { sse_publish c; sse_list on; deny all; }',          'all are refused'],
    ['',       "location /x { sse_publish c; sse_list on; $basic }",             'a password is asked for'],
    ['',       'location /x { sse_publish c; sse_list off; limit_except GET { deny all; } }', 'a channel that one knows the name of is no secret'],

    ['',       'location /x { sse_later; }',                                     'who is put off does nothing'],
    ['',       'location /x { sse_health; }',                                    'the health is for anybody'],
    ['',       'location /x { sse_channel c; }',                                 'who subscribes is nobody else\'s business'],
);
@case = grep { "@$_" !~ /auth_request/ } @case unless SSE::Nginx::has('http_auth_request_module');

my $server = SSE::Nginx->new(http => 'sse_zone events 1m; set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;', server => '');
$server->{http} =~ s/set_real.*// unless SSE::Nginx::has('http_realip_module');
$server->{servers} = join '', map { server_of($_) } 0 .. $#case;

sub server_of ($number) {
    my (undef, $location, undef, $more) = @{ $case[$number] };
    $location = "location /x { sse_publish c; $location }" unless $location =~ /\Alocation/;
    my $auth = SSE::Nginx::has('http_auth_request_module') ? 'location = /auth { internal; return 401; }' : '';
    return "server { listen 127.0.0.1:@{[$server->port]}; server_name case$number.test; @{[$more // '']}\n$location\n$auth }\n";
}

sub name ($case) { my ($open, $location, $why, $more) = @$case; return join ' | ', grep {length} $location, $more, $why }

my ($good, $output) = $server->check;
ok $good, 'accepted' or BAIL_OUT($output);
my @line = split /\n/, $server->configuration;
my %warning;
push @{ $warning{ /of server "([^"]*)"/ ? $1 : '' } }, $_ for grep {/\[warn\]/} split /\n/, $output;

subtest 'what is warned of' => sub {
    for my $number (0 .. $#case) {
        my ($open) = @{ $case[$number] };
        my $warnings = join "\n", @{ delete $warning{"case$number.test"} // [] };
        my $kicks = $case[$number][1] =~ /sse_kick/;
        my $lists = $case[$number][1] =~ /sse_list (?!off)/;
        my $deed = $kicks ? 'kick subscribers at' : $lists ? 'list channels at' : $open =~ /GET|HEAD/ ? 'read the status at' : 'publish to';
        my $expected = $open
            ? qr{\Anginx: \[warn\] anybody can $deed location "/x" of server "case$number\.test": .* guards $open in \S+:\d+\z}
            : qr/\A\z/;
        like $warnings, $expected, name($case[$number]);
        next unless $open && $warnings =~ m{ in (\S+):(\d+)\z};
        is $1, "$server->{prefix}/nginx.conf", 'the file';
        like $line[$2 - 1], qr/sse_(?:publish|status|kick)/, 'and the line of the directive';
    }
    is_deeply \%warning, {}, 'nothing else';
};

subtest 'what nginx does' => sub {
    plan skip_all => 'this nginx has no http_realip_module' unless SSE::Nginx::has('http_realip_module');
    $server->launch or BAIL_OUT($server->log);
    for my $number (0 .. $#case) {
        my ($open, $location) = @{ $case[$number] };
        next if $location =~ /sse_channel|sse_later|sse_health/;
        my @method = split /, /, $location =~ /sse_status|sse_list on; limit|sse_list a/ ? $read : $location =~ /sse_kick/ ? $kick : $publish;
        my @answered = grep { answers("http://case$number.test/x", $_) } @method;
        is join(', ', @answered), $open, name($case[$number]);
    }
    is_deeply [$server->stop], [], 'no trouble';
};

# Whether the module answers a foreign client, over IPv4 or IPv6. The answers of nginx itself have another type.
sub answers ($url, $method) {
    return scalar grep {
        my $answer = $server->request($method, $url, headers => ['X-Real-IP' => $_], body => $method =~ /P/ ? 'x' : undef)->finish;
        ($answer->header('Content-Type') // '') =~ m{\A(?:application/json|text/plain; version=)}
    } '192.0.32.1', '2001:db8::1';
}

subtest 'at http level' => sub {
    for my $case ([1, 'deny 10.0.0.0/8;', ''], [0, 'deny all;', ''], [0, $basic, ''], [1, $basic, 'auth_basic off;']) {
        my ($warned, $http, $location) = @$case;
        my ($good, $output) = SSE::Nginx->new(
            http   => "sse_zone events 1m; $http",
            server => "location /x { sse_publish c; $location }",
        )->check;
        is scalar(() = $output =~ /\[warn\] anybody can publish/g), $warned, "$http $location";
    }
};

done_testing;
