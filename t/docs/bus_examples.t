# The chapter "Many machines" of the guide, run as it stands: two machines with its configuration and one Redis; what its programs
# in the shell, Python and Node publish arrives at the subscribers of both, with the ids that the programs print, and they read
# what nginx has published.
# needs: module redis python clients
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use SSE::Document;
use SSE::Nginx;
use SSE::Redis;

my %sample = slurp('docs/guide.md') =~ /<!-- test: (bus\w*) -->\n```\w+\n(.*?)^```/msg;
is_deeply [sort keys %sample], [qw(bus bus_locations bus_node bus_python bus_shell)], 'the samples are there';

my $redis = SSE::Redis->start(aof => 1);
my $port  = $redis->port;

# The samples call redis-cli; the client of Valkey has another name.
sub path_with_redis_cli ($directory) {
    return $ENV{PATH} if grep { -x "$_/redis-cli" } split /:/, $ENV{PATH};
    my ($valkey) = grep {-x} map {"$_/valkey-cli"} split /:/, $ENV{PATH};
    symlink $valkey // die('there is neither redis-cli nor valkey-cli'), "$directory/redis-cli";
    return "$directory:$ENV{PATH}";
}

my @server = map {
    SSE::Nginx->start(
        workers => 2,
        http    => $sample{bus} =~ s/10\.0\.0\.[56]:6379(,?)/$1 ? "127.0.0.1:$port," : "127.0.0.1:9"/ger,
        server  => "$sample{bus_locations}
            location = /sub { sse_channel \$arg_channel; }
            location = /pub { sse_publish \$arg_channel; }
            location = /status { sse_status; }",
    )
} 1, 2;
for my $server (@server) {
    wait_until(sub { $server->get('/health')->status == 200 }, 'a machine that is well');
}

# Runs a program of the guide; returns its lines.
sub run ($name, $program, @command) {
    my $directory = $server[0]->prefix;
    $server[0]->write_file($name, $program =~ s/\b6379\b/$port/gr);
    local $ENV{PATH} = path_with_redis_cli($directory);
    local $ENV{PYTHONPATH} = abs_path('build/python') // '';
    symlink abs_path('t/clients/node_modules') // 'none', "$directory/node_modules";
    my $printed = qx{timeout 60 @command "$directory/$name" 2>&1};
    is $?, 0, "$name succeeds" or diag $printed;
    return split /\n/, $printed;
}

# The same events on both machines.
sub arrive (@events) {
    my @client = map { $_->subscribe('/sub?channel=news', cursor => '0-0') } @server;
    my @got = map { [map { +{ %$_{qw(id type data)} } } $_->events(scalar @events)] } @client;
    $_->close for @client;
    is_deeply [map { [@$_{qw(type data)}] } @{ $got[0] }], \@events, 'what subscribers get';
    is_deeply $got[1], $got[0], 'on each machine the same, with the same ids';
    return map { $_->{id} } @{ $got[0] };
}

my @all = (['message', 'hello from nginx']);
my ($id) = $server[1]->publish('/pub?channel=news', 'hello from nginx')->json->{id};
is_deeply [arrive(@all)], [$id], 'the id that nginx has told';

subtest 'the shell' => sub {
    my @lines = run('shell.sh', $sample{bus_shell}, qw(bash -eu));
    is scalar(grep { $_ eq 'hello from the shell' } @lines), 1, 'reads what it has published';
    is scalar(grep { $_ eq 'hello from nginx' } @lines), 1, 'and what nginx has';
    push @all, ['message', 'hello from the shell'];
    arrive(@all);
    is $server[0]->subscribe('/sub?channel=deploy-7', cursor => '0-0')->wait_closed, 'clean', 'and ends a channel';
};

subtest 'Python' => sub {
    plan skip_all => 'no redis for Python; `./build.sh test` installs it' if !-d 'build/python/redis' && !$ENV{CI};
    my @lines = run('python.py', $sample{bus_python}, 'python3');
    push @all, ['greeting', 'hello from Python'];
    my @id = arrive(@all);
    is_deeply \@lines, [map {"$id[$_] $all[$_][0] $all[$_][1]"} 0 .. $#all], 'the history, with the ids of subscribers';
};

subtest 'Node' => sub {
    plan skip_all => 'no redis for Node; `./build.sh test` installs it' if !-d 't/clients/node_modules/redis' && !$ENV{CI};
    is_deeply [run('node.mjs', $sample{bus_node}, 'node')], [map {"news $_ from Node"} qw(hello goodbye)], 'follows the stream';
    arrive(@all, ['message', 'hello from Node'], ['message', 'goodbye from Node']);
};

is_deeply [$_->stop], [], 'no trouble' for @server;
done_testing;
