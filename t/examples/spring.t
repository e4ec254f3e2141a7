# docker/examples/spring: a job that ends with the connection that watches it; and one that does not.
# needs: module spring
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Example;
use SSE::Nginx;

my $built = abs_path('build/examples/spring/target/classes') // '';
plan skip_all => 'there is no Spring; `./build.sh test` installs and builds it' if !-d $built && !$ENV{CI};

my $server = SSE::Example::nginx();

sub example ($package) {
    return SSE::Example->new(
        name    => "spring/src/main/java/$package/Server.java",
        program => 'java',
        command => sub ($program) {
            return (qw(java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC), '-cp', "$built:" . $built =~ s/classes$/dependency/r . '/*',
                "$package.Server", '--server.port=' . $program->port, "--nginx=$program->{nginx}");
        },
    );
}

# The steps up to the end of a stream, or up to a number of them.
sub steps ($stream, $count = 99) {
    my @steps;
    while (@steps < $count && (my $event = $stream->next_event)) {
        push @steps, decode_json($event->{data})->{step} if $event->{type} eq 'progress';
    }
    return @steps;
}

my ($before, $after) = map { example($_) } qw(before after);

subtest 'before' => sub {
    $before->start($server);
    my $stream = $before->ask(GET => '/events');
    is_deeply [steps($stream, 3)], [1 .. 3], 'a job begins when somebody looks';
    $stream->close;
    $stream = $before->ask(GET => '/events');
    is_deeply [steps($stream)], [1 .. 20], 'who comes back gets another one, from its beginning';
    like $before->log, qr/job 1 failed/, 'for the first has died with its connection';
    $before->stop;
};

subtest 'after' => sub {
    $after->start($server);
    my $reply = $after->ask(POST => '/jobs', body => '');
    my $path  = '/run?channel=' . $reply->json->{channel};
    my $stream = $server->subscribe($path);
    is_deeply [steps($stream, 3)], [1 .. 3], 'a job begins when it is asked for';
    my $cursor = $stream->last_event_id;
    $stream->close;
    $stream = $server->subscribe($path, cursor => $cursor);
    is_deeply [steps($stream)], [4 .. 20], 'who comes back sees it go on';
    is $stream->wait_closed, 'clean', 'to its end';
    is $server->get($path, cursor => $stream->last_event_id)->status, 204, 'for good';
    is_deeply [steps($server->subscribe($path))], [1 .. 20], 'a second window gets all of it';
    $after->stop;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
