# What docs/live-logs.md recommends for publishing a log: lines get through when nginx is reloaded, restarted
# or killed, and when the publisher is.
use v5.36;
use lib 't/lib';
use List::Util qw(uniq);
use POSIX ();
use Test::More;
use SSE::Client;
use SSE::Document;
use SSE::Nginx;

my $document = 'docs/live-logs.md';
my $server = SSE::Nginx->start(workers => 2, locations => sample($document, 'location') =~ s/\n\}/\n sse_max_event_size 1k; }/r);
my $file = $server->prefix . '/app.log';

# A process, with what it starts.
my %spawned;

sub spawn (@command) {
    my $pid = fork // die "fork: $!";
    return $spawned{$pid} = $pid if $pid;
    setpgrp;
    open STDOUT, '>>', $server->prefix . '/publisher.log';
    open STDERR, '>&', \*STDOUT;
    exec @command or POSIX::_exit(127);
}

sub end ($pid, $signal = 'TERM') {
    local $?;
    kill $signal, -$pid;
    waitpid $pid, 0;
    delete $spawned{$pid};
}

END { end($_) for keys %spawned }

my $url = sub ($channel) { 'http://127.0.0.1:' . $server->port . "/ingest?channel=$channel" };

sub publisher ($channel) {
    my $position = $server->prefix . "/$channel.position";
    my $pid = spawn($^X, 'docs/publish-log', $file, $url->($channel), $position);
    wait_until(sub { -e $position }, 'the publisher to have begun');
    return $pid;
}

my $line = 0;

sub append ($count) {
    open my $log, '>>', $file or die "$file: $!";
    print $log 'line ', ++$line, "\n" for 1 .. $count;
}

# A subscriber that comes back with its last id, as a browser does.
package Follower {
    use v5.36;

    sub new ($class, $channel) {
        my $self = bless { channel => $channel, lines => [], client => $server->subscribe("/sub?channel=$channel")->ready }, $class;
        $self->{cursor} = $self->{client}->last_event_id;
        return $self;
    }

    # Reads until that line has come.
    sub until_line ($self, $wanted) {
        main::wait_until(sub { $self->read_on($wanted) }, "\"$wanted\"");
    }

    sub read_on ($self, $wanted) {
        $self->{client} //= eval { $server->subscribe("/sub?channel=$self->{channel}", cursor => $self->{cursor}) } or return;
        while (my $event = $self->{client}->next_event(0.05)) {
            $self->{cursor} = $event->{id};
            push @{ $self->{lines} }, $event->{data} if $event->{type} eq 'message';
            return 1 if $event->{data} eq $wanted;
        }
        delete $self->{client} if $self->{client}->closed;
        return;
    }
}

package main;

# What happens in the middle, while lines are being appended. A killed nginx may have taken lines without a response.
my %trouble = (
    reload => sub {
        my @old = $server->reload;
        append(50);
        $server->wait_gone(@old);
    },
    restart => sub { $server->stop; append(50); $server->launch },
    kill    => sub { $server->kill_all; append(50); $server->launch },
);

append(1);
for my $what (qw(reload restart kill)) {
    subtest "nginx: $what" => sub {
        my $follower  = Follower->new($what);
        my $publisher = publisher($what);
        my $first     = $line + 1;
        append(100);
        $follower->until_line("line $line") unless $what eq 'reload'; # what it had not been sent would be gone with the zone
        $trouble{$what}->();
        append(100);
        $follower->until_line("line $line");
        my @expected = map {"line $_"} $first .. $line;
        is_deeply [uniq @{ $follower->{lines} }], \@expected, 'every line, in their order';
        is scalar @{ $follower->{lines} }, @expected, 'each of them once' if $what ne 'kill';
        end($publisher);
    };
}

subtest 'the publisher is killed, and the log grows and is rotated meanwhile' => sub {
    my $follower = Follower->new('killed');
    my $first    = $line + 1;
    my $publisher = publisher('killed');
    append(100);
    $follower->until_line("line $line");
    end($publisher, 'KILL');
    append(100);
    rename $file, "$file.1" or die "rename: $!";
    append(100);
    $publisher = publisher('killed');
    $follower->until_line("line $line");
    is_deeply [uniq @{ $follower->{lines} }], [map {"line $_"} $first .. $line], 'every line, in their order';

    rename $file, "$file.1" or die "rename: $!";
    append(10);
    $follower->until_line("line $line");
    # It must have noted that it has published all of this file: one that is cut and has grown to the same size looks the same.
    my $size = -s $file;
    wait_until(sub { $server->read_file('killed.position') =~ / $size$/ }, 'it to note where it is');
    open my $log, '>', $file or die "$file: $!"; # as copytruncate does
    wait_until(sub { $server->read_file('killed.position') =~ / 0$/ }, 'it to begin anew');
    append(10);
    $follower->until_line("line $line");
    is_deeply [uniq @{ $follower->{lines} }], [map {"line $_"} $first .. $line], 'and while it runs';
    end($publisher);
};

subtest 'lines that are no text, or too long, do not stop it' => sub {
    my $follower  = Follower->new('bad');
    my $publisher = publisher('bad');
    open my $log, '>>:raw', $file or die "$file: $!";
    print $log "good\nb\xffd\n", 'x' x 2000, "\none\rtwo\r\n\nhalf";
    $log->flush;
    $follower->until_line('two');
    print $log " and half\nlast\n";
    $log->flush;
    $follower->until_line('last');
    is_deeply $follower->{lines}, ['good', "b\xef\xbf\xbdd", 'one', 'two', '', 'half and half', 'last'], 'the others are there';
    like $server->read_file('publisher.log'), qr/^left out a line: .*too large/m, 'and it says what is not';
    end($publisher);
};

subtest 'the loop comes back' => sub {
    my $loop = sample($document, 'loop');
    my $port = $server->port;
    $loop =~ s/app\.log/$file/;
    $loop =~ s/\b8080\b/$port/;
    my $follower = Follower->new('log');
    my $runs = spawn('/bin/sh', '-c', $loop);
    for my $round ('begins', 'after a reload', 'after a restart') {
        # Only lines that are appended after it has come back arrive.
        wait_until(sub { append(1); $follower->read_on("line $line") }, $round);
        pass $round;
        $round eq 'begins' ? $trouble{reload}->() : $trouble{restart}->();
    }
    end($runs);
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
