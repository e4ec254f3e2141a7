# docs/access.md, "A password": a user who is removed from the file is refused once the lifetime of the stream is over.
use v5.36;
use lib 't/lib';
use MIME::Base64 qw(encode_base64);
use Test::More;
use SSE::Nginx;
use SSE::Recipe;

sub basic ($user, $password) { return ['/basic', [Authorization => 'Basic ' . encode_base64("$user:$password", '')]] }

# As docs/access.md says.
sub users (%password) {
    return join '', map { "$_:" . `openssl passwd -apr1 $password{$_}` } sort keys %password;
}

my ($text) = recipe('password');
like $text, qr/sse_lifetime 10m 20%;/, 'a lifetime, shorter here';
my $server = start('password', shorten => sub ($text) { $text =~ s/sse_lifetime \K10m/3s/r },
    files => { users => users(alice => 'tulip', bob => 'rose') });
$server->allow(qr/user ".*" was not found|password mismatch/);

holds($server,
    grant  => sub ($user, $expires) { return @{ basic($user, $user eq 'alice' ? 'tulip' : 'rose') } },
    refuse => {
        'nothing'            => ['/basic', []],
        'a wrong password'   => basic('alice', 'rose'),
        'no password'        => basic('alice', ''),
        'no user'            => basic('', ''),
        'an unknown user'    => basic('mallory', 'tulip'),
        'a name in the URL'  => ['/basic?channel=user-alice&remote_user=alice', []],
    },
    lasts => 1,
);

subtest 'a user who is taken out of the file' => sub {
    my ($path, $headers) = @{ basic('alice', 'tulip') };
    my $client = $server->subscribe($path, headers => $headers)->ready;
    $server->write_file('users', users(bob => 'rose'));
    $server->publish('/publish?channel=user-alice', 'still');
    is $client->next_event->{data}, 'still', 'keeps the stream that is open';
    is $client->wait_closed, 'abort', 'until its lifetime is over';
    $server->publish('/publish?channel=user-alice', 'missed');
    my $answer = $server->get($path, headers => $headers, cursor => $client->last_event_id);
    is $answer->status, 401, 'and is refused then';
    unlike $answer->raw, qr/missed/, 'without what he has missed';
    $server->write_file('users', users(alice => 'daisy'));
    my $back = $server->subscribe($path, headers => basic('alice', 'daisy')->[1], cursor => $client->last_event_id);
    is $back->next_event->{data}, 'missed', 'with a new password he goes on after the last event';
    $back->close;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
