# docker/systemd/nginx.service.d/sse.conf on a machine that systemd has started: with it `systemctl stop` lets streams end over
# sse_drain, and with Debian's unit alone it does not.
# needs: module image netns
use v5.36;
use lib 't/lib';
use SSE::Image qw(nginx t/image/systemd.Dockerfile);
use SSE::Network;
use Cwd qw(abs_path);
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Socket;
use SSE::Nginx;

my $drain = 8; # longer than Debian's patience, which is 5

system(qw(ip link set lo up)) == 0 or die 'no loopback';
my $engine = SSE::Image->engine;
$engine->write('modules.conf', "load_module modules/ngx_http_sse_module.so;\n");
$engine->write('sse.conf', <<"END");
sse_zone events 4m;
sse_drain ${drain}s;
server {
    listen 127.0.0.1:8080;
    location = /events { sse_channel c; }
    location = /publish { sse_publish c; allow 127.0.0.1; deny all; }
}
END
# Here no process may ask for as many descriptors as the drop-in does.
$engine->write('limit.conf', "[Service]\nLimitNOFILE=8192\n");

# A machine; @more are files that it has besides Debian's unit.
sub machine (@more) {
    my %file = (
        SSE::Nginx::module()              => '/usr/lib/nginx/modules/ngx_http_sse_module.so',
        $engine->place . '/modules.conf' => '/etc/nginx/modules-enabled/50-mod-http-sse.conf',
        $engine->place . '/sse.conf'     => '/etc/nginx/conf.d/sse.conf',
        @more,
    );
    my $machine = $engine->run('systemd', how => ['--systemd=always'], options => [map { ('--volume', "$_:$file{$_}:ro") } sort keys %file]);
    wait_until(sub { ($machine->exec(qw(systemctl is-active nginx)))[1] eq "active\n" }, 'nginx on the machine');
    return $machine;
}

sub ask ($method, $path, %option) {
    return SSE::Client::Socket->new(port => 8080)->send(method => $method, path => $path, %option);
}

sub property ($machine, $name) {
    my ($status, $text) = $machine->exec(qw(systemctl show nginx --value --property), $name);
    return $text =~ s/\n\z//r;
}

# Stops nginx; returns the times after which its twenty streams have ended.
sub ends ($machine) {
    my @subscriber = map { ask(GET => '/events')->ready } 1 .. 20;
    ask(POST => '/publish', body => 'x' x 10_000)->finish;
    my $start = time;
    $machine->exec(qw(systemctl stop --no-block nginx));
    my %end;
    wait_until(sub { $_->closed and $end{$_} //= time - $start for @subscriber; keys %end == 20 }, 'the streams to end');
    wait_until(sub { property($machine, 'ActiveState') =~ /\A(?:inactive|failed)\z/ }, 'nginx to be stopped');
    is scalar(grep { $_->pending || $_->next_event(0)->{data} ne 'x' x 10_000 } @subscriber), 0, 'each stream ends after a whole event';
    is scalar(grep { $_->closed ne 'abort' } @subscriber), 0, 'so that its client comes back';
    my @end = sort { $a <=> $b } values %end;
    note sprintf 'from %.1f to %.1f s', @end[0, -1];
    return @end;
}

my $folder = '/etc/systemd/system/nginx.service.d';
my @drop_in = (abs_path('docker/systemd/nginx.service.d/sse.conf') => "$folder/sse.conf");

subtest 'with the drop-in' => sub {
    my $machine = machine(@drop_in, $engine->place . '/limit.conf' => "$folder/zz-limit.conf");
    my ($status, $output) = $machine->exec(qw(systemd-analyze verify --man=no nginx.service));
    is $output, '', 'systemd has nothing to complain about';
    is property($machine, 'KillSignal'), 3, 'it stops nginx by SIGQUIT';
    is property($machine, 'ExecStop'), '', 'and by nothing else';
    my ($patience) = property($machine, 'TimeoutStopUSec') =~ /\A(\d+)s\z/;
    cmp_ok $patience, '>=', 5 + 2, 'it is patient enough for the default of sse_drain';
    cmp_ok $patience, '>=', $drain + 2, 'and for the one of this test';
    my @end = ends($machine);
    cmp_ok $end[9], '<', $drain, 'they end one after the other';
    cmp_ok $end[-1], '>', $drain - 2, 'over the time of sse_drain';
    is property($machine, 'Result'), 'success', 'which is success';
    $machine->remove;
};

subtest 'the limits that it asks for' => sub {
    my $machine = machine();
    $engine->must_podman('cp', $drop_in[0], "$machine->{name}:/run/sse.conf");
    is(($machine->exec('sh', '-c', "mkdir $folder && cp /run/sse.conf $folder && systemctl daemon-reload"))[0], 0, 'put there later');
    is property($machine, 'LimitNOFILE'), 65536, 'descriptors for many subscribers';
    $machine->remove;
};

subtest "Debian's unit alone" => sub {
    my $machine = machine();
    my @end = ends($machine);
    # Counted from the first end: the command that stops nginx may take a while itself.
    cmp_ok $end[-1] - $end[0], '<', $drain - 2, 'cuts off what has not ended after 5 seconds';
    $machine->remove;
};

done_testing;
