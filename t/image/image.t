# The images of docker/Dockerfile, built and run: as a user without a name, without capabilities, on a root that cannot be
# written to. The demo's page in a browser; health, logs, reload; what streams and their clients see when a container is stopped.
# needs: module image netns browser schemas
use v5.36;
use lib 't/lib';
use SSE::Image qw(server demo);
use SSE::Network;
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Socket;
use SSE::Document;
use SSE::Manifests;
use SSE::Nginx;
use SSE::Playwright;

SSE::Playwright::need();

system(qw(ip link set lo up)) == 0 or die 'no loopback';
my $engine = SSE::Image->engine;

# One request to the container, which takes it for one of this machine.
sub ask ($method, $path, %option) {
    my $client = SSE::Client::Socket->new(port => delete $option{port} // 8080);
    my @headers = (@{ delete $option{headers} // [] }, defined $option{cursor} ? ('Last-Event-ID' => delete $option{cursor}) : ());
    return $client->send(method => $method, path => $path, headers => \@headers, %option);
}
sub get ($path, %option) { return ask(GET => $path, %option)->finish }
sub publish ($path, $text, %option) { return ask(POST => $path, body => $text, %option)->finish }

# The processes of a container, as this machine sees them.
sub processes ($container) {
    my @pids = my $first = $container->pid;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $stat, '<', $file or next;
        push @pids, $1 if (readline($stat) // '') =~ /\A(\d+) \(.*\) \S $first /;
    }
    return @pids;
}

sub status_of ($pid) {
    open my $file, '<', "/proc/$pid/status" or die "$pid: $!";
    return { map {/^(\w+):\s+(.*)$/} readline $file };
}

# A file that is mounted into a container.
sub mounted ($name, $text, $where) {
    $engine->write($name, $text);
    return ('--volume', $engine->place . "/$name:$where:ro");
}

subtest 'what the images say' => sub {
    for my $image ('server', 'demo') {
        my $facts = $engine->inspect($image);
        is $facts->{Config}{User}, '10001:10001', "$image: a user by number, so that Kubernetes can tell that it is not root";
        is $facts->{Config}{StopSignal}, 'SIGQUIT', 'the signal to stop drains';
        is_deeply [sort keys %{ $facts->{Config}{ExposedPorts} }], ['8080/tcp', '8081/tcp'], 'the ports';
        is_deeply $facts->{Healthcheck}{Test}, ['CMD', 'sse-healthy'], 'the health check';
        note sprintf '%s: %.0f MB, the base %.0f MB', $image, $facts->{Size} / 1e6, $engine->inspect('base')->{Size} / 1e6;
    }
    cmp_ok $engine->inspect('server')->{Size} - $engine->inspect('base')->{Size}, '<', 20e6, 'nginx and the module are small';
};

subtest 'the demo' => sub {
    my $container = $engine->run('demo')->wait_healthy;

    my @pids = processes($container);
    is scalar(@pids), 3, 'a master and two workers';
    for my $status (map { status_of($_) } @pids) {
        is join(' ', @$status{qw(Uid Gid)}), join(' ', ("10001\t10001\t10001\t10001") x 2), 'none of them is root';
        is "@$status{qw(CapPrm CapEff CapBnd NoNewPrivs)}", '0000000000000000 ' x 3 . '1', 'or can do what root can';
    }
    like get('/')->body, qr/<title>/, 'the home page';

    my $browser = SSE::Playwright::start('image.mjs', 'http://127.0.0.1:8080/');
    my $seen    = join '', readline $browser;
    is SSE::Playwright::status($browser), 0, 'the browser has ended well' or diag $seen;
    is $seen, "open\npublished in the page\npublished from outside\n", 'the page shows what is published, there and elsewhere';

    my $elsewhere = SSE::Network->place;
    is who_publishes($elsewhere), 201, 'who comes from the network of the containers may publish';
    system($elsewhere->inside, qw(ip addr add 203.0.113.1/24 dev front)) == 0
        && system(qw(ip addr add 203.0.113.254/24 dev front)) == 0 or die 'no other addresses';
    is who_publishes($elsewhere, '203.0.113.254'), 403, 'who comes from further away may not';

    my $subscriber = ask(GET => '/events?channel=log');
    is_deeply [$subscriber->data(2)], ['published in the page', 'published from outside'], 'a subscriber is given what was there';
    $subscriber->close;
    wait_until(sub { $container->stdout =~ /channel "log", 2 events, last \d+-\d+, end: client/ }, 'a line on stdout when the stream ends');
    my @complaints = grep { !/\[error\].* access forbidden by rule, client: 203\.0\.113\.1,/ } split /\n/, $container->stderr;
    is_deeply \@complaints, [], 'nothing to complain about on stderr, but for the one who may not';

    my (undef, $compose) = read_manifests(compose => 'docker/compose.yml');
    my @service = grep { $_->{network_mode} } values %{ $compose->{services} };
    my @producer = map { $engine->run('demo', command => $_->{command}) } @service;
    ok ask(GET => $_)->next_event, "$_: there is something to see" for qw(/wire/events /dashboard/events);
    is ask(POST => '/deploy/start', body => 'x', headers => [Origin => 'http://localhost'])->finish->status, 201, 'somebody asks for a deployment';
    is_deeply [map { $_->running ? () : $_->stderr } @producer], [], 'the programs that publish run as well';
    $_->remove for @producer, $container;
};

# The status of a publish from another machine.
sub who_publishes ($place, $address = '10.77.1.254') {
    my @command = ($place->inside, qw(curl -sS -o /dev/null -w %{http_code} -H Host:localhost -d x), "http://$address:8080/publish?channel=elsewhere");
    my ($status, $output) = SSE::Image::run_command(@command);
    return $output;
}

subtest 'the server' => sub {
    my $container = $engine->run('server')->wait_healthy;
    my $subscriber = ask(GET => '/events?channel=news')->ready;
    is publish('/publish?channel=news', 'hello', port => 8081)->status, 201, 'the port for applications publishes';
    is $subscriber->next_event->{data}, 'hello', 'the one for clients has the event';
    is publish('/publish?channel=news', 'hello')->status, 404, 'and publishes nothing';
    is get('/status')->status, 404, 'or tells who listens';
    is get('/status', port => 8081)->json->{subscribers}, 1, 'which the other one does';
    for my $case (['sse', 200], ['sse.default.svc.cluster.local', 200], ['10.0.0.7:8081', 200], ['evil.example', 421], ['10.0.0.7.evil.example', 421]) {
        my ($status, $output) = SSE::Image::run_command(qw(curl -sS -o /dev/null -w %{http_code}), '-H', "Host: $case->[0]", 'http://127.0.0.1:8081/status');
        is $output, $case->[1], "as $case->[0]: $case->[1]";
    }

    for my $case (['', 0, qr/^\{"healthy":true\}$/], ['http://127.0.0.1:8080/nothing', 256, qr/404 Not Found/], ['http://127.0.0.1:81/', 256, qr/nobody listens at 127/],
        ['127.0.0.1', 256, qr{no http://}]) {
        my ($status, $output) = $container->exec('sse-healthy', $case->[0] || ());
        is $status, $case->[1], 'health check ' . ($case->[0] || 'of the image') . ": $case->[1]";
        like $output, $case->[2], 'and says why';
    }
    is(($container->exec('nginx', '-t'))[0], 0, 'nginx -t works as everywhere');

    my $id = $subscriber->last_event_id;
    my @before = processes($container);
    is(($container->exec('nginx', '-s', 'reload'))[0], 0, 'nginx -s reload, too');
    is $subscriber->wait_closed, 'abort', 'its streams are cut off';
    is $subscriber->pending, '', 'after a whole event';
    wait_until(sub { publish('/publish?channel=news', 'later', port => 8081)->status == 201 }, 'a publish');
    is ask(GET => '/events?channel=news', cursor => $id)->next_event->{data}, 'later', 'and resume, with what was missed';
    wait_until(sub { $container->stdout =~ m{^127\.0\.0\.1 "GET /events" 200 .*end: drain}m }, 'a line on stdout without the query');
    unlike $container->stdout, qr{health}, 'and none of the health checks';
    like $container->stderr, qr/gracefully shutting down/, 'what nginx says is on stderr';
    unlike $container->stderr, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'and nothing is wrong';
    $container->remove;
};

subtest 'as the documents say' => sub {
    my $sample = sample('docs/operations.md', 'image');
    my ($options, $image, @curl) = $sample =~ /\Adocker run (.*?) (\S+)\n(curl .*)\n(curl .*)\n\z/s or die 'another sample';
    my ($version) = slurp('CHANGES') =~ /^Changes with ngx_http_sse_module (\S+)$/m;
    is $image, "sse:$version", 'the image of this version';
    my @option = map { s/\A'|'\z//gr } grep { $_ ne '\\' } split ' ', $options;
    is_deeply [@option[0 .. 6]], [qw(-d --name sse -p 80:8080 -p 127.0.0.1:8081:8081)], 'a name, and two ports';
    # Here the ports of a container are those of the test.
    my $container = $engine->run('server', how => [@option[7 .. $#option], '--read-only-tmpfs=false'])->wait_healthy;
    my @said = map { scalar qx{timeout 1 $_ 2>/dev/null} } map {s{127\.0\.0\.1/}{127.0.0.1:8080/}r} @curl;
    like $said[0], qr/"channel":"news","subscribers":0,"events":1/, 'what publishes';
    like $said[1], qr/^data: hello$/m, 'what subscribes';
    $container->remove;
};

# Stops a container, and checks what its clients have seen.
sub stopped ($stop, %option) {
    my $container = $engine->run('server', %option)->wait_healthy;
    my @subscriber = map { ask(GET => '/events?channel=c')->ready } 1 .. 20;
    my $stream = ask(POST => '/publish?channel=c', port => 8081, stream => 1);
    is publish('/publish?channel=c', 'x' x 10_000, port => 8081)->json->{subscribers}, 20, 'twenty subscribers';
    my $start = time;
    $stop->($container);
    my @end = map { $_->wait_closed } @subscriber;
    $container->wait_ended;
    note sprintf 'after %.1f s', time - $start;
    is $container->exit_status, 0, 'it ends well';
    is scalar(grep { $_->pending } @subscriber), 0, 'no stream ends inside an event';
    is scalar(grep { $_->next_event(0)->{data} ne 'x' x 10_000 } @subscriber), 0, 'and each has got the last one';
    unlike $container->stderr, qr/\[(?:warn|error|crit|alert|emerg)\]/, 'nginx has nothing to complain about';
    $container->remove;
    is scalar(grep { $_ ne 'abort' } @end), 0, 'all are cut off, so that they come back';
}

subtest 'stopped within the ten seconds of Docker' => sub {
    stopped(sub ($container) { $container->stop(10) });
};

subtest 'ended by SIGTERM' => sub {
    stopped(sub ($container) { $container->signal('TERM') });
};

subtest 'as any user, as in OpenShift' => sub {
    stopped(sub ($container) { $container->signal('TERM') }, options => [qw(--user 1234567:0)]);
};

subtest 'where all can be written to' => sub {
    my $container = $engine->run('demo', how => [])->wait_healthy;
    publish('/publish?channel=log', 'x' x 100_000);
    $container->signal('HUP');
    wait_until(sub { get('/health')->status == 200 }, 'an answer');
    my %allowed = map { $_ => 1 } qw(/etc /etc/passwd /etc/group /run /run/secrets /run/.containerenv /tmp); # the engine's
    my @changes = grep { !$allowed{ (split ' ')[1] } && !m{^A /tmp/(?:body|proxy|fastcgi|uwsgi|scgi|nginx\.pid)$} } split /\n/, $container->changes;
    is_deeply \@changes, [], 'nothing is written but to /tmp';
    $container->remove;
};

subtest 'configurations of its users' => sub {
    my $servers = "sse_zone own 1m; server { listen 8080; location /own { sse_channel c; } location /health { sse_health; } }\n";
    my $container = $engine->run('server', options => [mounted('own.conf', $servers, '/etc/nginx/conf.d/sse.conf')])->wait_healthy;
    is ask(GET => '/own')->ready->status, 200, 'servers of their own';
    $container->remove;

    my $whole = "include modules-enabled/*.conf; pid /tmp/nginx.pid; events {} http { $servers }\n";
    $container = $engine->run('server', options => [mounted('whole.conf', $whole, '/etc/nginx/nginx.conf')])->wait_healthy;
    is ask(GET => '/own')->ready->status, 200, 'all of it, with nothing set but the pid';
    wait_until(sub { $container->stdout =~ m{"GET /own HTTP/1.1" 200} }, 'its access log on stdout');
    $container->remove;

    my $faulty = $engine->run('server', options => [mounted('faulty.conf', "sse_zone x;\n", '/etc/nginx/conf.d/sse.conf')]);
    $faulty->wait_ended;
    is $faulty->exit_status, 1, 'one with a fault ends it';
    like $faulty->stderr, qr{\[emerg\].*/etc/nginx/conf\.d/sse\.conf:1}, 'and it says where the fault is';
    $faulty->remove;
};

done_testing;
