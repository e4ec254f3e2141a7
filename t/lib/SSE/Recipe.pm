package SSE::Recipe;

# A recipe of docs/access.md, run as it stands, and what must hold of each.
#
#   my $server = start('application', app => $app);
#   holds($server,
#       grant  => sub ($user, $expires) { return ('/private', [Authorization => "..."]) },
#       refuse => { 'without a token' => ['/private', []], ... });
#
# `grant` gives the path and the headers by which a user of that name listens to the channel user-NAME until then. Further options:
# lasts (1: access does not expire), seconds (for how long access is granted that is to expire; default 4).

use v5.36;
use Exporter 'import';
use Test::More;
use Time::HiRes qw(time);
use SSE::Document ();
use SSE::Nginx;
our @EXPORT = qw(recipe start holds);

my $document = 'docs/access.md';

# The blocks of that name in the document.
sub recipe ($name) { return SSE::Document::samples($document, $name) }

# nginx with recipes, of which blocks of locations go into the server, and a location to publish from. Options: app, files (name
# and text of each), shorten (what changes the text of a recipe), and those of SSE::Nginx.
sub start ($names, %option) {
    my ($http, $server) = map { delete $option{$_} // '' } qw(http server);
    my $shorten = delete $option{shorten} // sub ($text) { $text };
    for my $block (map { $shorten->($_) } map { recipe($_) } ref $names ? @$names : $names) {
        ($block =~ /\A(?:\s*#[^\n]*\n)*\s*location/ ? $server : $http) .= $block;
    }
    my $app = delete $option{app};
    $server =~ s/\b9000\b/$app->port/ge if $app;
    my %file = %{ delete $option{files} // {} };
    my $nginx = SSE::Nginx->new(
        listen => [qw(h1 h2)],
        http   => "sse_zone events 4m;\n$http",
        server => "location = /publish { sse_publish \$arg_channel; allow 127.0.0.1; deny all; }\n$server",
        %option,
    );
    $nginx->write_file($_, $file{$_}) for keys %file;
    my ($good, $output) = $nginx->check;
    die $output unless $good;
    unlike $output, qr/\[(?:warn|error)\]/, 'nginx -t has nothing to say';
    $nginx->launch or die $nginx->log;
    return $nginx;
}

sub publish ($server, $user, $text) {
    $server->publish("/publish?channel=user-$user", $text)->status == 201 or die 'not published';
}

sub listen_to ($server, $request, %option) {
    my ($path, $headers) = @$request;
    return $server->subscribe($path, headers => $headers, %option);
}

# The response is no stream, and contains nothing of a channel.
sub is_refused ($server, $request, $what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = listen_to($server, $request, %option)->finish;
    like $answer->status, qr/\A40[13]\z/, "$what: refused";
    unlike $answer->raw, qr{data:|text/event-stream}, 'without an event';
}

sub holds ($server, %recipe) {
    my $grant = sub ($user, $seconds = 3600) { return [$recipe{grant}->($user, int(time) + $seconds)] };
    publish($server, $_, "old of '$_'") for qw(alice bob), '';
    refuses($server, $recipe{refuse});
    gives_each_user_a_channel($server, $grant, $_) for qw(h1 h2);
    checks_each_request($server, $grant, values %{ $recipe{refuse} });
    expires($server, $grant, $recipe{seconds} // 4) unless $recipe{lasts};
}

sub refuses ($server, $refuse) {
    subtest 'who is refused' => sub {
        for my $what (sort keys %$refuse) {
            is_refused($server, $refuse->{$what}, "$what, over $_", via => $_, cursor => '0-0') for qw(h1 h2);
        }
    };
}

sub gives_each_user_a_channel ($server, $grant, $via) {
    subtest "each user has a channel, over $via" => sub {
        my %client = map { $_ => listen_to($server, $grant->($_), via => $via, cursor => '0-0') } qw(alice bob);
        is $client{$_}->next_event->{data}, "old of '$_'", "$_ comes back" for sort keys %client;
        publish($server, $_, "new of '$_' over $via") for qw(bob alice);
        for my $user (sort keys %client) {
            1 until ($client{$user}->next_event->{data} // die 'nothing') eq "new of '$user' over $via";
            my @other = grep { $_ ne $user } keys %client;
            unlike $client{$user}->body, qr/'(?:$other[0])?'/, 'and gets nothing else';
        }
        $_->close for values %client;
    };
}

# One after the other on one connection.
sub checks_each_request ($server, $grant, @refused) {
    my ($alice, $bob) = map { $grant->($_) } qw(alice bob);
    my @request  = ($alice, @refused, $bob);
    my @expected = (200, ('refused') x @refused, 200);
    subtest 'a connection that is used again, by HTTP/1.1' => sub {
        my $connection = $server->connect;
        my @status     = map { $server->request(HEAD => $_->[0], headers => $_->[1], on => $connection)->finish->status } @request;
        is_deeply [map {s/\A40[13]\z/refused/r} @status], \@expected, 'each request is checked';
        my $client = listen_to($server, $alice, on => $connection, cursor => '0-0');
        is $client->next_event->{data}, "old of 'alice'", 'and a stream is its own';
    };
    subtest 'a connection that is used again, by HTTP/2' => sub {
        my @answer = heads_by_http2($server, @request);
        is_deeply [map { $_->[0] =~ s/\A40[13]\z/refused/r } @answer], \@expected, 'each request is checked';
        is_deeply [map { $_->[1] } @answer], [1, (0) x $#request], 'on one connection';
    };
}

# Of each the status, and how many connections have been made for it.
sub heads_by_http2 ($server, @request) {
    my @command;
    for (@request) {
        my ($path, @header) = ($_->[0], @{ $_->[1] });
        push @command, '--next' if @command;
        push @command, qw(-q -s -I -g -k --http2 -o /dev/null -w), '%{http_code} %{num_connects}\n';
        push @command, '-H', join ': ', splice @header, 0, 2 while @header;
        push @command, 'https://127.0.0.1:' . $server->port('h2') . $path;
    }
    open my $curl, '-|', 'curl', @command or die "curl: $!";
    return map { [split] } readline $curl;
}

# An open stream ends. A client that comes back with the same access gets none of the events published in the meantime; with
# new access it gets all of them.
sub expires ($server, $grant, $seconds) {
    subtest 'access that expires' => sub {
        my $request = $grant->('alice', $seconds);
        my $client  = listen_to($server, $request)->ready;
        publish($server, 'alice', 'in time');
        is $client->next_event->{data}, 'in time', 'an event';
        my $told = $client->next_event;
        is $told->{type}, 'expired', 'it is told';
        my ($expires) = $told->{data} =~ /\A\{"expires":(\d+)\}\z/;
        is $client->wait_closed, 'abort', 'and cut off';
        cmp_ok time, '>=', $expires - 0.1, 'at that time';
        wait_until(sub { time >= $expires + 0.1 }, 'the time to be over');
        publish($server, 'alice', 'too late');
        is_refused($server, $request, 'the same access', cursor => $client->last_event_id);
        my $back = listen_to($server, $grant->('alice'), cursor => $client->last_event_id);
        is $back->next_event->{data}, 'too late', 'another one goes on after the last event';
        $back->close;
    };
}

1;
