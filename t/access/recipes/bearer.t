# docs/access.md, "A bearer token": tokens in a file, also for pages of another origin; a token that is removed is no longer valid.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Recipe;

my ($sample) = recipe('tokens');
my ($alice, $bob) = $sample =~ /^"Bearer (\w+)" "user-\w+ \d+";$/mg;

# The file of the document, with tokens for any user and time.
my %token = ("alice 9999999999" => $alice, "bob 9999999999" => $bob);
sub tokens { return join '', map {"\"Bearer $token{$_}\" \"user-$_\";\n"} sort keys %token }

my $server = start('bearer', files => { 'tokens.map' => tokens() });

# A new token comes in with a reload, after which the stream is opened.
sub token ($user, $expires) {
    return $token{"$user $expires"} if $token{"$user $expires"};
    $token{"$user $expires"} = sprintf '%032x', $expires;
    $server->write_file('tokens.map', tokens());
    $server->wait_gone($server->reload);
    return $token{"$user $expires"};
}

sub bearer ($token, @more) { return ['/api/events', [Authorization => "Bearer $token", @more]] }

holds($server,
    grant => sub ($user, $expires) {
        return @{ bearer(token($user, $expires - time > 60 ? 9999999999 : $expires)) };
    },
    refuse => {
        'nothing'           => ['/api/events', []],
        'another token'     => bearer($alice =~ s/.\z/x/r),
        'part of a token'   => bearer(substr $alice, 0, -1),
        'a longer one'      => bearer("${alice}0"),
        'another scheme'    => ['/api/events', [Authorization => "Basic $alice"]],
        'a token in the URL' => ["/api/events?token=$alice&channel=user-alice", []],
        'a name in place of a token' => bearer('user-alice 9999999999'),
    },
    seconds => 5, # a reload is part of it
);

subtest 'a page of another origin' => sub {
    my @origin = (Origin => 'https://app.example');
    my $preflight = $server->request(OPTIONS => '/api/events', headers => [
        @origin,
        'Access-Control-Request-Method'  => 'GET',
        'Access-Control-Request-Headers' => 'authorization,last-event-id',
    ])->finish;
    is $preflight->status, 204, 'may ask without a token';
    like $preflight->header('Access-Control-Allow-Headers'), qr/\bauthorization\b/, 'whether it may send one';
    my ($path, $headers) = @{ bearer($alice, @origin) };
    my $stream = $server->subscribe($path, headers => $headers);
    is $stream->header('Access-Control-Allow-Origin'), 'https://app.example', 'and reads the stream';
    $stream->close;
    my $refused = $server->get('/api/events', headers => \@origin);
    is $refused->status, 401, 'it learns that it is refused';
    is $refused->header('Access-Control-Allow-Origin'), 'https://app.example', 'and may know';
};

subtest 'a token in capitals' => sub {
    my ($path, $headers) = @{ bearer(uc $alice) };
    my $client = $server->subscribe($path, headers => $headers, cursor => '0-0');
    is $client->next_event->{data}, "old of 'alice'", 'is the same token';
    $client->close;
};

subtest 'a token that is taken out of the file' => sub {
    my ($path, $headers) = @{ bearer($bob) };
    my $client = $server->subscribe($path, headers => $headers)->ready;
    delete $token{'bob 9999999999'};
    $server->write_file('tokens.map', tokens());
    $server->reload;
    is $client->wait_closed, 'abort', 'its stream ends with the reload';
    $server->publish('/publish?channel=user-bob', 'missed');
    my $answer = $server->get($path, headers => $headers, cursor => $client->last_event_id);
    is $answer->status, 401, 'and it is refused';
    unlike $answer->raw, qr/missed/, 'without what it has missed';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
