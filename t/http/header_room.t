# The memory that nginx reserves for further headers is released, and what variables, trailers and other modules show of the request
# and of the answer stays the same.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;
use SSE::Process;

# Never answers, so a request that is mirrored to it lasts as long as the stream.
my $silent = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Timeout => 20) or die "listen: $!";

my @request = qw(host user_agent referer accept accept_language accept_encoding via authorization cookie x_forwarded_for
    x_real_ip connection keep_alive range if_range te upgrade if_match if_none_match if_modified_since content_type date depth
    destination overwrite last_event_id x_own x_twice x_absent);
my @response = qw(content_type content_length location last_modified cache_control link expires etag transfer_encoding
    connection keep_alive set_cookie x_accel_buffering vary x_added x_absent);
my @others = qw(request request_uri args arg_channel host remote_addr remote_user realip_remote_addr cookie_one cookie_two
    cookie_three proxy_add_x_forwarded_for authorized geo mapped uid_got sent_trailer_x_end http_x_own);
my $everything = join ' ', map {"$_=\$$_;"} (map {"http_$_"} @request), (map {"sent_http_$_"} @response), @others;

my %behind = (on => '', off => 'sse_direct off;');
my $locations = join '', map { <<"END" } keys %behind;
        location = /plain_$_ { sse_channel \$arg_channel; $behind{$_} access_log everything_$_.log everything; }
        location = /more_$_ {
            sse_channel \$arg_channel;
            $behind{$_}
            access_log everything_$_.log everything;
            auth_request /authorize;
            auth_request_set \$authorized "user-\$http_x_own";
            add_header Link '<a>; rel=preload';
            add_header Link '<b>; rel=preload';
            add_header Cache-Control private;
            add_header X-Added "\$http_x_own,\$authorized";
            add_header Set-Cookie "mine=\$http_x_own";
            add_trailer X-End "\$http_x_own,\$sent_http_x_added,\$http_cookie,\$sent_http_link";
            expires 1h;
            userid on;
            userid_name uid;
        }
        location = /mirrored_$_ { sse_channel \$arg_channel; $behind{$_} access_log everything_$_.log everything; mirror /mirror_$_; }
        location = /mirror_$_ {
            internal;
            log_subrequest on;
            access_log mirror_$_.log everything;
            proxy_pass http://127.0.0.1:@{[ $silent->sockport ]}/;
        }
        location = /after_$_ { sse_channel \$arg_channel; $behind{$_} post_action /done_$_; }
        location = /done_$_ { internal; proxy_pass http://127.0.0.1:\$server_port/record_$_; }
        location = /record_$_ { access_log record_$_.log everything; return 200 "recorded"; }
END

my $server = SSE::Nginx->start(
    listen => [qw(h1 tls h2c)],
    http   => "sse_zone events 4m; request_pool_size 1k; log_format everything '$everything';"
        . ' map $http_x_twice $mapped { default none; "~(?<captured>one)" "seen-$captured"; }'
        . ' geo $geo { default far; proxy 127.0.0.1; proxy_recursive; 10.1.0.0/16 near; }',
    server => <<"END",
access_log off;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        set \$authorized none;
$locations
        location = /authorize { internal; return 204; }
        location = /pub { sse_publish \$arg_channel; }
        location = /idle_on { sse_channel \$arg_channel; }
        location = /idle_off { sse_channel \$arg_channel; sse_direct off; }
END
);

# One header of each kind that nginx treats differently, and some twice.
my @few = ('X-Own' => 'mine', 'User-Agent' => 'browser', Cookie => 'one=1; two=2');
my @many = (
    @few,
    Accept            => 'text/event-stream',
    'Accept-Language' => 'en',
    Authorization     => 'Basic dXNlcjpzZWNyZXQ=',
    Referer           => 'http://localhost/',
    'X-Forwarded-For' => '10.1.2.3',
    'X-Twice'         => 'one',
    Cookie            => 'three=3',
    'X-Forwarded-For' => '10.4.5.6',
    'X-Twice'         => 'two',
    'X-Real-IP'       => '192.0.2.7',
);
my @too_many = (@many, map { ("X-Filler-$_" => "value $_") } 1 .. 12);
my @long = (@many, Cookie => 'long=' . 'c' x 3000);

sub ended ($subscriber, $channel) {
    $server->request(DELETE => "/pub?channel=$channel")->finish;
    return $subscriber->wait_closed;
}

# The lines of a log, without what differs in every request.
sub lines ($name, $count) {
    wait_until(sub { (() = $server->read_file($name) =~ /\n/g) >= $count }, "$count lines in $name");
    return [map {s/_(?:on|off)\b//gr} $server->read_file($name) =~ /([^\n]+)/g];
}

my %set_of = (none => [], few => \@few, many => \@many, 'too many' => \@too_many, long => \@long);
my %raw;
my $streams = 0;
for my $set (sort keys %set_of) {
    for my $location (qw(plain more)) {
        for my $via (qw(h1 tls h1.0)) {
            for my $end (qw(close end)) {
                my $channel = "$location-$via-$end-" . $set =~ s/ //r;
                for my $direct (qw(on off)) {
                    my $subscriber = $server->subscribe("/${location}_$direct?channel=$channel$direct",
                        via => $via, headers => $set_of{$set})->ready;
                    $server->publish("/pub?channel=$channel$direct", $_) for 1, 2;
                    $subscriber->events(2);
                    $end eq 'end' ? ended($subscriber, "$channel$direct") : $subscriber->close;
                    ($raw{$channel}{$direct}) = $subscriber->raw =~ /(X-End:[^\r]*)/ if $end eq 'end';
                    # So that the lines are in the order of the requests.
                    $streams++ if $direct eq 'on';
                    lines("everything_$direct.log", $streams);
                }
            }
        }
    }
}

# Removes what differs between the two ways: the name of the channel, the new cookie of each request, and the time.
sub same ($name, $count) {
    my ($on, $off) = map {
        [map {s/(channel=[\w.-]+?)(?:on|off)\b/$1/gr} map {s/\b(uid=|sent_http_expires=)[^;]+/$1/gr} lines("${name}_$_.log", $count)->@*]
    } qw(on off);
    is_deeply $on, $off, "$name: what is logged is the same over both ways";
    return join "\n", @$on;
}

my $log = same('everything', $streams);
like $log, qr/http_cookie=one=1; two=2; three=3;/, 'of headers that came twice both are logged';
like $log, qr/http_x_forwarded_for=10\.1\.2\.3, 10\.4\.5\.6;/, 'of others as well';
like $log, qr/cookie_three=3;/, 'each cookie is found';
like $log, qr/sent_http_cache_control=max-age=3600, private;/, 'both of a response header';
like $log, qr/sent_http_link=<a>; rel=preload, <b>; rel=preload;/, 'in their order';
like $log, qr/authorized=user-mine;/, 'what another request has found out';
like $log, qr/remote_addr=192\.0\.2\.7;/, 'the address that a header told';
for my $channel (sort grep { exists $raw{$_}{on} || exists $raw{$_}{off} } keys %raw) {
    is $raw{$channel}{on}, $raw{$channel}{off}, "$channel: the trailer is the same";
}
is $raw{'more-h1-end-many'}{on}, 'X-End: mine,mine,user-mine,one=1; two=2; three=3,<a>; rel=preload, <b>; rel=preload',
    'and has all in it';

subtest 'a mirror that goes on' => sub {
    for my $direct (qw(on off)) {
        my $subscriber = $server->subscribe("/mirrored_$direct?channel=mirrored$direct", headers => \@many)->ready;
        my $mirror = $silent->accept or die "nothing is mirrored: $!";
        $server->publish("/pub?channel=mirrored$direct", 'x');
        is $subscriber->next_event->{data}, 'x', "$direct: an event";
        close $mirror;
        $subscriber->close;
        lines("everything_$direct.log", $streams + 1);
    }
    like same('mirror', 1), qr/http_x_own=mine;/, 'has its headers';
    like same('everything', $streams + 1), qr/http_x_own=mine;/, 'and so has the stream';
};

subtest 'what is done after a stream' => sub {
    for my $direct (qw(on off)) {
        ended($server->subscribe("/after_$direct?channel=after$direct", headers => \@many)->ready, "after$direct");
    }
    like same('record', 1), qr/http_x_own=mine;/, 'has its headers';
};

subtest 'HTTP/2' => sub {
    my $subscriber = $server->subscribe('/plain_on?channel=h2', via => 'h2c', headers => \@many)->ready;
    $server->publish('/pub?channel=h2', 'x');
    is $subscriber->next_event->{data}, 'x', 'an event';
    $subscriber->close;
    like lines('everything_on.log', $streams + 2)->[-1], qr/http_x_own=mine;/, 'is logged';
};

subtest 'the room' => sub {
    plan skip_all => 'freed memory is kept back to be watched' if $ENV{TEST_NGINX_SANITIZE};
    plan skip_all => 'all events pass through the filters' if $ENV{TEST_NGINX_CHAIN};
    defined private_memory($server->workers) or plan skip_all => 'this kernel has no smaps_rollup';
    my ($count, @subscribers, %each) = 150;
    # The first ones use memory that the tests above have freed.
    push @subscribers, map { $server->subscribe("/idle_$_?channel=idle")->ready } ('on', 'off') x 50;
    for my $direct (qw(on off)) {
        my $before = private_memory($server->workers);
        push @subscribers, map { $server->subscribe("/idle_$direct?channel=idle")->ready } 1 .. $count;
        $each{$direct} = (private_memory($server->workers) - $before) / $count;
    }
    note "$each{on} bytes for an idle subscriber, $each{off} without";
    cmp_ok $each{on}, '<', $each{off} - 1300, 'is given back';
    $_->close for @subscribers;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
