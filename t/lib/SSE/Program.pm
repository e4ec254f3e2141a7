package SSE::Program;

# A third-party program that runs beside nginx in one test, with its own directory and port. Nothing of it is left when the
# test ends, however it ends.
#
#   my $program = SSE::Program->new(
#       program => 'caddy',
#       files   => { Caddyfile => $text },      # what is put into its directory; PREFIX in it stands for that directory
#       command => sub ($self) { return (qw(caddy run --config), $self->file('Caddyfile')) },
#       reload  => 'USR1',                      # a signal, or a sub that returns a command
#       stands  => 9000,                        # for its port, in its files
#   );
#   $program->start(8080 => $server->port);     # what else is replaced in its files
#
# Further options: env, user (the owner of its directory, if root runs the test), tidy (1: it removes what it has created
# elsewhere, and is given the time for that).

use v5.36;
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use SSE::Nginx; # wait_until, free_port
use Test::More;

my $owner = $$;
my %running;

# Skips the test where the program is not installed, unless it has to be.
sub new ($class, %option) {
    plan skip_all => "there is no $option{program}; `./build.sh test` installs it" if !is_installed($option{program}) && !$ENV{CI};
    my $self = bless {
        prefix => File::Temp->newdir('sse-program-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{TEST_NGINX_LEAVE}),
        port   => SSE::Nginx::free_port(),
        %option,
    }, $class;
    chmod 0755, $self->prefix;
    return $self;
}

sub is_installed ($program) {
    return -x $program if $program =~ m{/};
    return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

sub prefix ($self) { return "$self->{prefix}" }
sub port   ($self) { return $self->{port} }
sub file ($self, $name) { return "$self->{prefix}/$name" }

# Its output.
sub log ($self) {
    open my $file, '<:raw', $self->file('output.log') or return '';
    return join '', readline $file;
}

# Starts it, again if it has ended, and waits until it is there.
sub start ($self, %replaced) {
    for my $attempt (1 .. 5) {
        $self->write_files(PREFIX => $self->prefix, $self->{stands} => $self->port, %replaced);
        return $self if $self->launch;
        die "$self->{program} has ended:\n" . $self->log if $attempt == 5 || $self->log !~ /in use/i;
        unlink $self->file('output.log');
        $self->{port} = SSE::Nginx::free_port(); # another process has taken the old one
    }
}

# Whether it is there; false when it has ended instead.
sub launch ($self) {
    my @command = $self->{command}->($self);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp;
        chdir $self->prefix;
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', 'output.log';
        open STDERR, '>&', \*STDOUT;
        %ENV = (%ENV, HOME => $self->prefix, %{ $self->{env} // {} });
        exec @command or POSIX::_exit(127);
    }
    $running{ $self->{pid} = $pid } = $self;
    wait_until(sub { !$self->alive || $self->is_ready }, $self->{program}, 2 * $SSE::Client::Patience); # Java starts slowly
    return $self->alive;
}

sub alive ($self) {
    return 0 unless $self->{pid};
    return 1 if SSE::Nginx::is_running($self->{pid});
    delete $running{ delete $self->{pid} };
    return 0;
}

sub is_ready ($self) { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->port) }

sub write_files ($self, %replaced) {
    my $names = join '|', map {quotemeta} keys %replaced;
    for my $name (keys %{ $self->{files} }) {
        open my $file, '>:raw', $self->file($name) or die "$name: $!";
        print $file $self->{files}{$name} =~ s/\b($names)\b/$replaced{$1}/gr;
        close $file or die "$name: $!";
    }
    return if $> != 0 || !$self->{user};
    my (undef, undef, $user, $group) = getpwnam $self->{user} or die "there is no user $self->{user}";
    chown $user, $group, $self->prefix, glob $self->prefix . '/*';
}

sub reload ($self) {
    return kill $self->{reload} => $self->{pid} if !ref $self->{reload};
    my @command = $self->{reload}->($self);
    local $ENV{HOME} = $self->prefix;
    my $said = qx{cd @{[$self->prefix]} && @command 2>&1};
    die "@command: $said" if $?;
}

# Ends it, and all processes that it has started. After TERM some programs wait for their streams to end, which never happens.
sub stop ($self, $signal = 'TERM') {
    my $pid = delete $self->{pid} or return;
    delete $running{$pid};
    local ($?, $@);
    $signal = 'TERM' if $self->{tidy};
    kill $signal => $pid;
    eval { wait_until(sub { waitpid $pid, POSIX::WNOHANG() }, 'its end', $self->{tidy} ? 10 : 2) } if $signal ne 'KILL';
    kill KILL => -$pid;
    waitpid $pid, 0;
    # The kernel closes the sockets of killed processes a little later.
    wait_until(
        sub { IO::Socket::INET->new(Listen => 1, ReuseAddr => 1, LocalAddr => '127.0.0.1', LocalPort => $self->port) },
        "the port of $self->{program}"
    );
}

END {
    if ($$ == $owner) {
        local ($?, $@);
        kill KILL => map { (-$_, $_) } keys %running;
        waitpid $_, 0 for keys %running;
    }
}

1;
