package SSE::Redis;

# A real Redis or Valkey for one test, with its own directory and a free port. Nothing of it is left when the test ends,
# however it ends.
#
#   my $redis = SSE::Redis->start(aof => 1);
#   my $replica = SSE::Redis->start(replica_of => $redis);
#   $redis->command(XADD => 'sse:events', '*', channel => 'news', data => 'hello');
#   $redis->kill9; $redis->launch;     # the same port, the same data as far as they were kept
#
# The binary is $TEST_REDIS_BINARY, or redis-server, or valkey-server.

use v5.36;
use File::Temp ();
use POSIX      ();
use SSE::Certificate;
use SSE::Nginx; # wait_until, free_port
use SSE::Process ();
use SSE::Resp;

my $owner = $$;
my %running;

sub binary {
    state $binary = $ENV{TEST_REDIS_BINARY}
        // (grep {-x} map { my $name = $_; map {"$_/$name"} split /:/, $ENV{PATH} } qw(redis-server valkey-server))[0]
        // die "there is neither redis-server nor valkey-server\n";
    return $binary;
}

# Options: aof (1: keeps what it has acknowledged when it is killed), replica_of (another one), password, users (lines
# for the ACL, beside the default user), tls (1: TLS and nothing else), maxmemory, config (more lines), address (where it
# listens, default 127.0.0.1), port, inside (words before the command, such as those that enter a namespace), env.
sub new ($class, %option) {
    my $self = bless {
        prefix  => File::Temp->newdir('sse-redis-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{TEST_NGINX_LEAVE}),
        address => '127.0.0.1',
        inside  => [],
        %option,
    }, $class;
    $self->{port} //= SSE::Nginx::free_port();
    return $self;
}

sub start ($class, %option) {
    my $self = $class->new(%option);
    return $self->launch;
}

sub address ($self) { return "$self->{address}:$self->{port}" }
sub port    ($self) { return $self->{port} }
sub pid     ($self) { return $self->{pid} }
sub prefix  ($self) { return "$self->{prefix}" }

# The certificate that it shows, if it speaks TLS.
sub certificate ($self) { return $self->{tls} ? "$self->{prefix}/certificate.pem" : undef }

sub configuration ($self) {
    my @lines = (
        "dir $self->{prefix}", 'daemonize no', "logfile $self->{prefix}/redis.log", 'save ""',
        "bind $self->{address}", "unixsocket $self->{prefix}/socket", 'protected-mode no', 'repl-diskless-sync-delay 0',
        $self->{tls} ? ('port 0', "tls-port $self->{port}") : "port $self->{port}",
        $self->{tls} ? (map {"tls-$_"} "cert-file $self->{prefix}/certificate.pem", "key-file $self->{prefix}/key.pem",
            "ca-cert-file " . ($self->{replica_of} // $self)->certificate, 'auth-clients no', 'replication yes') : (),
        $self->{aof}        ? ('appendonly yes', 'appendfsync always') : (), # "everysec" answers before it has written
        $self->{maxmemory}  ? ("maxmemory $self->{maxmemory}", 'maxmemory-policy noeviction') : (),
        $self->{password}   ? ("requirepass $self->{password}", "masterauth $self->{password}") : (),
        $self->{replica_of} ? "replicaof @{[$self->{replica_of}{address}]} @{[$self->{replica_of}{port}]}" : (),
        (map {"user $_"} @{ $self->{users} // [] }),
        @{ $self->{config} // [] },
    );
    return join '', map {"$_\n"} @lines;
}

# Starts it, again if it has ended, and waits until it answers.
sub launch ($self) {
    my $file = "$self->{prefix}/redis.conf";
    make_certificate($self->prefix, $self->{address}) if $self->{tls};
    if (!-e $file) { # what CONFIG REWRITE has changed must stay
        open my $handle, '>', $file or die "$file: $!";
        print $handle $self->configuration;
        close $handle or die "$file: $!";
    }
    my $parent = $$;
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        open STDOUT, '>>', "$self->{prefix}/output.log";
        open STDERR, '>&', \*STDOUT;
        %ENV = (%ENV, %{ $self->{env} // {} });
        # It ends with this test, even if that is killed.
        exec @{ $self->{inside} }, qw(setpriv --pdeathsig KILL --), binary(), $file or POSIX::_exit(127);
    }
    $running{ $self->{pid} } = $self;
    $self->await_answer;
    return $self;
}

# Any reply counts once it has loaded its data, even an error that asks for a password.
sub await_answer ($self) {
    wait_until(
        sub {
            die "Redis does not start:\n" . $self->read_file('output.log') . $self->log unless $self->alive;
            my $answer = eval { SSE::Resp->connect($self->where, timeout => 1)->send("PING\r\n")->reply };
            return defined $answer && (ref $answer ? $$answer : $answer) !~ /\ALOADING/;
        },
        'Redis to answer'
    );
}

sub where ($self) { return (address => $self->{address}, port => $self->{port}, tls => $self->certificate) }

sub alive ($self) { return $self->{pid} && SSE::Nginx::is_running($self->{pid}) }

# Talking to it --------------------------------------------------------------------------------------------------------

# A new connection, logged in.
sub connect ($self, %option) { return $self->log_in(SSE::Resp->connect($self->where, %option)) }

sub log_in ($self, $connection) {
    $connection->command(AUTH => $self->{password}) if $self->{password};
    return $connection;
}

# The reply to one command, on a connection that is kept and does not use the network; dies if the reply is an error.
sub command ($self, @words) {
    $self->{connection} //= $self->log_in(SSE::Resp->connect(path => "$self->{prefix}/socket"));
    my $reply = eval { $self->{connection}->send(SSE::Resp::encode(@words))->reply };
    if ($@) {
        delete $self->{connection};
        die $@;
    }
    die "$words[0]: $$reply\n" if SSE::Resp::is_error($reply);
    return $reply;
}

# The text of the error that a command is answered with; undef if it is none.
sub refusal ($self, @words) {
    return if eval { $self->command(@words); 1 };
    return $@ =~ s/\A\S+: |\n\z//gr;
}

# A section of INFO, as a hash.
sub info ($self, $section) {
    return { $self->command(INFO => $section) =~ /^([^:#\r\n]+):([^\r\n]*)/mg };
}

# How often each command has been called, by all clients.
sub calls ($self) {
    my $info = $self->info('commandstats');
    return { map { /\Acmdstat_(.*)/ ? ("$1" => $info->{$_} =~ s/\Acalls=(\d+).*/$1/r) : () } keys %$info };
}

# The entries of a stream: [id, {field => value, ...}], ...
sub entries ($self, $stream, $from = '-', $to = '+') {
    return map { [$_->[0], { @{ $_->[1] } }] } @{ $self->command(XRANGE => $stream, $from, $to) };
}

# Replication ----------------------------------------------------------------------------------------------------------

# Waits until a replica has everything that its master has, and acknowledges new data. For some hundred milliseconds after it
# has connected, a replica acknowledges nothing. (PUBLISH is sent to replicas and stores nothing.)
sub wait_synchronous ($self) {
    my $master = $self->{replica_of};
    wait_until(
        sub {
            return 0 if ($self->info('replication')->{master_link_status} // '') ne 'up';
            $master->command(PUBLISH => 'test', '');
            my $replicas = $master->info('replication')->{connected_slaves};
            return $master->command(WAIT => $replicas, 100) == $replicas;
        },
        'a replica that follows'
    );
    return $self;
}

sub promote ($self) { $self->command(REPLICAOF => 'NO', 'ONE') }
sub follow  ($self, $master) { $self->command(REPLICAOF => @$master{qw(address port)}) }

# Ending it, and holding it up -----------------------------------------------------------------------------------------

sub kill9 ($self) { $self->end('KILL') }
sub stop  ($self) { $self->end('TERM') }

sub end ($self, $signal) {
    delete $self->{connection};
    my $pid = $self->{pid} or return;
    if ($self->alive) {
        kill CONT => $pid if $signal eq 'TERM'; # one that stands hears nothing
        kill $signal => $pid;
        local $@;
        eval { wait_until(sub { !$self->alive }, "the end of Redis after $signal"); 1 } or kill KILL => $pid;
        wait_until(sub { !$self->alive }, 'the end of a killed Redis');
    }
    delete $running{ delete $self->{pid} };
}

sub restart ($self) {
    $self->stop;
    return $self->launch;
}

# Stops it, so that it answers no client while all connections stay open; and lets it go on.
sub freeze ($self) { SSE::Process::freeze($self->{pid}) }
sub thaw   ($self) { SSE::Process::thaw($self->{pid}) }

# Its log --------------------------------------------------------------------------------------------------------------

sub log ($self) { return $self->read_file('redis.log') }

sub read_file ($self, $name) {
    open my $file, '<:raw', "$self->{prefix}/$name" or return '';
    local $/;
    return readline($file) // '';
}

sub wait_for_log ($self, $pattern) {
    wait_until(sub { $self->log =~ $pattern }, "line $pattern in the log of Redis");
}

END {
    if ($$ == $owner) {
        local ($?, $@);
        $_->end('KILL') for values %running;
    }
}

1;
