# An EventSource of a real browser that is put off (sse_reject soft, sse_later) comes back by itself after the time that the
# server has set; one that is refused with a status never does.
# needs: module browser
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

my $server = SSE::Nginx->start(
    listen => [qw(h1 h2)],
    http   => 'sse_zone events 4m; limit_conn_zone $arg_key zone=who:1m; sse_key $arg_key;',
    server => <<'END',
location = /page { default_type text/html; return 200 "<!doctype html><title>a page</title>"; }
        location = /hard { sse_channel c; sse_max_subscribers 1 per=key; }
        location = /soft { sse_channel c; sse_max_subscribers 1 per=key; sse_reject soft 1500ms 0%; }
        location = /conn { sse_channel c; limit_conn who 1; error_page 503 = @later; }
        location @later  { sse_later 1500ms 0%; }
END
);

for my $via (qw(h1 h2)) {
    my $own = ($via eq 'h2' ? 'https' : 'http') . '://127.0.0.1:' . $server->port($via);
    my (%first, %report);
    for my $path (qw(soft conn hard)) {
        my $where = "/$path?key=$path$via";
        $first{"$own$where"}  = $server->subscribe($where)->ready;
        $report{"$own$where"} = [];
    }
    my $browser = SSE::Playwright::start('put_off.mjs', sort keys %first);
    while (my $line = readline $browser) {
        my $report = decode_json($line);
        push @{ $report{ $report->{url} } }, $report;
        $first{ $report->{url} }->close if $report->{what} eq 'error';
    }
    is SSE::Playwright::status($browser), 0, "over $via the browser has ended well";

    for my $url (sort keys %report) {
        subtest $url =~ s{.*/|\?.*}{}gr . " over $via" => sub {
            my @report = @{ $report{$url} };
            return is_deeply [map {"$_->{what} $_->{state}"} @report], ['error 2'], 'it is closed, and that is all' if $url =~ /hard/;
            my @error = grep { $_->{what} eq 'error' } @report;
            is $error[0]{state}, 0, 'it goes on trying';
            is $report[-1]{what}, 'ready', 'and is let in when there is room';
            is scalar(grep { $_->{what} eq 'message' } @report), 0, 'it takes nothing for an event';
            # The browser waits for 1500 ms, but the page may hear of the error late.
            cmp_ok $report[-1]{time} - $error[0]{time}, '>', 750, 'after the time that it was told' or diag explain \@report;
            cmp_ok scalar @error, '<', 4, 'and has not asked much more often';
        };
    }
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
