# A producer that streams a text token by token is killed and restarted in the middle: its readers get each token once, and the end.
# The producer and its locations are those of the demo.
# needs: module python
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use SSE::Nginx;
use SSE::Util;

sub slurp ($file) { local (@ARGV, $/) = $file; return readline }

my $demo      = slurp('docker/nginx.conf');
my ($map)     = $demo =~ /^    (map \$arg_answer .*?^    \})/ms or die 'no map';
my @locations = $demo =~ m{^        (location = /chat/.*?^        \})}msg;
my $text      = slurp('docker/chat/answer.txt') =~ s/\s+\z//r;

my $server = SSE::Nginx->start(
    workers => 2,
    listen  => [qw(h1 h2c)],
    http    => "sse_zone chat 4m; sse_retry 250ms; $map log_format publishes '\$request_method \$uri \$sse_events \$status';",
    server  => join("\n        ", @locations, 'access_log publishes.log publishes;'),
);

# The producer ------------------------------------------------------------------------------------------------------

my $owner = $$;
my %producer;

# A pause of 0.01 seconds makes an answer long enough to be interrupted.
sub start_producer ($pause = 0.01) {
    my $pid = fork // die "fork: $!";
    return $producer{$pid} = $pid if $pid;
    open STDERR, '>>', $server->prefix . '/producer.log';
    exec 'python3', 'docker/chat/producer.py', '--pause', $pause, 'http://127.0.0.1:' . $server->port or POSIX::_exit(127);
}

sub kill_producer ($pid) {
    local $?;
    kill KILL => $pid;
    waitpid $pid, 0;
    delete $producer{$pid};
}

END { if ($$ == $owner) { kill_producer($_) for keys %producer } }

# The statuses of the bodies of producers that have ended.
sub bodies () {
    my @status = $server->read_file('publishes.log') =~ m{^POST /chat/tokens \d+ (\d+)$}mg;
    return @status;
}

# Readers ----------------------------------------------------------------------------------------------------

# Asks a question; returns the name of the answer.
sub ask ($question) { return $server->publish('/chat/ask', $question)->json->{id} }

# A reader of an answer. It reconnects with its last id after every `each` events, and when it is cut off.
package Watcher {
    use v5.36;

    sub new ($class, $answer, %option) {
        return bless { path => "/chat/answer?answer=$answer", seen => [], each => 1e9, via => 'h1', %option }, $class;
    }

    # Reads until it has that many events, or the end.
    sub read_to ($self, $count) {
        main::wait_until(sub { $self->has($count) || $self->stream && $self->read_on($count) }, "$count events");
        return $self;
    }

    sub has ($self, $count) { return $self->{end} || @{ $self->{seen} } >= $count }

    # The stream, unless there is no connection.
    sub stream ($self) {
        return $self->{stream}
            //= eval { $server->subscribe($self->{path}, via => $self->{via}, cursor => $self->{cursor}) };
    }

    # Takes events until it has that many; false if the stream ends before that.
    sub read_on ($self, $count) {
        while (!$self->has($count)) {
            my $event = $self->{stream}->next_event;
            if (!$event) {
                $self->{end} = $self->{stream}->status == 204; # it has received all
                return delete($self->{stream}) && 0;
            }
            $self->{end} = 1 if $event->{type} eq 'end';
            next if $event->{type} =~ /\A(?:live|end)\z/;
            $self->{cursor} = $event->{id};
            push @{ $self->{seen} }, $event;
            return delete($self->{stream})->close && 0 if @{ $self->{seen} } % $self->{each} == 0;
        }
        return 1;
    }

    sub text ($self) { return join '', map { $_->{data} } grep { $_->{type} eq 'message' } @{ $self->{seen} } }
    sub types ($self) { return [map { $_->{type} } grep { $_->{type} ne 'message' } @{ $self->{seen} }] }
    sub numbers ($self) { return [map { $_->{id} =~ /~(\d+)\z/ ? $1 : () } @{ $self->{seen} }] }
}

package main;

sub has_all ($watcher, $what) {
    subtest $what => sub {
        is $watcher->{end}, 1, 'the end';
        my $numbers = $watcher->numbers;
        is_deeply $numbers, [0 .. $#$numbers], 'each token once, in order';
        is_deeply $watcher->types, ['question'], 'the question first';
        is $watcher->text, $text, 'the whole text';
    };
}

# --------------------------------------------------------------------------------------------------------------------

subtest 'killed three times' => sub {
    my $producer = start_producer();
    my $answer   = ask("What is this?\nTell me.");
    my @watcher  = (
        Watcher->new($answer),
        Watcher->new($answer, via => 'h2c'),
        Watcher->new($answer, each => 7),
        Watcher->new($answer, each => 50, via => 'h2c'),
    );
    for my $count (40, 120, 200) {
        my $before = bodies();
        $watcher[0]->read_to($count);
        kill_producer($producer);
        # When its body has ended, nginx has read all that the killed producer had sent.
        wait_until(sub { bodies() > $before }, 'the body to break off');
        $_->read_to($count) for @watcher;
        my $reload = Watcher->new($answer)->read_to($count);
        like $text, qr/\A\Q@{[$reload->text]}\E/, 'a page that is loaded meanwhile shows what is there';
        ok !$reload->{end}, 'which is not all';
        $producer = start_producer();
    }
    $_->read_to(1e9) for @watcher;
    has_all($watcher[$_], "watcher $_") for 0 .. $#watcher;
    is $watcher[0]{seen}[0]{data}, "What is this?\nTell me.", 'the question is as it was asked';
    has_all(Watcher->new($answer)->read_to(1e9), 'one that comes when all is over');
    is $server->get("/chat/answer?answer=$answer", cursor => $watcher[0]{cursor})->status, 204, 'and who has all is told so';

    kill_producer($producer);
    $producer = start_producer(0.001);
    has_all(Watcher->new(ask('Another'))->read_to(1e9), 'another answer, after one more start');
    has_all(Watcher->new($answer)->read_to(1e9), 'the one that is complete is as it was');
    kill_producer($producer);
};

subtest 'stopped' => sub {
    my $producer = start_producer();
    my $answer   = ask('Stop!');
    my @watcher  = map { Watcher->new($answer)->read_to(20) } 1 .. 2;
    my $before   = bodies();
    my $stop     = $server->publish("/chat/stop?answer=$answer", 'stopped');
    is_deeply [$stop->status, $stop->json->{ended}], [201, JSON::PP::true], 'somebody says stop';
    wait_until(sub { bodies() > $before }, 'the answer of nginx to the producer');
    is((bodies())[-1], 409, 'it is refused');
    $_->read_to(1e9) for @watcher;
    for (@watcher) {
        ok $_->{end}, 'who watches sees the end';
        is_deeply $_->types, [qw(question stopped)], 'and what it was';
    }
    is $watcher[0]->text, $watcher[1]->text, 'all have the same text';
    is $server->publish("/chat/stop?answer=$answer", 'stopped')->status, 409, 'it is stopped once';

    kill_producer($producer);
    $producer = start_producer(0.001);
    has_all(Watcher->new(ask('And again'))->read_to(1e9), 'the producer goes on with other questions');
    is_deeply [map { $_->text } Watcher->new($answer)->read_to(1e9)], [$watcher[0]->text], 'and leaves this one as it is';
    kill_producer($producer);
};

subtest 'nginx is reloaded' => sub {
    my $producer = start_producer(0.004);
    my $answer   = ask('Reload');
    my @watcher  = map { Watcher->new($answer, each => $_)->read_to(60) } 7, 1e9;
    my @old      = $server->reload;
    $_->read_to(1e9) for @watcher;
    has_all($watcher[$_], "watcher $_") for 0 .. $#watcher;
    $server->wait_gone(@old);
    kill_producer($producer);
};

subtest 'a worker is killed' => sub {
    my $producer = start_producer(0.004);
    my $answer   = ask('Kill');
    my @watcher  = map { Watcher->new($answer, each => $_)->read_to(60) } 7, 1e9;
    $server->allow(qr/exited on signal 9/);
    $server->kill9($_) for $server->workers;
    $_->read_to(1e9) for @watcher;
    has_all($watcher[$_], "watcher $_") for 0 .. $#watcher;
    kill_producer($producer);
};

subtest 'what has no answer' => sub {
    for my $name ('', 'news', '1-2', '1795254000123-52718~1', '1795254000123-5/../x', '1795254000123-52718,other') {
        is $server->get("/chat/answer?answer=$name")->status, 400, "no stream of \"$name\"";
        is $server->publish("/chat/tokens?answer=$name", 'x')->status, 400, 'no tokens for it';
        is $server->publish("/chat/stop?answer=$name", 'x')->status, 400, 'no end of it';
    }
    is $server->publish('/chat/ask', 'x' x 2049)->status, 413, 'a question is short';
    is $server->request($_ => '/chat/ask', body => '')->finish->status, 403, "no $_ of the questions" for qw(DELETE GET PUT);
    is $server->publish('/chat/ask?event=x&end&retry=9', 'more', type => 'text/event-stream')->json->{ended}, undef, 'nobody ends them';
    my @foreign = (Origin => 'http://other.test');
    is $server->publish($_, 'x', headers => \@foreign)->status, 403, "a foreign page: no $_"
        for '/chat/ask', '/chat/stop?answer=1795254000123-52718', '/chat/tokens?answer=1795254000123-52718';
};

is $server->read_file('producer.log'), '', 'the producer had nothing to complain about';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
