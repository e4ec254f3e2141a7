# docker/html/sse.js in Node against this module: headers that are renewed, a resume after a cut and after a reload, a gap, both
# ends, refusals that last and that do not, silence, an abort.
# needs: module node
use v5.36;
use lib 't/lib';
use JSON::PP qw(decode_json encode_json);
use Test::More;
use SSE::App;
use SSE::Clients;
use SSE::Nginx;

my @posted;
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return (200, ['Content-Type' => 'text/event-stream'],
        "retry: 60000\n\ndata: " . join(' ', $method, $headers->{'content-type'} // 'none', $body) . "\n\n");
});
my $server = SSE::Nginx->start(
    workers => 2,
    http    => <<'END',
sse_zone events 4m;
    sse_retry 250ms 0%;
    sse_end_event end;
    log_format request '$uri $status "$http_authorization" "$http_accept" "$http_last_event_id"';
    map $http_authorization $who { ~^Bearer.\d$ somebody; }
END
    server => <<"END",
access_log requests.log request;
        location = /sub     { sse_channel \$arg_channel; }
        location = /pub     { sse_publish \$arg_channel; access_log off; }
        location = /recent  { sse_channel \$arg_channel; sse_history 2; }
        location = /silent  { sse_channel \$arg_channel; sse_heartbeat off; }
        location = /private {
            if (\$who = "") { return 401; }
            sse_channel \$arg_channel;
        }
        location = /busy {
            root .;
            if (-f \$document_root/busy) { add_header Retry-After 1 always; return 503; }
            sse_channel \$arg_channel;
        }
        location = /page    { return 200 "<p>Log in"; default_type text/html; }
        location = /ask     { proxy_pass http://127.0.0.1:@{[ $app->port ]}; }
END
);

sub client ($path, %option) {
    my $url = 'http://127.0.0.1:' . $server->port . $path;
    return SSE::Clients->spawn('node', 't/clients/sse_js.mjs', $url, encode_json(\%option));
}

# The next event of a type, and the types of those before it.
sub next_of ($client, $type) {
    my @before;
    while (defined(my $line = $client->line)) {
        my $event = decode_json($line);
        return wantarray ? ($event, @before) : $event if $event->{type} eq $type;
        push @before, $event->{type};
    }
    die "the client has ended before \"$type\", with @before";
}
sub texts ($client, $count) { return [map { next_of($client, 'message')->{data} } 1 .. $count] }
sub order ($client, $word) {
    say { $client->{input} } $word;
    $client->{input}->flush;
}

# All other events, after the end of its input.
sub rest ($client) {
    CORE::close $client->{input};
    return [map { decode_json($_)->{type} } $client->rest];
}
sub publish ($channel, @texts) {
    $server->publish("/pub?channel=$channel", $_)->status == 201 or die 'not published' for @texts;
}
sub requests ($path) { return [$server->read_file('requests.log') =~ m{^\Q$path\E (.*)$}mg] }

subtest 'connect, cut, reload' => sub {
    my $client = client('/sub?channel=cut');
    is_deeply next_of($client, 'open'), { type => 'open', status => 200, state => 1 }, 'it opens';
    my $ready = next_of($client, 'ready');
    ok $ready->{id}, 'and knows where it is';
    publish('cut', 'one', "two\nlines", "Gr\xc3\xbc\xc3\x9fe");
    is_deeply texts($client, 3), ['one', "two\nlines", "Gr\xfc\xdfe"], 'events come';

    $server->allow(qr/exited on signal 9/);
    $server->kill9($_) for $server->workers;
    publish('cut', 'three', 'four');
    my ($error, @before) = next_of($client, 'error');
    is_deeply \@before, [], 'a cut is an error';
    ok $error->{delay} >= 250 && $error->{delay} <= 375 && $error->{state} == 0, 'it comes back after the time that nginx has set'
        or diag explain $error;
    is_deeply texts($client, 2), ['three', 'four'], 'with what has been published meanwhile';

    $server->wait_gone($server->reload); # a worker that leaves could deliver the event, and cut the stream off after it
    publish('cut', 'five');
    is_deeply texts($client, 1), ['five'], 'and so it does after a reload';
    order($client, 'close');
    is_deeply [next_of($client, 'close'), rest($client)->@*], [{ type => 'close', reason => 'closed', state => 2 }],
        'closed it is closed';
    # Requests of a killed worker are in no log.
    is_deeply [grep {!/"\d+-\d+"$/} requests('/sub')->@*], [], 'each request but the first has sent the last id';
};

subtest 'a gap' => sub {
    my $first = $server->publish('/pub?channel=gap', 1)->json->{id};
    publish('gap', 2 .. 6);
    my $client = client('/recent?channel=gap', lastEventId => $first);
    my $gap = next_of($client, 'gap');
    is decode_json($gap->{data})->{missed}, 3, 'is an event with what nginx says of it';
    is_deeply texts($client, 2), [5, 6], 'and the rest follows';
};

subtest 'the end' => sub {
    publish('end', 'the only one');
    my $client = client('/sub?channel=end', lastEventId => '0-0');
    is_deeply texts($client, 1), ['the only one'], 'the channel is there';
    $server->publish('/pub?channel=end&end', 'the last one');
    is_deeply texts($client, 1), ['the last one'], 'and its last event';
    my ($close, @before) = next_of($client, 'close');
    is_deeply [$close, @before], [{ type => 'close', reason => 'ended', state => 2 }, 'end'], 'the end event closes it';
    order($client, 'close');
    is_deeply rest($client), [], 'once';
    my $came = sub { scalar grep {/"0-0"/} requests('/sub')->@* };
    wait_until($came, 'the request in the log');
    is $came->(), 1, 'and it does not come back';

    my $late = client('/sub?channel=end', lastEventId => $server->get('/pub?channel=end')->json->{last_id});
    is_deeply next_of($late, 'close'), { type => 'close', reason => 'ended', status => 204, state => 2 }, 'and so does a 204';

    my $other = client('/sub?channel=end', lastEventId => '0-0', endEvent => '');
    next_of($other, 'end');
    is next_of($other, 'error')->{delay} >= 86_400_000, 1, 'who is told of no end event waits as nginx says';
};

subtest 'refusals' => sub {
    my $client = client('/private?channel=a', headers => { authorization => 'Basic x' });
    is_deeply [next_of($client, 'close')], [{ type => 'close', reason => 'refused', status => 401, state => 2 }], 'a 401 closes it';
    $client = client('/page');
    is_deeply [next_of($client, 'close')], [{ type => 'close', reason => 'refused', status => 200, state => 2 }],
        'and so does what is no event stream';

    $server->write_file('busy', '');
    $client = client('/busy?channel=busy', retry => 100);
    my $error = next_of($client, 'error');
    is_deeply [@$error{qw(status state)}], [503, 0], 'a 503 does not';
    ok $error->{delay} >= 1000 && $error->{delay} <= 1500, 'it waits as long as Retry-After says' or diag explain $error;
    unlink $server->prefix . '/busy';
    next_of($client, 'ready');
    publish('busy', 'there');
    is_deeply texts($client, 1), ['there'], 'and is there';
};

subtest 'headers' => sub {
    my $client = client('/private?channel=token', tokens => 2);
    next_of($client, 'ready');
    $server->wait_gone($server->reload); # so that the stream has been cut off
    publish('token', 'after a cut');
    is_deeply texts($client, 1), ['after a cut'], 'a function makes them';
    $server->reload;
    my @error = map { scalar next_of($client, 'error') } 1 .. 3;
    is_deeply [map { $_->{error} } @error[1, 2]], [('no more tokens') x 2], 'what goes wrong in it is an error';
    ok $error[1]{delay} >= 500 && $error[2]{delay} >= 1000 && $error[2]{delay} <= 1500, 'and each failure doubles the pause' or diag explain \@error;
    is_deeply [map {/Bearer (\d)/} requests('/private')->@*], [1, 2], 'it makes others for each connect';
    is scalar(grep {!m{"text/event-stream"}} requests('/private')->@*), 0, 'among which is what it accepts';
};

subtest 'a body' => sub {
    my $client = client('/ask', body => '{"question":"why?"}', headers => { 'content-type' => 'application/json' });
    is_deeply texts($client, 1), ['POST application/json {"question":"why?"}'], 'is posted';
    is_deeply next_of($client, 'error')->{delay} >= 60_000, 1, 'the server has set the time';
    $client = client('/ask', method => 'PUT', body => 'x');
    is_deeply texts($client, 1), ['PUT text/plain;charset=UTF-8 x'], 'by another method, too';
};

subtest 'silence' => sub {
    my $client = client('/silent?channel=silent', timeout => 400);
    next_of($client, 'ready');
    my $error = next_of($client, 'error');
    is $error->{error}, 'silence', 'is taken for a cut';
    publish('silent', 'a word');
    is_deeply texts($client, 1), ['a word'], 'and nothing is lost by it';
};

subtest 'an abort' => sub {
    my $client = client('/sub?channel=abort');
    next_of($client, 'ready');
    order($client, 'abort');
    is_deeply [next_of($client, 'close')], [{ type => 'close', reason => 'aborted', state => 2 }], 'closes it';
    wait_until(sub { $server->get('/pub?channel=abort')->json->{subscribers} == 0 }, 'nginx to notice');
    pass 'nginx notices';
    order($client, 'close');
    is_deeply rest($client), [], 'that is all';
};

$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
