# docker/examples/express: an answer, token by token, that is lost with its connection; and one that is not.
# needs: module express
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use JSON::PP qw(decode_json);
use Test::More;
use SSE::Example;
use SSE::Nginx;

my $packages = abs_path('build/examples/express/node_modules');
plan skip_all => 'there is no Express; `./build.sh test` installs it' if !$packages && !$ENV{CI};

my $server   = SSE::Example::nginx();
my $question = '{"question":"how long is a piece of string"}';
my $answer   = 'You have asked: how long is a piece of string';

sub example ($name) {
    my $program = SSE::Example->new(name => $name, program => 'node');
    symlink $packages, $program->file('node_modules') or die "node_modules: $!";
    return $program->start($server);
}

sub chat ($program) {
    return $program->ask(POST => '/chat', headers => ['Content-Type' => 'application/json'], body => $question);
}

sub text (@events) { return join '', map { decode_json($_->{data})->{token} // '' } @events }

# The events up to the end of a stream, or up to a number of them.
sub tokens ($stream, $count = 99) {
    my @events;
    while (@events < $count && (my $event = $stream->next_event)) {
        push @events, $event if $event->{type} eq 'message';
    }
    return @events;
}

subtest 'before' => sub {
    my $program = example('express/before.mjs');
    my $stream  = chat($program);
    is text(my @start = tokens($stream, 3)), 'You have asked: ', 'an answer begins';
    $stream->close;
    my @again = tokens(chat($program));
    is text(@again), $answer, 'after a cut it has to be asked for again';
    is text(@start, @again), "You have asked: $answer", 'and begins anew';
    is $again[-1]{data}, '{"done":true}', 'it says when it is over';
    $program->stop;
};

subtest 'after' => sub {
    my $program = example('express/after.mjs');
    my $reply   = chat($program);
    is $reply->status, 202, 'the program answers at once';
    my $path   = '/run?channel=' . $reply->json->{channel};
    my $stream = $server->subscribe($path);
    is text(my @start = tokens($stream, 3)), 'You have asked: ', 'an answer begins';
    my $cursor = $stream->last_event_id;
    $stream->close;
    $stream = $server->subscribe($path, cursor => $cursor);
    my @rest = tokens($stream);
    is text(@start, @rest), $answer, 'after a cut it goes on';
    is $rest[-1]{data}, '{"done":true}', 'it says when it is over';
    is $stream->wait_closed, 'clean', 'and ends';
    is $server->get($path, cursor => $stream->last_event_id)->status, 204, 'for good';
    is text(tokens($server->subscribe($path))), $answer, 'a second window gets all of it';
    isnt chat($program)->json->{channel}, $reply->json->{channel}, 'another question, another channel';
    $program->stop;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
