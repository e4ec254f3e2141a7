# A default that is written out changes nothing, 0 means the same as elsewhere in nginx, and blocks inside a location behave as it does.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $zone = 'sse_zone events 1m;';
my ($sub, $pub) = ('sse_channel $arg_channel;', 'sse_publish $arg_channel;');

sub check ($location, $http = $zone) {
    return SSE::Nginx->new(http => $http, server => "location /x { $location }")->check;
}

# The name, and the default as the reference writes it.
sub documented {
    open my $reference, '<:encoding(UTF-8)', 'docs/reference.md' or die "docs/reference.md: $!";
    return map { /^Default:\s+((sse_\w+) [^;]+);$/ ? [$2, $1] : () } readline $reference;
}

# Defaults that the reference describes in words.
my @more = map { [/^(\S+)/, $_] } 'sse_max_events 65536', 'sse_invalid_utf8 reject';
my %default = map { $_->[0] => $_->[1] } @more, documented();
my %of_both  = map { $_ => 1 } qw(sse_cors);
my %of_subscribers = map { $_ => 1 } qw(sse_start sse_retry sse_heartbeat sse_prime sse_gap sse_direct sse_max_channels);
my @names = sort grep { !/^sse_(?:drain|keys)$/ } keys %default;

# Each location without the defaults, with all of them written out, and with each of them alone.
my @server = map {
    my $name = $_;
    my $text = $name eq 'none' ? '' : $name eq 'all' ? join ' ', map {"$default{$_};"} @names : "$default{$name};";
    my $lines = $text =~ s/sse_invalid_utf8 reject;/sse_invalid_utf8 replace;/r;
    <<"END";
location = /$name/sub   { $sub $text }
        location = /$name/list  { sse_channel \$arg_channel separator=,; $text }
        location = /$name/pub   { $pub $text }
        location = /$name/lines { $pub @{[$lines =~ s/sse_framing auto;//r]} sse_framing lines; }
END
} 'none', 'all', @names;

my $server = SSE::Nginx->start(zone => '8m', locations => join('', @server));

sub masked ($text) {
    my %ids;
    return $text =~ s/\d{10,}-\d+/'id' . ($ids{$&} \/\/= keys %ids)/ger =~ s/^(?:Date|X-Worker): .*\r\n//mgr
        =~ s/^retry: (\d+)$/$1 >= 3000 && $1 <= 4000 ? 'retry: some' : $&/mger;
}

# All answers to a set of requests, without what always differs.
sub behaviour ($name) {
    state $number = 0;
    my $channel = sprintf 'c%04d', ++$number;
    my @heard;
    my $answer = sub ($client) {
        $client->finish;
        push @heard, $client->status . ' ' . masked($client->body =~ s/$channel/c/gr =~ s/"id":"[^"]*"/"id":"i"/r);
    };
    my $old = $server->publish("/none/pub?channel=$channel", 'before')->json->{id};
    my $subscriber = $server->subscribe("/$name/sub?channel=$channel");
    $subscriber->ready;
    push @heard, masked(join "\n", grep { !/^(?:Date|X-Worker|Last-Event-ID):/ } $subscriber->{header_lines}->@*);
    my $back = $server->subscribe("/$name/sub?channel=$channel", cursor => $old);
    my @post = (
        ['pub',   'plain'],
        ['pub',   'typed', '&event=t%20x&retry=700'],
        ['pub',   'refused', '&event=ready'],
        ['pub',   'refused', '&retry=x'],
        ['pub',   'x' x 1_048_577],
        ['pub',   "a\xff"],
        ['pub',   "{}\n{}\n", '', type => 'application/x-ndjson'],
        ['pub',   "id: a\nevent: e\ndata: 1\n\nid: \xff\ndata: 2\n\n", '', type => 'text/event-stream'],
        ['pub',   "event: gap\ndata: 1\n\n", '', type => 'text/event-stream'],
        ['pub',   'form', '', type => 'multipart/form-data'],
        ['pub',   'page', '', headers => ['Sec-Fetch-Site' => 'cross-site']],
        ['pub',   'page', '', headers => [Origin => 'https://a.example']],
        ['pub',   'own', '', headers => ['Sec-Fetch-Site' => 'same-origin']],
        ['lines', "a\nb\xff\n"],
        ['lines', "\n" x 65_536, '', on => 'other'],
        ['lines', "\n" x 65_537, '', on => 'other'],
    );
    for my $post (@post) {
        my ($location, $body, $more, %how) = @$post;
        my $to = delete $how{on} ? "x$channel" : $channel;
        $answer->($server->publish("/$name/$location?channel=$to@{[$more // '']}", $body, %how));
        $heard[-1] =~ s/x?c\b//g;
    }
    $answer->($server->request(OPTIONS => "/$name/pub?channel=$channel", headers => [Origin => 'https://a.example', 'Access-Control-Request-Method' => 'POST']));
    for my $count (16, 17) {
        my $list = $server->subscribe("/$name/list?channel=" . join ',', map {"n$_"} 1 .. $count);
        push @heard, $list->status;
        $list->close;
    }
    $server->publish("/none/pub?channel=$channel", 'the end');
    for my $client ($subscriber, $back) {
        $client->pump_until(sub { $client->body =~ /data: the end\n\n/ });
        push @heard, masked($client->body);
        $client->close;
    }
    return \@heard;
}

subtest 'the defaults of the reference' => sub {
    cmp_ok scalar @{ [documented()] }, '>=', 11, 'are found';
    my $usual = behaviour('none');
    cmp_ok scalar(grep {/^20/} @$usual), '>=', 6, 'there is something to compare';
    is_deeply behaviour('none'), $usual, 'with itself';
    is_deeply behaviour($_), $usual, $_ eq 'all' ? 'all of them together' : $default{$_} for 'all', @names;
};

subtest 'times that are written out' => sub {
    # To observe these would take too long, so only nginx -t is asked.
    for my $text ('sse_publish_timeout 1h', 'sse_drain 5s') {
        my ($good, $output) = SSE::Nginx->new(http => "$zone $text;", server => "location /x { $pub }", drain => undef)->check;
        ok $good, $text or diag $output;
    }
};

subtest 'zero' => sub {
    for my $text ("$sub sse_history 0;", "$pub sse_max_event_size 0;", "$pub sse_max_events 0;", "$pub sse_max_rate 0;",
        "$pub sse_max_client_memory 0;", "$sub sse_retry 3s 0%;")
    {
        my ($good, $output) = check($text);
        ok $good, $text or diag $output;
    }
    for my $name (qw(sse_send_timeout sse_heartbeat sse_retry sse_max_channels), 'sse_start last=', 'sse_history 5 ') {
        for my $zero ($name =~ /=\z|last|channels/ ? 0 : (0, '0s', '0ms')) {
            next if $name =~ /history/ && $zero eq '0ms';
            my $text = $name =~ /[= ]\z/ ? "$name$zero" : "$name $zero";
            my ($good, $output) = check("$sub $text;");
            ok !$good, "$text is refused";
            my ($directive) = $name =~ /^(\w+)/;
            like $output, qr/\Q$directive\E|value must be/, 'and named';
        }
    }
    for my $zero (0, '0s', '0ms') {
        my ($good, $output) = check("$pub sse_publish_timeout $zero;");
        ok !$good, "sse_publish_timeout $zero is refused";
        like $output, qr/"sse_publish_timeout" must be greater than 0/, 'and told why';
    }
    for my $http ('sse_zone events 0;', 'sse_zone events 1m channels=0;') {
        ok !(check($sub, $http))[0], "$http is refused";
    }
    ok +(SSE::Nginx->new(http => "$zone sse_drain 0;", server => "location /x { $sub }", drain => undef)->check)[0], 'sse_drain 0';
};

subtest 'no limit' => sub {
    my $free = SSE::Nginx->start(
        zone      => '8m',
        subscribe => 'sse_history 0; sse_start earliest;',
        publish   => 'sse_max_event_size 0; sse_max_events 0; sse_max_rate 0; sse_max_client_memory 0; sse_framing lines;',
    );
    is $free->publish('/pub?channel=c', "\n" x 70_000)->json->{events}, 70_000, 'sse_max_events, sse_max_rate';
    is scalar(my @events = $free->subscribe('/sub?channel=d')->events(1)), 1, 'the stream begins';
    $free->publish('/pub?channel=e', "1\n2\n3\n");
    is_deeply [$free->subscribe('/sub?channel=e')->data(3)], [1, 2, 3], 'sse_history';
    is $free->publish('/pub?channel=big', 'x' x 1_500_000)->status, 201, 'sse_max_event_size: as much as a quarter of the zone';
    my @open = map { $free->stream('/pub?channel=open')->feed('x' x 1_400_000) } 1 .. 50;
    my $last = $free->stream('/pub?channel=open')->feed('x');
    $free->publish('/pub?channel=e', 'clock');
    is scalar(grep { $_->closed } @open, $last), 0, 'sse_max_client_memory: more than 64 megabytes';
    $_->close for @open, $last;
};

subtest 'blocks in a location of a small zone' => sub {
    for my $size (qw(256k 1m 3m)) {
        for my $inner (
            'limit_except POST { deny all; }',
            'limit_except GET { allow 127.0.0.1; deny all; }',
            'if ($arg_x) { set $x 1; }',
            'if ($arg_x) { return 403; }',
            "location /x/y { sse_publish d; }",
            "location ~ z\$ { $pub limit_except POST { deny all; } }",
            'limit_except POST { deny all; } if ($arg_x) { set $x 1; }',
            "location /x/y { $pub if (\$arg_x) { set \$x 1; } location /x/y/z { $sub } }",
            )
        {
            for my $written ('', 'sse_max_event_size 32k;', 'sse_max_event_size 0;') {
                my ($good, $output) = check("$pub $written $inner", "sse_zone events $size channels=16;");
                ok $good, "$size: $written $inner" or diag $output;
            }
        }
    }
    ok !(check("$pub sse_max_event_size 1m; if (\$arg_x) { set \$x 1; }"))[0], 'what is written is still checked';
};

subtest 'and they publish' => sub {
    my $small = SSE::Nginx->start(
        zone      => '256k channels=16',
        locations => "location = /block { $pub limit_except GET { allow 127.0.0.1; deny all; } if (\$arg_x) { set \$x 1; } }",
    );
    my ($plain, $block) = map {
        my $location = $_;
        # The largest event that is accepted.
        my ($good, $bad) = (0, 200_000);
        while ($bad - $good > 1) {
            my $size = int(($good + $bad) / 2);
            ($small->publish("/${location}channel=c", 'x' x $size)->status == 201 ? $good : $bad) = $size;
        }
        $good;
    } 'pub?', 'block?x=1&';
    cmp_ok $plain, '>', 30_000, 'events up to a quarter of the zone';
    is $block, $plain, 'inside of the blocks as well';
};

subtest 'sse_max_channels' => sub {
    my $channels = sub ($count) { 'sse_channel ' . join(' ', map {"c$_"} 1 .. $count) . ';' };
    for my $case ([16, ''], [1, 'sse_max_channels 1;'], [64, 'sse_max_channels 64;']) {
        my ($most, $text) = @$case;
        ok +(check($channels->($most) . $text))[0], "$text $most channels";
        my ($good, $output) = check($channels->($most + 1) . $text);
        ok !$good, 'one more is refused';
        like $output, qr/more channels in "sse_channel" than "sse_max_channels" $most/, 'and told why';
    }
    ok !(check($channels->(3) . 'sse_max_channels 2;'))[0], 'before or after the channels';
    ok !(check('sse_max_channels 2;' . $channels->(3)))[0], 'all the same';
    ok !(check($channels->(3), "$zone sse_max_channels 2;"))[0], 'or at another level';
    ok +(check($channels->(3) . 'sse_max_channels 3;', "$zone sse_max_channels 2;"))[0], 'the innermost counts';
    ok !(check("$sub sse_max_channels $_;"))[0], "sse_max_channels $_" for 0, 65, -1, 'x', '';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
