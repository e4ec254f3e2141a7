# docs/access.md, "A signed link": it leads to one channel, until it expires.
use v5.36;
use lib 't/lib';
use Digest::MD5 qw(md5_base64);
use Test::More;
use SSE::Nginx;
use SSE::Recipe;

my $server = start('link');
my $later  = time + 3600;

sub signed ($text) { return md5_base64($text) =~ tr{+/}{-_}r }

my $of_alice = signed("$later user-alice a secret of your own");

sub path ($channel, $expires, $signature = signed("$expires $channel a secret of your own")) {
    return "/link?channel=$channel&expires=$expires&signature=$signature";
}

holds($server,
    grant  => sub ($user, $expires) { return (path("user-$user", $expires), []) },
    refuse => {
        'no signature'            => ["/link?channel=user-alice&expires=$later", []],
        'an empty one'            => [path('user-alice', $later, ''), []],
        'another channel'         => [path('user-bob', $later, $of_alice), []],
        'a second channel'        => ['/link?channel=user-bob&' . substr(path('user-alice', $later), 6), []],
        'another time'            => [path('user-alice', $later + 1, $of_alice), []],
        'another secret'          => [path('user-alice', $later, signed("$later user-alice another")), []],
        'no time'                 => [path('user-alice', '', signed(' user-alice a secret of your own')), []],
        'a time in the signature' => ["/link?channel=user-alice&signature=$of_alice,$later", []],
        'what is past'            => [path('user-alice', 1), []],
        'what is no time'         => [path('user-alice', 'x'), []],
        'a moved border'          => [path('alice', "$later%20user-", $of_alice), []],
    },
);

subtest 'the command that makes one' => sub {
    my ($command) = recipe('sign');
    $server->write_file('sign.sh', $command);
    chomp(my $path = qx{bash -eu -o pipefail "@{[ $server->prefix ]}/sign.sh"});
    my $client = $server->subscribe("$path&last_event_id=0-0");
    is $client->next_event->{data}, "old of 'alice'", 'with an id that is not signed';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
