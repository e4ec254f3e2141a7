# Behind Envoy, as docs/proxies.md says.
# needs: module envoy
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Behind;
use SSE::Proxy;

my $server  = SSE::Behind::server();
my $program = SSE::Proxy::package_of('envoy/_bin/envoy');

sub envoy ($configuration) {
    return SSE::Proxy->new(
        program => $program,
        files   => { 'envoy.yaml' => $configuration },
        command => sub ($proxy) { return ($program, qw(--concurrency 2 --log-level warning --disable-hot-restart -c envoy.yaml)) },
    );
}

my $sample = sample('envoy');
my $plain  = $sample =~ s/, timeout: 0s//r =~ s/^ *use_remote_address.*\n//mr;

# By default, the duration of a whole response is limited. That time passes while the rest is tested.
my $other = SSE::Behind::server();
my $limited = envoy($plain)->start($other);
my $start   = time;
my $stream  = $other->subscribe('/beating?channel=limited', on => SSE::Client::Socket->new(port => $limited->port))->ready;
pipe my $reader, my $writer or die "pipe: $!";
my $watcher = fork // die "fork: $!";
if (!$watcher) { # measures when the stream ends, however long the other tests take
    print $writer time - $start if $stream->wait_closed(60);
    close $writer;
    POSIX::_exit(0);
}
close $writer;

behind($server, 'Envoy, defaults', envoy($plain), h2c => 1);
behind($server, 'Envoy as below', envoy($sample), h2c => 1, whole => 1,
    silence => envoy($sample =~ s/^( *)(?=use_remote_address)/$1stream_idle_timeout: 1s\n$1/mr));

subtest 'the time limit of a response' => sub {
    my $seconds = sprintf '%.0f', SSE::Behind::row('Envoy, defaults')->{'Time limits'} =~ s/ s in all//r;
    my $took = readline $reader;
    waitpid $watcher, 0;
    ok $took, 'ends a stream with heartbeats';
    ok $took && $took < $seconds + 5, "after $seconds s" or diag $took;
    $limited->stop;
};

is_deeply [$_->stop], [], 'no trouble' for $server, $other;
done_testing;
