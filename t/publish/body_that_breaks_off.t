# A body that breaks off, or in whose chunks nginx finds a fault: what comes before is published, even if it arrives together with the
# end of the connection or with the fault.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $server = SSE::Nginx->start(
    subscribe => 'sse_start earliest;',
    http      => "sse_zone events 4m; client_max_body_size 1m;",
    locations => <<'END',
location = /lines  { sse_publish $arg_channel; sse_framing lines; }
        location = /ndjson { sse_publish $arg_channel; sse_framing ndjson; }
        location = /sse    { sse_publish $arg_channel; sse_framing sse; }
        location = /rate   { sse_publish $arg_channel; sse_framing lines; sse_max_rate 200; }
        location = /page   { sse_publish $arg_channel; sse_framing lines; error_page 400 413 = /elsewhere; }
        location = /elsewhere { return 200 page; }
        location = /event  { sse_publish $arg_channel; sse_framing event; }
END
);
my ($worker) = $server->workers;

# How many events a channel has. A mark that is published after them shows where they end.
sub published ($channel) {
    $server->publish("/pub?channel=$channel", 'the end');
    my $subscriber = $server->subscribe("/sub?channel=$channel");
    my $count      = 0;
    while (my $event = $subscriber->next_event) {
        last if $event->{data} eq 'the end';
        ++$count;
    }
    $subscriber->close;
    return $count;
}

sub chunk ($bytes) { return sprintf "%x\r\n%s\r\n", length $bytes, $bytes }

my %text = (
    lines  => sub ($number) {"line $number\n"},
    ndjson => sub ($number) {qq({"n":$number}\n)},
    sse    => sub ($number) {"data: $number\n\n"},
    rate   => sub ($number) {"line $number\n"},
    page   => sub ($number) {"line $number\n"},
);

# The whole request, and the end of the connection, have arrived before the worker sees them.
sub at_once ($path, $header, $body, $leaves) {
    my $client = $server->connect;
    SSE::Process::freeze($worker);
    $client->send_raw("POST $path HTTP/1.1\r\nHost: localhost\r\n$header\r\n\r\n$body", method => 'POST');
    $client->shut if $leaves;
    SSE::Process::thaw($worker);
    return $client;
}

# The last event is incomplete and does not count. Two events fit into the buffer of the head; 5000 fit into no buffer.
for my $count (2, 300, 5000) {
    for my $framing ($count == 5000 ? () : 'rate', qw(lines ndjson sse)) {
        my $body = join('', map { $text{$framing}->($_) } 1 .. $count) . 'dat';
        for my $length (0, 1) {
            my $header  = $length ? 'Content-Length: 1000000' : 'Transfer-Encoding: chunked';
            my $channel = "left-$framing-$count-$length";
            my $client  = at_once("/$framing?channel=$channel", $header, $length ? $body : chunk($body), 1);
            $client->wait_closed;
            is published($channel), $count, "$framing: the client leaves after $count events, " . ($length ? 'with a length' : 'chunked');
        }
    }
}

# The good chunks are more than nginx reads at a time (large_client_header_buffers).
for my $framing (qw(lines ndjson page sse)) {
    my $count = 5000;
    my $good  = chunk(join '', map { $text{$framing}->($_) } 1 .. $count);
    for my $fault (['zz', 400], ["200000\r\nx", 413]) {
        my ($line, $status) = @$fault;
        my $channel = "fault-$framing-$status";
        my $answer  = at_once("/$framing?channel=$channel", 'Transfer-Encoding: chunked', "$good$line\r\n", 0)->finish;
        is $answer->status, $status, "$framing: $status";
        my $events = ($answer->json // {})->{events} // 0;
        cmp_ok $events, '>', 4000, 'after most of them';
        is published($channel), $events, 'as many as it says';
        is $answer->header('Connection'), 'close', 'and the connection ends';
    }
}

subtest 'a body that is one event' => sub {
    at_once('/event?channel=one', $_, 'half of it', 1)->wait_closed for 'Content-Length: 100', 'Content-Length: 1000000';
    at_once('/event?channel=one', 'Transfer-Encoding: chunked', chunk('half of it'), 1)->wait_closed;
    is published('one'), 0, 'is not published in part';
};

subtest 'nothing good' => sub {
    my $answer = at_once('/page?channel=none', 'Transfer-Encoding: chunked', "zz\r\n", 0)->finish;
    is $answer->body, 'page', 'goes to the error page';
    at_once('/lines?channel=none', 'Content-Length: 10', '', 1)->wait_closed;
    is published('none'), 0, 'is nothing';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
