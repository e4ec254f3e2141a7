package SSE::Load;

# A publisher and clients that come back whenever their stream ends, for the time in which a test does harm to nginx:
#
#   my $load = SSE::Load->start($server, channel => 'c', via => [qw(h1 tls)]);
#   $load->reach(100);          # everybody has got that many
#   ...
#   $load->follow_until(sub { ... }, 'something');
#   $load->judge(qr/^201$/);    # each has got exactly what was published

use v5.36;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);
use SSE::Nginx;
use SSE::Util;

# Options: channel; via: how each of the clients comes.
sub start ($class, $server, %option) {
    my $self = bless { server => $server, channel => $option{channel} }, $class;
    $self->{followers} = [map { { via => $_, events => [], ends => {}, torn => 0 } } @{ $option{via} }];
    for my $follower (@{ $self->{followers} }) {
        $self->connect_follower($follower);
        $follower->{cursor} = $follower->{client}->ready->last_event_id;
    }
    $self->{publisher} = $self->start_publisher;
    return $self;
}

# Publishes 1, 2, 3... in a process of its own until a file makes it stop; a signal would interrupt the last request. A number
# that is refused because the zone is being taken over is published again. Each line that it writes has number, status, id.
sub start_publisher ($self) {
    my $server = $self->{server};
    my $parent = $$;
    unlink my $stop = $server->prefix . '/stop';
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open my $file, '>', $server->prefix . '/published' or POSIX::_exit(1);
    $file->autoflush(1);
    for (my $number = 1; !-e $stop && getppid == $parent;) {
        my $answer = eval { $server->publish("/pub?channel=$self->{channel}", $number) };
        my $status = $answer ? $answer->status : 0;
        print $file "$number $status ", $status == 201 ? $answer->json->{id} : '-', "\n";
        $number++ unless $status == 503;
        sleep 0.003;
    }
    POSIX::_exit(0);
}

# A subscriber that comes back whenever its stream ends.
sub connect_follower ($self, $follower) {
    $follower->{client}
        = $self->{server}->subscribe("/sub?channel=$self->{channel}", via => $follower->{via}, cursor => $follower->{cursor});
}

sub follow ($self) {
    for my $follower (@{ $self->{followers} }) {
        my $client = $follower->{client};
        $client->poll;
        push @{ $follower->{events} }, grep { $_->{type} ne 'ready' } splice @{ $client->{events} };
        $follower->{cursor} = $client->last_event_id;
        next unless $client->closed;
        $follower->{ends}{ $client->closed }++;
        $follower->{torn}++ if $client->pending;
        $self->connect_follower($follower);
    }
}

# Goes on until the condition is true.
sub follow_until ($self, $condition, $what) {
    wait_until(sub { $self->follow; $condition->() }, $what);
}

# Goes on until everybody has got that number.
sub reach ($self, $number) {
    my $followers = $self->{followers};
    $self->follow_until(
        sub {
            !grep { (@{ $_->{events} } ? $_->{events}[-1]{data} : 0) < $number } @$followers;
        },
        "everybody to have got $number"
    );
}

# How far they are.
sub number ($self) { return $self->{followers}[0]{events}[-1]{data} }

# Ends the publisher and judges. $allowed: the statuses that it may have been answered.
sub judge ($self, $allowed) {
    $self->{server}->write_file('stop', '');
    waitpid $self->{publisher}, 0;
    my @line = map { [split / /] } split /\n/, $self->{server}->read_file('published');
    my @failed = grep { $_->[1] !~ $allowed } @line;
    is_deeply \@failed, [], 'every publish has succeeded' or diag map {"@$_\n"} @failed;
    my @done = grep { $_->[1] == 201 } @line;
    note scalar(@line) - scalar(@done), ' were turned away';
    is_ascending [map { $_->[2] } @done], 'ids grow';
    $self->reach($done[-1][0]);

    my @expected = map {"$_->[0] $_->[2]"} @done;
    for my $number (0 .. $#{ $self->{followers} }) {
        my $follower = $self->{followers}[$number];
        my $name = "follower $number over $follower->{via}";
        my @got = map {"$_->{data} $_->{id}"} @{ $follower->{events} };
        ok "@got" eq "@expected", "$name has got exactly what was published"
            or diag scalar(@got), ' of ', scalar(@expected), '; first wrong: ',
            (grep { ($got[$_] // '-') ne ($expected[$_] // '-') } 0 .. $#expected)[0] // 'too many';
        is $follower->{torn}, 0, 'no stream has ended inside an event';
        my $end = $follower->{via} =~ /1\.0|unchunked/ ? 'clean' : 'abort';
        is_deeply [keys %{ $follower->{ends} }], [$end], 'each has been told to come back' or diag explain $follower->{ends};
    }
}

1;
