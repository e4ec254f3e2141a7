# docker/compose.cluster.yml without containers: its configuration files as they stand, with other addresses and paths, for Redis,
# two machines and HAProxy. A subscriber that loses its machine misses nothing at the other one; a machine that has lost Redis gets
# no new clients, unless all have.
# needs: module redis haproxy
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use File::Temp ();
use POSIX ();
use Test::More;
use SSE::Client::Socket;
use SSE::Document;
use SSE::Nginx;
use SSE::Redis;
use SSE::RedisProxy;
use SSE::Util;

my $compose = slurp('docker/compose.cluster.yml');
my $machine = slurp('docker/cluster/machine.conf');
my $haproxy = slurp('docker/cluster/haproxy.cfg');

subtest 'the parts fit together' => sub {
    my ($services) = $compose =~ /^services:\n(.*?)^\w/ms;
    my @services = $services =~ /^  (\w+):/mg;
    is_deeply \@services, [qw(redis one two balancer)], 'the services';
    my %known = map { $_ => 1 } @services;
    my @hosts = ($machine =~ m{redis://(\w+):}g, $haproxy =~ /^ +server \w+ (\w+):/mg);
    is_deeply [grep { !$known{$_} } @hosts], [], 'every host is one of them';
    is scalar(@hosts), 5, 'and each file names some';
    my @files = ("docker/../@{[$compose =~ /dockerfile: (\S+)/]}", map {"docker/$_"} $compose =~ m{"\./(\S+?):/}g,
        $compose =~ m{/demo/(cluster/\S+?)"}g);
    is_deeply [grep { !-f } @files], [], 'every file is there';
    is scalar(@files), 3, 'of which there are some';
    like slurp('docker/Dockerfile'), qr{^COPY docker/cluster cluster$}m, 'and in the image';
    unlike $compose, qr/\t/, 'no tabs, which YAML does not take';
};

my $redis   = SSE::Redis->start(aof => 1);
my @cable   = map { SSE::RedisProxy->start(to => $redis) } 1, 2; # of each machine
my @machine = map { start_machine($_) } 0, 1;
my $front   = start_haproxy();

sub start_machine ($number) {
    my $server = SSE::Nginx->new(listen => ['h1'], workers => 2);
    my $port   = $server->port;
    my $text   = $machine =~ s{^load_module \S+;}{"load_module @{[SSE::Nginx::module()]};"}mre
        =~ s/\bredis:6379\b/$cable[$number]->address/er =~ s/\blisten 8080\b/listen 127.0.0.1:$port/r =~ s/\$hostname\b/machine$number/r;
    $server->write_file('nginx.conf', ($> == 0 ? "user root;\n" : '') . "daemon off;\n$text");
    mkdir $server->prefix . "/$_" for qw(logs temp);
    symlink abs_path('docker/html'), $server->prefix . '/html';
    $server->launch or die $server->log . $server->read_file('stderr.log');
    return $server;
}

# Returns the port of the balancer.
sub start_haproxy {
    my $port = SSE::Nginx::free_port();
    my $directory = File::Temp->newdir('sse-haproxy-XXXXXX', TMPDIR => 1);
    my %port = (one => $machine[0]->port, two => $machine[1]->port);
    my $text = $haproxy =~ s/\bbind :8080\b/bind 127.0.0.1:$port/r =~ s/\b(one|two):8080\b/127.0.0.1:$port{$1}/gr;
    open my $file, '>', "$directory/haproxy.cfg" or die;
    print $file $text;
    close $file;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$directory/haproxy.log";
        open STDERR, '>&', \*STDOUT;
        exec qw(setpriv --pdeathsig TERM -- haproxy -db -f), "$directory/haproxy.cfg" or POSIX::_exit(127);
    }
    state $keep = [$directory, $pid];
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) || waitpid $pid, POSIX::WNOHANG() }, 'haproxy');
    return $port;
}

# A request through the balancer.
sub ask ($method, $path, %option) {
    return $machine[0]->request($method, $path, on => SSE::Client::Socket->new(port => $front), %option);
}

# Each subtest has a channel of its own.
my $channel;
sub publish ($text) { return ask(POST => "/publish?channel=$channel", body => $text)->finish }
sub subscribe (%option) { return ask(GET => "/events?channel=$channel", %option) }

sub health ($number) { return $machine[$number]->get('/health')->json->{healthy} ? 1 : 0 }
sub wait_health (@wanted) { wait_until(sub { "@{[map { health($_) } 0, 1]}" eq "@wanted" }, "the health @wanted") }

# The machines that serve new clients.
sub served_by ($count = 8) {
    my %seen = map { ask(GET => '/')->finish->header('X-Machine') => 1 } 1 .. $count;
    return join ' ', sort keys %seen;
}

wait_health(1, 1);
wait_until(sub { served_by() eq 'machine0 machine1' }, 'the balancer to know both');

subtest 'the page and its events' => sub {
    $channel = 'log';
    like ask(GET => '/')->finish->body, qr/<title>Live log/, 'the page';
    my @subscriber = map { subscribe()->ready } 1 .. 4;
    is join(' ', sort map { $_->header('X-Machine') } @subscriber), 'machine0 machine0 machine1 machine1', 'clients on both machines';
    my @id = map { publish("event $_")->json->{id} } 1 .. 5;
    for my $subscriber (@subscriber) {
        my @events = $subscriber->events(5);
        is_deeply [map { $_->{data} } @events], [map {"event $_"} 1 .. 5], 'get every event';
        is_deeply [map { $_->{id} } @events], \@id, 'with the ids that the publishers were told';
        $subscriber->close;
    }
    is_ascending(\@id, 'in one order');
    my ($line) = $machine[0]->read_file('logs/access.log') =~ /^(.*POST .*)$/m;
    like $line // $machine[1]->read_file('logs/access.log'), qr/bus: up$/m, 'the access log tells of the bus';
};

subtest 'a machine dies' => sub {
    $channel = 'dies';
    my $subscriber = subscribe()->ready;
    my ($number) = $subscriber->header('X-Machine') =~ /(\d)/;
    publish('before');
    is $subscriber->next_event->{data}, 'before', 'an event';
    $machine[$number]->allow(qr/./);
    $machine[$number]->kill_all;
    is $subscriber->wait_closed, 'abort', 'the stream is cut off';
    wait_until(sub { publish('meanwhile')->status == 201 }, 'a publish');
    my $back = subscribe(cursor => $subscriber->last_event_id);
    isnt $back->header('X-Machine'), $subscriber->header('X-Machine'), 'another machine';
    is $back->next_event->{data}, 'meanwhile', 'goes on where the first was cut off';
    publish('after');
    is $back->next_event->{data}, 'after', 'and on';
    $machine[$number] = start_machine_again($number);
    wait_health(1, 1);
    is_deeply [$machine[$number]->subscribe("/events?channel=$channel", cursor => $subscriber->last_event_id)->data(2)], ['meanwhile', 'after'],
        'a machine that starts again has the history';
    $back->close;
};

# Starts it on the same port.
sub start_machine_again ($number) {
    my $old = $machine[$number];
    $old->launch or die $old->log . $old->read_file('stderr.log');
    return $old;
}

subtest 'a machine loses Redis' => sub {
    $channel = 'loses';
    my $subscriber = $machine[0]->subscribe("/events?channel=$channel")->ready;
    $cable[0]->divide;
    wait_health(0, 1);
    wait_until(sub { served_by() eq 'machine1' }, 'the balancer to leave it');
    is publish('elsewhere')->status, 201, 'publishing works, at the other machine';
    my $answer = $machine[0]->publish("/publish?channel=$channel", 'here');
    is $answer->status, 503, 'and not at this one';
    ok $answer->header('Retry-After'), 'for now';
    is $subscriber->closed, '', 'its streams stay';
    $cable[0]->clear;
    wait_health(1, 1);
    is $subscriber->next_event->{data}, 'elsewhere', 'and miss nothing';
    wait_until(sub { served_by() eq 'machine0 machine1' }, 'the balancer to come back');
    $subscriber->close;
};

subtest 'Redis is away' => sub {
    $channel = 'away';
    my @subscriber = map { subscribe()->ready } 1, 2;
    $redis->kill9;
    wait_health(0, 0);
    wait_until(sub { subscribe()->status == 200 }, 'new streams all the same');
    my $answer = publish('nowhere');
    is $answer->status, 503, 'publishing is refused';
    ok $answer->header('Retry-After'), 'for now';
    $redis->launch;
    wait_health(1, 1);
    wait_until(sub { publish('back')->status == 201 }, 'a publish');
    is $_->next_event->{data}, 'back', 'the streams have stayed' for @subscriber;
    $_->close for @subscriber;
};

$_->allow(qr/./) for @machine;
$_->stop for @machine;
done_testing;
