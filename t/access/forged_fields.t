# What a client says about an event counts only in the request as it was sent: in a mirror and after a redirect inside nginx it was
# meant for another recipient. Nobody outside can publish the event types that the module itself uses.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['X-Accel-Redirect' => "/inner/$1$2"]) if $path =~ m{^/accel-(\w+)(.*)};
    return (404, [], 'none')                            if $path =~ m{^/missing};
    return (200, [], "app $method");
});
my $proxy = "proxy_pass http://127.0.0.1:@{[ $app->port ]};";

# Locations that lead to /inner/KIND: what a client sends to them is not meant for the publish location.
my %kind = (
    plain => '',
    words => 'sse_event_type $arg_event; sse_event_retry $arg_retry; sse_framing content_type;',
    lines => 'sse_framing lines;',
    fixed => 'sse_event_type gap; sse_event_retry 5000;',
);
my $doors = join '', map { <<"END" } sort keys %kind;
        location = /inner/$_  { internal; sse_publish c; $kind{$_} }
        location = /direct-$_ { sse_publish c; $kind{$_} }
        location = /mirror-$_ { mirror /inner/$_; $proxy }
        location = /accel-$_  { $proxy }
        location = /missing-$_ { $proxy proxy_intercept_errors on; error_page 404 = /inner/$_?\$args; }
        location = /error-$_  { return 404; error_page 404 = /inner/$_?\$args; }
        location = /at-$_     { return 404; error_page 404 = \@at-$_; }
        location \@at-$_       { sse_publish c; $kind{$_} }
        location = /last-$_   { rewrite ^ /inner/$_ last; }
        location = /break-$_  { rewrite ^ /else break; sse_publish c; $kind{$_} }
        location = /try-$_    { try_files /none \@at-$_; }
        location /index-$_/   { index /inner/$_; }
END
my @door = map {"/$_-"} qw(mirror accel missing error at last break try);

my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    http      => 'sse_zone events 4m; client_max_body_size 1m;',
    server    => <<"END",
location = /sub       { sse_channel \$arg_channel; }
        location = /status    { sse_status; }
        location = /beats     { sse_channel x; sse_heartbeat 1h event=beat; sse_prime event=here; }
        location /other/      { sse_channel x; sse_heartbeat 1h event=Takt; location = /other/deep { sse_channel y; sse_prime event=deep; } }
        location = /unused    { sse_channel x; sse_prime off; }
        location = /types     { sse_publish c; }
        location = /variable  { sse_publish c; sse_event_type \$http_x_type; }
        location = /half      { sse_publish c; sse_event_type ga\$arg_rest; }
        location = /some      { sse_publish c; sse_allow_types gap beat; }
        location = /all       { sse_publish c; sse_allow_types all; }
        location = /named-all { sse_publish c; sse_allow_types all gap; }
        location /outer/      { sse_allow_types error;
                                location = /outer/inherits { sse_publish c; }
                                location = /outer/own      { sse_publish c; sse_allow_types open; } }
        location = /fixed     { sse_publish c; sse_event_type ready; }
$doors
END
    servers => 'server { listen unix:elsewhere.sock; location /e { sse_channel z; sse_prime event=elsewhere; } }',
);

my $subscriber = $server->subscribe('/sub?channel=c')->ready;

# The answer to the request, and each event that it has published: [type, retry, data].
sub event_by ($path, %option) {
    my $answer = $server->publish($path, $option{body} // 'x', method => 'POST', %option);
    $server->publish('/direct-plain?event=end-of-case', '');
    my @events;
    while (my $event = $subscriber->next_event) {
        last if $event->{type} eq 'end-of-case';
        push @events, [@$event{qw(type retry data)}];
    }
    return ($answer, @events);
}

sub brings ($path, $expected, $what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($answer, @events) = event_by($path, %option);
    is_deeply \@events, $expected, "$path: $what" or diag 'answered: ', explain $answer->status, $answer->body;
    return $answer;
}

my $forged = '?event=gap&retry=3600000';
my $stream = "event: gap\nretry: 3600000\nid: 7\ndata: {\"reason\":\"evicted\"}\n\n";

for my $via (qw(h1 h2c)) {
    subtest "what is not in words does not count, $via" => sub {
        for my $door (@door) {
            my @via = (via => $via);
            brings("${door}plain$forged", [['message', undef, 'x']], 'type and retry', @via);
            brings("${door}plain?retry=x", [['message', undef, 'x']], 'a retry that is none suppresses nothing', @via);
            brings("${door}plain?event=%0a", [['message', undef, 'x']], 'nor does a type that is none', @via);
            brings("${door}plain?event=" . 'x' x 500, [['message', undef, 'x']], 'nor one that is too long', @via);
            brings("${door}plain", [['message', undef, $_->[1]]], $_->[0], @via, type => $_->[0], body => $_->[1])
                for ['multipart/form-data; boundary=x', "--x\n"], ['text/event-stream', $stream =~ s/\n\n\z//r],
                    ['application/x-ndjson', "1\n2"];
            brings("${door}plain", [['message', undef, 'x']], 'Content-Encoding', @via, headers => ['Content-Encoding' => 'gzip']);
            brings("${door}lines$forged", [map { ['message', undef, $_] } qw(a b)], 'lines are', @via, body => "a\nb\n",
                type => 'text/event-stream', headers => ['Content-Encoding' => 'gzip']);
            brings("${door}fixed?event=other&retry=300", [['gap', 5000, 'x']], 'what is fixed is', @via);
        }
    };
}

subtest 'what is in words does' => sub {
    for my $door (@door, '/direct-') {
        brings("${door}words?event=tick&retry=300", [['tick', 300, 'x']], 'type and retry');
        brings("${door}words", [['t', undef, '1'], ['u', undef, '2']], 'framing', type => 'text/event-stream',
            body => "event: t\ndata: 1\n\nevent: u\ndata: 2\n\n");
        brings("${door}words", [map { ['message', undef, $_] } 1, 2], 'framing', type => 'application/x-ndjson', body => "1\n2\n");
        brings("${door}words?event=gap", [], 'but a reserved type is nobody\'s');
        brings("${door}words", [], 'nor in a stream', type => 'text/event-stream', body => $stream);
        brings("${door}words?retry=x", [], 'and a retry must be one');
    }
    my @index = $server->publish("/index-words/$forged", 'x')->status;
    is_deeply \@index, [400], 'index';
    brings("/index-plain/$forged", [['message', undef, 'x']], 'index');
};

subtest 'and what is sent here counts here' => sub {
    brings('/direct-plain?event=tick&retry=300', [['tick', 300, 'x']], 'type and retry');
    brings('/direct-plain', [['t', undef, '1']], 'framing', type => 'text/event-stream', body => "event: t\ndata: 1\n\n");
    is brings('/direct-plain?retry=x', [], 'no retry')->status, 400, 'refused';
    is brings('/direct-plain', [], 'a form', type => 'multipart/form-data; boundary=x')->status, 415, 'refused';
    is brings('/direct-plain', [], 'gzip', headers => ['Content-Encoding' => 'gzip'])->status, 415, 'refused';
};

# As in RFC 9110: types and codings in upper or lower case, followed by blanks and parameters.
subtest 'Content-Type' => sub {
    my $body = "data: 1\n\ndata: 2\n\n";
    my @two = map { ['message', undef, $_] } 1, 2;
    brings('/direct-plain', \@two, "'$_'", type => $_, body => $body)
        for 'text/event-stream', 'Text/Event-Stream', 'TEXT/EVENT-STREAM', 'text/event-stream;charset=utf-8',
        'text/event-stream ; charset="utf-8"', "text/event-stream\t;x=y", "\ttext/event-stream \t", 'text/event-stream;', 'text/event-stream ;;';
    my @one = [['message', undef, "data: 1\n\ndata: 2\n"]];
    brings('/direct-plain', [['message', undef, $body]], "'$_'", type => $_, body => $body)
        for 'text/event-streams', 'text/event', 'text/plain', 'text/event-stream+x', 'x text/event-stream', 'text/event-stream x', '"text/event-stream"',
        'text/plain; x=text/event-stream', 'application/x-www-form-urlencoded', 'text/plain, text/event-stream', ';text/event-stream';
    brings('/direct-plain', \@two, "'$_'", type => $_, body => "1\n\n2")
        for 'application/x-ndjson', 'Application/X-NDJSON', "application/x-ndjson\t; charset=utf-8";
    is brings('/direct-plain', [], "'$_'", type => $_)->status, 415, 'refused'
        for 'multipart/form-data', 'Multipart/Form-Data; boundary=x', "MULTIPART/FORM-DATA\t;boundary=y", ' multipart/form-data';
    brings('/direct-plain', [['message', undef, 'x']], "'$_'", type => $_) for 'multipart/form-data-x', 'multipart/mixed', '';
};

subtest 'Content-Encoding' => sub {
    is brings('/direct-plain', [], "'@$_'", headers => [map { ('Content-Encoding' => $_) } @$_])->status, 415, 'refused'
        for ['gzip'], ['GZIP'], ['br'], ['identity, gzip'], [' , gzip'], ['identity', 'gzip'], ["identity\t,\tdeflate"], ['x'], ['identityx'],
        ['identity;q=1'];
    brings('/direct-plain', [['message', undef, 'x']], "'@$_'", headers => [map { ('Content-Encoding' => $_) } @$_])
        for ['identity'], ['Identity'], ['identity, IDENTITY'], ['identity', 'identity'], [',,'], [' identity ,'], [''];
};

my @reserved = qw(gap ready error open beat here Takt deep elsewhere);

subtest 'reserved types' => sub {
    for my $type (@reserved) {
        my $escaped = join '', map { sprintf '%%%02x', ord } split //, $type;
        my %way = (
            'argument'             => ["/types?event=$type"],
            'escaped argument'     => ["/types?event=$escaped"],
            'half-escaped'         => ['/types?event=' . sprintf('%%%02X', ord $type) . substr $type, 1],
            'ARGUMENT'             => ["/types?EVENT=$type"],
            'first of two'         => ["/types?event=$type&event=fine"],
            'variable'             => ['/variable', headers => ['X-Type' => $type]],
            'escaped in variable'  => ['/variable', headers => ['X-Type' => $escaped]],
            'stream'               => ['/types', type => 'text/event-stream', body => "event: $type\ndata: x\n\n"],
            'stream, no space'     => ['/types', type => 'text/event-stream', body => "event:$type\r\ndata:x\r\n\r\n"],
            'stream, CR'           => ['/types', type => 'text/event-stream', body => "event: $type\rdata: x\r\r"],
            'stream, BOM'          => ['/types', type => 'text/event-stream', body => "\xef\xbb\xbfevent: $type\ndata: x\n\n"],
            'stream, last counts'  => ['/types', type => 'text/event-stream', body => "event: fine\nevent: $type\ndata: x\n\n"],
            'stream, by default'   => ["/types?event=$type", type => 'text/event-stream', body => "data: x\n\n"],
            'lines'                => ["/types?event=$type", type => 'application/x-ndjson', body => "1\n"],
        );
        for my $way (sort keys %way) {
            my ($path, %option) = @{ $way{$way} };
            my $answer = brings($path, [], "$type, $way", %option);
            is $answer->status, 400, 'refused';
            is $answer->json->{error}, 'reserved event type', 'and told why';
        }
    }
    my ($answer, @events) = event_by('/types', type => 'text/event-stream', body => "data: 1\n\nevent: gap\ndata: 2\n\ndata: 3\n\n");
    is_deeply \@events, [['message', undef, '1']], 'those before it are published';
    is_deeply $answer->json, { error => 'reserved event type', events => 1 }, 'and counted';
    is brings('/half?rest=p', [], 'partly from outside')->status, 400, 'refused';
    brings('/half?rest=me', [['game', undef, 'x']], 'partly from outside');
};

subtest 'types that only look like them' => sub {
    brings("/types?event=$_->[0]", [[$_->[1], undef, 'x']], $_->[0])
        for ['Gap', 'Gap'], ['gaps', 'gaps'], ['%67apx', 'gapx'], ['%2567ap', '%67ap'], ['message', 'message'], ['', 'message'], ['close', 'close'],
        ['BEAT', 'BEAT'], ['+gap', '+gap'], ['gap%20', 'gap '], ['ga', 'ga'];
    is brings("/types?event=$_", [], $_)->status, 400, 'refused'
        for 'gap%00', '%20gap', 'gap%0a', '%0dgap', 'gap%c2%85', 'gap%e2%80%a8', 'gap%e2%80%a9', 'gap%7f', 'gap%ff', 'gap%1f';
};

subtest 'sse_allow_types' => sub {
    my %allowed = ('/some' => 'gap beat', '/all' => "@reserved", '/named-all' => 'gap', '/outer/inherits' => 'error', '/outer/own' => 'open');
    for my $path (sort keys %allowed) {
        for my $type (@reserved) {
            my $may = $allowed{$path} =~ /\b$type\b/;
            brings("$path?event=$type", $may ? [[$type, undef, 'x']] : [], "$type");
            brings($path, $may ? [[$type, undef, 'x']] : [], "$type in a stream", type => 'text/event-stream', body => "event: $type\ndata: x\n\n");
        }
    }
    brings('/fixed?event=other', [['ready', undef, 'x']], 'what the configuration names it wants');
    brings('/fixed', [['ready', undef, 'x']], 'also for events of a stream', type => 'text/event-stream', body => "data: x\n\n");
    brings('/fixed', [], 'but no other', type => 'text/event-stream', body => "event: gap\ndata: x\n\n");
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
