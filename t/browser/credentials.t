# What real browsers do with the credentials of an EventSource, as docs/access.md says. The page there renews its access when an
# event says that it expires, and after a refusal, and receives every event once and in order. A password that the user has
# entered is sent; not every browser sends one in the URL.
# needs: module browsers
use v5.36;
use lib 't/lib';
use File::Temp ();
use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep);
use SSE::App;
use SSE::Browser;
use SSE::Document;
use SSE::Nginx;
use SSE::Recipe;

my %browser = (chromium => qr/Chrome/, firefox => qr/Firefox/); # as they call themselves

# Each session lasts three seconds. No session counts while the file $closed exists.
my $directory = File::Temp->newdir('sse-XXXXXX', TMPDIR => 1);
my $closed    = "$directory/closed";
my $app       = SSE::App->start(sub ($method, $path, $headers, $body) {
    my ($name) = grep { $headers->{'user-agent'} =~ $browser{$_} } keys %browser;
    return (204, ['Set-Cookie' => "session=$name.@{[ time + 3 ]}; Path=/; HttpOnly; SameSite=Lax"]) if $path eq '/login';
    my ($user, $expires) = ($headers->{cookie} // '') =~ /\bsession=(\w+)\.(\d+)/ or return (401, []);
    return (403, []) if $expires <= time || -e $closed;
    return (204, ['X-Channel' => "user-$user", 'X-Expires' => $expires]);
});

my $script = slurp('t/browser/credentials.mjs');
my $server = start(
    ['application', 'password'],
    app   => $app,
    http  => "sse_retry 250ms 0%; log_format request '\$http_user_agent: \$uri \$status';\n",
    drain => '200ms',
    files => {
        users             => 'alice:' . `openssl passwd -apr1 tulip`,
        'credentials.mjs' => $script,
        'open.html'       => '<!doctype html><script type="module" src="open.mjs"></script>',
        'open.mjs'        => <<'END' . join('', recipe('page')),
import { attempt, collect } from './credentials.mjs';
const result = { browser: navigator.userAgent.match(/Firefox|Chrom/)[0].replace(/Chrom/, 'Chromium').toLowerCase() };
result.url = await attempt(`http://alice:tulip@${location.host}/basic`);
collect(result);
END
        'closed.html' => '<!doctype html><script type="module" src="closed.mjs"></script>',
        'closed.mjs'  => <<'END',
import { attempt, report } from './credentials.mjs';
await report({ password: await attempt(`${location.origin}/basic`) });
END
    },
    server => <<'END',
access_log requests.log request;
        types { text/html html; text/javascript mjs; }
        location = /login    { proxy_pass http://127.0.0.1:9000; }
        location = /count    { sse_publish user-$arg_user; allow 127.0.0.1; deny all; }
        location = /journal  { sse_publish journals; allow 127.0.0.1; deny all; }
        location = /journals { sse_channel journals; }
        location /open/      { alias ./; }
        location /closed/    { alias ./; auth_basic events; auth_basic_user_file users; }
END
);

# How often a browser has asked for something, with that status.
sub asked ($browser, $what) {
    my @requests = grep { $_ =~ $browser{$browser} } split /\n/, $server->read_file('requests.log');
    return scalar grep {/: \Q$what\E\z/} @requests;
}

sub subscribers { return map { $server->get("/count?user=$_")->json->{subscribers} } sort keys %browser }

my %count = map { $_ => 0 } keys %browser;

sub publish {
    $server->publish("/count?user=$_", ++$count{$_})->status == 201 or die 'not published' for keys %browser;
    sleep 0.05;
}

my $listener = $server->subscribe('/journals')->ready;
my $since    = $listener->last_event_id;
my %open     = map { $_ => SSE::Browser->open($_, 'http://127.0.0.1:' . $server->port . '/open/open.html') } keys %browser;

my $went_on = eval {
    wait_until(sub { !grep { $_ != 1 } subscribers() }, 'both browsers', 60);
    wait_until(sub { publish(); !grep { asked($_, '/login 204') < 3 } keys %browser }, 'both to renew their access twice');

    # The streams are cut off, and for a while every client that comes back is refused.
    open my $file, '>', $closed or die "$closed: $!";
    $server->reload;
    wait_until(sub { publish(); !grep { asked($_, '/private 403') < 1 } keys %browser }, 'both to be refused');
    unlink $closed;
    $server->publish("/count?user=$_", 'the end') for keys %browser;
    1;
};
ok $went_on, 'both browsers go on' or diag $@, $server->read_file('requests.log'), map { $_->output } values %open;

$listener = $server->subscribe('/journals', cursor => $since);
my %result = map { $_->{browser} => $_ } map { decode_json($_) } $listener->data(scalar keys %browser);
for my $browser (sort keys %browser) {
    subtest $browser => sub {
        my $result = $result{$browser} or return fail 'it has not told what it has seen';
        is_deeply $result->{printed}, [1 .. $count{$browser}, 'the end'], 'the page prints every event once and in order';
        is $result->{password}, 'open', 'an EventSource has the password that has been entered for its page';
        is $result->{url}, $browser eq 'firefox' ? 'open' : 'refused', 'one in its URL';
    };
}

$_->close for values %open;
$app->stop;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
