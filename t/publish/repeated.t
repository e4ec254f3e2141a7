# Requests that are repeated because their outcome is not known: each is published once.
# needs: module faults
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::App;
use SSE::Faulty;
use SSE::Nginx;
use SSE::Parallel;
use SSE::Util;

my $app = SSE::App->start(sub { return (200, ['X-Accel-Redirect' => '/inside'], 'taken') });
my $server = SSE::Nginx->start(
    workers   => 2,
    listen    => [qw(h1 tls h2c)],
    zone      => '2m',
    locations => <<"END",
location = /lines { sse_publish \$arg_channel; sse_framing lines; sse_max_batch 8k; client_max_body_size 1m; }
        location = /named { sse_publish \$arg_channel; sse_event_id \$request_id; }
        location = /once { sse_publish \$arg_channel; sse_reopen off; }
        location /of/ { rewrite ^/of/(.*) /pub?channel=\$1 last; }
        location = /here { rewrite ^ /there break; sse_publish here; }
        location = /tried { try_files /none \@tried; }
        location \@tried { sse_publish tried; }
        location = /teapot { error_page 418 = /inside; return 418; }
        location = /app { proxy_pass http://127.0.0.1:@{[$app->port]}; }
        location = /inside { internal; sse_publish redirected; }
        location = /mirrored { mirror /mirror; proxy_pass http://127.0.0.1:@{[$app->port]}; }
        location = /mirror { internal; sse_publish mirrored; }
END
);

sub publish ($path, $body, $headers, @more) { return $server->publish($path, $body, headers => $headers, @more) }
sub keyed ($channel, $key, $body, @more) { return publish("/pub?channel=$channel", $body, ['Idempotency-Key' => $key], @more) }
sub produced ($channel, $id, $epoch, $number, @more) {
    return publish("/pub?channel=$channel", "$id/$epoch/$number",
        ['Producer-Id' => $id, 'Producer-Epoch' => $epoch, 'Producer-Seq' => $number], @more);
}
sub data ($channel) {
    $server->publish("/pub?channel=$channel", 'end');
    my $subscriber = $server->subscribe("/sub?channel=$channel", cursor => '0-0');
    my @data;
    while (my $event = $subscriber->next_event) {
        return \@data if $event->{data} eq 'end';
        push @data, $event->{data};
    }
    return;
}

for my $via (qw(h1 tls h2c)) {
    subtest "a key, over $via" => sub {
        my $first = keyed("key$via", 'k1', 'once', via => $via);
        is $first->status, 201, 'published';
        for (1 .. 3) {
            my $again = keyed("key$via", 'k1', 'once', via => $via);
            is $again->status, 200, 'the same again';
            is_deeply $again->json,
                { id => $first->json->{id}, channel => "key$via", subscribers => 0, events => 0, repeated => JSON::PP::true },
                'has the first id';
        }
        is keyed("key$via", '"k1"', 'once', via => $via)->json->{id}, $first->json->{id}, 'in quotes it is the same';
        is keyed("key$via", 'k2', 'twice', via => $via)->status, 201, 'another key';
        is keyed("other$via", 'k1', 'elsewhere', via => $via)->status, 201, 'another channel';
        is_deeply data("key$via"), ['once', 'twice'], 'each is there once';
    };
}

subtest 'a key and an id of the publisher' => sub {
    my @request = ('/pub?channel=ids', "id: own\ndata: x\n\n", ['Idempotency-Key' => 'k'], type => 'text/event-stream');
    my $first = publish(@request)->json->{id};
    like $first, qr/~own\z/, 'the id has both';
    is publish(@request)->json->{id}, $first, 'the second time, too';
};

subtest 'an id that is made for each request' => sub {
    my @first = map { publish("/named?channel=named", 'x', ['Idempotency-Key' => $_])->json->{id} } qw(k l);
    like $first[0], qr/~\w{32}\z/, 'has one';
    is publish('/named?channel=named', 'x', ['Idempotency-Key' => 'k'])->json->{id}, $first[0], 'the first one comes again';
    $server->publish('/pub?channel=named', 'x', headers => ['Idempotency-Key' => 'm']);
    unlike publish('/named?channel=named', 'x', ['Idempotency-Key' => 'm'])->json->{id}, qr/~/, 'or none';
};

subtest 'many events under one key' => sub {
    my $first = publish('/lines?channel=many', "a\nb\nc\n", ['Idempotency-Key' => 'm']);
    is_deeply [$first->status, $first->json->{events}], [201, 3], 'published';
    my $again = publish('/lines?channel=many', "a\nb\nc\n", ['Idempotency-Key' => 'm']);
    is_deeply [$again->status, @{ $again->json }{qw(id events ended)}], [200, $first->json->{id}, 0, undef], 'and not again';
    is_deeply data('many'), [qw(a b c)], 'each is there once';
    my $open = $server->stream('/lines?channel=many', headers => ['Idempotency-Key' => 'n']);
    $open->feed("a\n");
    is $open->finish->status, 411, 'a body without a length is refused';
};

subtest 'a key and an end' => sub {
    my $first = publish('/once?channel=ends&end', 'last', ['Idempotency-Key' => 'e']);
    is $first->json->{ended}, JSON::PP::true, 'ended';
    my $again = publish('/once?channel=ends&end', 'last', ['Idempotency-Key' => 'e']);
    is_deeply [$again->status, @{ $again->json }{qw(id ended)}], [200, $first->json->{id}, JSON::PP::true],
        'what ended the channel can be repeated';
    for my $attempt (1, 2) {
        my $answer = publish('/lines?channel=endsmany&end', "a\nb\n", ['Idempotency-Key' => 'e']);
        is $answer->json->{ended}, JSON::PP::true, 'many events, too';
    }
    is publish('/once?channel=ends', 'more', ['Idempotency-Key' => 'f'])->status, 409, 'and nothing else comes';
    publish('/pub?channel=ends', 'anew', []);
    is publish('/once?channel=ends&end', 'last', ['Idempotency-Key' => 'e'])->status, 200, 'later, too';
    is compare_ids($server->get('/pub?channel=ends')->json->{last_id}, $first->json->{id}), 1, 'it has begun anew';
    is publish('/once?channel=ends', 'still open', [])->status, 201, 'and the repeat has not ended it';
};

sub delete_as ($channel, @headers) { return $server->request(DELETE => "/pub?channel=$channel", headers => \@headers)->finish }

subtest 'a key and DELETE' => sub {
    my $event = keyed('deleted', 'event', 'x')->json->{id};
    my $other = delete_as('deleted', 'Idempotency-Key' => 'event');
    is_deeply [$other->status, @{ $other->json }{qw(ended_id repeated)}], [200, $event, JSON::PP::true], 'the key of an event';
    is publish('/once?channel=deleted', 'y', [])->status, 201, 'ends nothing';
    my $end = delete_as('deleted', 'Idempotency-Key' => 'k');
    is $end->json->{repeated}, undef, 'the first time';
    for (1 .. 2) {
        my $again = delete_as('deleted', 'Idempotency-Key' => 'k');
        is_deeply [$again->status, @{ $again->json }{qw(ended_id repeated)}], [200, $end->json->{ended_id}, JSON::PP::true], 'again';
        publish('/pub?channel=deleted', 'anew', []);
    }
    is publish('/once?channel=deleted', 'still open', [])->status, 201, 'which does not end it again';
};

# Nothing is recorded by which the request could be recognised later.
subtest 'what is there already' => sub {
    my @number = map { ['Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => $_] } 0 .. 2;
    publish('/pub?channel=over', 'x', $number[0]);
    is delete_as('over')->status, 200, 'ended';
    is delete_as('over')->status, 200, 'twice';
    for my $end (delete_as('over', @{ $number[1] }), publish('/pub?channel=over&end', '', ['Idempotency-Key' => 'k'])) {
        is_deeply [$end->status, $end->json->{error}], [409, 'the channel has ended'], 'but not on behalf of two requests';
    }
    is publish('/pub?channel=over', 'y', $number[1])->status, 201, 'and the number is still the next one';
    is delete_as('over', @{ $number[2] })->status, 200, 'the next can end it';
};

subtest 'no events' => sub {
    my @number = map { ['Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => $_] } 0 .. 1;
    publish('/lines?channel=empty', "x\n", $number[0]);
    for my $headers ($number[1], ['Idempotency-Key' => 'k'], ['If-None-Match' => '"1-1"']) {
        my $answer = publish('/lines?channel=empty', '', $headers);
        is_deeply [$answer->status, $answer->json->{error}], [400, 'a request with a precondition must publish at least one event'], "with $headers->[0]";
    }
    is publish('/lines?channel=empty', "y\n", $number[1])->status, 201, 'and the number is still the next one';
    is publish('/lines?channel=empty&end', '', ['Idempotency-Key' => 'k'])->json->{ended}, JSON::PP::true, 'but an end is something';
};

subtest 'bad keys' => sub {
    for my $key ('', '""', 'x' x 201, "\"a\"b\"", "caf\xc3\xa9", '"') {
        my $answer = keyed('bad', $key, 'x');
        is_deeply [$answer->status, $answer->json->{error}], [400, 'invalid Idempotency-Key'], "\"$key\"";
    }
    is publish('/pub?channel=bad', 'x', ['Idempotency-Key' => 'a', 'Idempotency-Key' => 'b'])->status, 400, 'two of them';
    is $server->get('/pub?channel=bad')->json->{last_id}, undef, 'nothing is published';
    is keyed('good', 'x' x 200, 'x')->status, 201, 'the longest';
};

subtest 'producers' => sub {
    is produced('prod', 'p', 7, 5)->status, 201, 'one that is not known begins with any number';
    my @id = map { produced('prod', 'p', 7, $_)->json->{id} } 6 .. 8;
    for my $number (6 .. 8) {
        my $again = produced('prod', 'p', 7, $number);
        is_deeply [$again->status, $again->json->{id}], [200, $id[$number - 6]], "$number again has its first id";
    }
    my $gap = produced('prod', 'p', 7, 10);
    is_deeply [$gap->status, $gap->json], [409, { error => 'an earlier request of the producer is missing', expected => 9 }], 'a gap';
    is produced('prod', 'p', 8, 1)->json->{expected}, 0, 'a new epoch begins with 0';
    is produced('prod', 'p', 8, 0)->status, 201, 'like this';
    my $stale = produced('prod', 'p', 7, 9);
    is_deeply [$stale->status, $stale->json], [403, { error => 'the producer has begun a newer epoch', epoch => 8 }], 'the old one is out';
    is produced('prod', 'p', 7, 8)->json->{id}, $id[2], 'but what it has published can be repeated';
    is produced('prod', 'q', 1, 0)->status, 201, 'another producer';
    is produced('prod2', 'p', 1, 0)->status, 201, 'another channel';
    is_deeply data('prod'), [qw(p/7/5 p/7/6 p/7/7 p/7/8 p/8/0 q/1/0)], 'each is there once, in order';
    is produced('prod', 'p', 8, '18446744073709551615')->status, 409, 'the largest number';
};

subtest 'bad producers' => sub {
    my @all = ('Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => 0);
    for my $bad ([@all[0 .. 3]], [@all[0, 1, 4, 5]], [@all[2 .. 5]], [@all, 'Producer-Seq' => 1], [@all[0 .. 3], 'Producer-Seq' => -1],
        [@all[0 .. 3], 'Producer-Seq' => '1x'], [@all[0 .. 3], 'Producer-Seq' => '18446744073709551616'],
        [@all[0 .. 3], 'Producer-Seq' => ''], ['Producer-Id' => '', @all[2 .. 5]], ['Producer-Id' => 'x' x 201, @all[2 .. 5]])
    {
        is publish('/pub?channel=badp', 'x', $bad)->status, 400, "@$bad";
    }
    my $both = publish('/pub?channel=badp', 'x', [@all, 'Idempotency-Key' => 'k']);
    is_deeply [$both->status, $both->json->{error}], [400, 'Idempotency-Key and Producer-Id cannot be combined'], 'with a key';
    is $server->get('/pub?channel=badp')->json->{last_id}, undef, 'nothing is published';
};

subtest 'many at the same time' => sub {
    my $rounds = 20;
    my @seen = parallel(sub ($i) {
        return { map { my $answer = keyed('race', "r$_", "r$_"); ($_ => [$answer->status, $answer->json->{id}]) } 1 .. $rounds };
    }, 1 .. 8);
    for my $round (1 .. $rounds) {
        my @answers = map { $_->{$round} } @seen;
        is scalar(grep { $_->[0] == 201 } @answers), 1, 'one of eight has published';
        is scalar(keys %{ { map { $_->[1] => 1 } @answers } }), 1, 'and all have its id';
    }
    is scalar(@{ data('race') }), $rounds, 'each is there once';
};

subtest 'a location by another name' => sub {
    for my $case (['/of/rewritten', 'rewritten'], ['/here', 'here'], ['/tried', 'tried']) {
        my ($path, $channel) = @$case;
        is_deeply [map { publish($path, 'x', ['Idempotency-Key' => 'k'])->status } 1 .. 2], [201, 200], $path;
        is publish($path, 'x', ['If-None-Match' => '*'])->status, 412, 'with a condition';
        is_deeply data($channel), ['x'], 'published once';
    }
    is $server->request(DELETE => '/of/rewritten', headers => ['If-Match' => '"1-1"'])->finish->status, 412, 'DELETE';
};

subtest 'what is not meant for us' => sub {
    is publish('/teapot', 'w', ['If-Match' => '"1-1"'])->status, 201, 'an error page publishes' for 1 .. 2;
    is publish('/app', 'x', ['Idempotency-Key' => 'k'])->status, 201, 'a redirected request is published' for 1 .. 2;
    is_deeply data('redirected'), ['w', 'w', 'x', 'x'], 'each time';
    is publish('/mirrored', 'y', ['Idempotency-Key' => 'k'])->status, 201, 'a mirrored one, too' for 1 .. 2;
    my $mirrored = $server->subscribe('/sub?channel=mirrored', cursor => '0-0');
    is_deeply [$mirrored->data(2)], ['y', 'y'], 'each time';
};

subtest 'reload and a new size of the zone' => sub {
    my $first = keyed('stays', 'k', 'x')->json->{id};
    produced('stays', 'p', 1, 0);
    $server->reload;
    is keyed('stays', 'k', 'x')->json->{id}, $first, 'known after a reload';
    $server->{zone} = '4m';
    $server->reload;
    is keyed('stays', 'k', 'x')->json->{id}, $first, 'and in a larger zone';
    is produced('stays', 'p', 1, 2)->json->{expected}, 1, 'producers, too';
};

is_deeply [$server->stop], [], 'no trouble';

# Once another log has taken over from a log, the old one does not know what has been published since.
subtest 'a body that comes in after a new size of the zone' => sub {
    my $resized = SSE::Nginx->start(drain => '60s', zone => '1m');
    my $send = sub ($number) { ['Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => $number] };
    $resized->publish('/pub?channel=c', 'zero', headers => $send->(0));
    my $control = $resized->connect;
    my $late = $resized->connect->send_raw("POST /pub?channel=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
            . "Producer-Id: p\r\nProducer-Epoch: 1\r\nProducer-Seq: 2\r\n\r\nt");
    $resized->get('/status', on => $control) for 1 .. 2; # the only worker has seen what was sent before
    $resized->{http} = 'sse_zone events 2m;';
    my @old = $resized->reload;
    is $resized->publish('/pub?channel=c', 'one', headers => $send->(1))->status, 201, 'one before it';
    $late->write('wo');
    is_deeply [$late->status, $late->json->{error}], [503, 'nginx has a new zone, try again'], 'is to come again';
    is $resized->publish('/pub?channel=c', 'two', headers => $send->(2))->status, 201, 'which it may';
    $late->close;
    $resized->wait_gone(@old);
    is_deeply [$resized->stop], [], 'no trouble';
};

subtest 'a number whose event is not known any more' => sub {
    my $small = SSE::Nginx->start(zone => '256k');
    my $send = sub ($method, $number, $body = undef) {
        return $small->request($method => '/pub?channel=c', body => $body,
            headers => ['Producer-Id' => 'p', 'Producer-Epoch' => 1, 'Producer-Seq' => $number])->finish;
    };
    $send->(POST => $_, 'x' x 1000) for 0 .. 600; # more bytes than the zone has
    my $answer = $send->(POST => 0, 0);
    is_deeply [$answer->status, @{ $answer->json }{qw(id repeated)}], [200, undef, JSON::PP::true], 'is still known to be repeated';
    $answer = $send->(DELETE => 0);
    is_deeply [$answer->status, @{ $answer->json }{qw(ended_id repeated)}], [200, undef, JSON::PP::true], 'by DELETE, too';
    is $small->get('/pub?channel=c')->json->{last_id}, $send->(POST => 600, '')->json->{id}, 'and nothing has happened';
    is_deeply [$small->stop], [], 'no trouble';
};

# Kills the worker at each step of a change of the log: however far it has come, a repeated request is answered truthfully.
SKIP: {
    my $module = SSE::Faulty::module() or skip SSE::Faulty::reason(), 1;
    local $ENV{TEST_NGINX_MODULE} = $module;
    my $faulty = SSE::Nginx->start(workers => 2, locations => 'location = /crash { sse_publish $arg_channel; sse_framing lines; sse_test_crash_at $arg_crash; }');
    $faulty->allow(qr/exited on signal 9/, qr/zone "\w+" was locked by/);
    my $died = 0;
    subtest 'killed at each step' => sub {
        for my $step (1 .. 200) {
            my $send = sub ($crash) {
                return eval { $faulty->publish("/crash?channel=c&crash=$crash", "a$step\nb$step\n", headers => ['Idempotency-Key' => $step]) };
            };
            my $answer = $send->($step);
            my $isDead = !$answer || $answer->{ended} ne 'clean' || !defined $answer->{status};
            $died += $isDead;
            my $again;
            wait_until(sub { $again = $send->(0); $again && $again->{ended} eq 'clean' }, 'another worker');
            like $again->status, qr/\A20[01]\z/, 'accepted';
            last unless $isDead;
        }
        cmp_ok $died, '>', 10, 'there are steps to die at';
        my $subscriber = $faulty->subscribe('/sub?channel=c', cursor => '0-0');
        my @data = $subscriber->data(2 * ($died + 1));
        is_deeply \@data, [map { ("a$_", "b$_") } 1 .. $died + 1],
            'each request is there once, and whole';
    };
    is_deeply [$faulty->stop], [], 'no trouble';
}
done_testing;
