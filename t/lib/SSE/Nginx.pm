package SSE::Nginx;

# A real nginx for one test: its own directory, free ports, and a look at its error log when it ends.
#
#   my $server = SSE::Nginx->start(listen => ['h1', 'h2c'], workers => 2);
#   my $subscriber = $server->subscribe('/sub?channel=a', via => 'h2c')->ready;
#   is $server->publish('/pub?channel=a', 'hello')->status, 201;
#   is $subscriber->next_event->{data}, 'hello';
#
# Unless told otherwise it has a zone of 4 megabytes and the locations /sub, /pub and /status.
# Ways to reach it ("via"): h1, h1.0, unchunked (chunked_transfer_encoding off), tls, h2c, h2, h3.

use v5.36;
use Cwd        ();
use File::Copy ();
use File::Temp ();
use List::Util ();
use POSIX      ();
use SSE::Certificate;
use SSE::Client::Curl;
use SSE::Client::Socket;
use Time::HiRes qw(sleep time);

my %via = (
    'h1'        => { listener => 'h1' },
    'h1.0'      => { listener => 'h1', version => '1.0' },
    'unchunked' => { listener => 'unchunked' },
    'tls'       => { listener => 'tls', tls => 1 },
    'h2c'       => { listener => 'h2c', curl => 1 },
    'h2'        => { listener => 'h2', curl => 1, tls => 1 },
    'h3'        => { listener => 'h3', curl => 1, tls => 1, h3 => 1 },
);

use Exporter 'import';
our @EXPORT = qw(wait_until);

my $owner = $$;
my %running;
my @trouble;

$ENV{PATH} .= ':/usr/sbin:/sbin'; # where Debian keeps nginx, and not in the path of a normal user

sub binary { return $ENV{TEST_NGINX_BINARY} // 'nginx' }

sub module {
    my $file = $ENV{TEST_NGINX_MODULE} // 'build/ngx_http_sse_module.so';
    return -e $file ? Cwd::abs_path($file) : die "no $file; `./build.sh build` makes it\n";
}

# The version as a number that can be compared: 1022001.
sub version {
    state $version = do {
        my ($text) = `@{[binary()]} -v 2>&1` =~ m{nginx/(\S+)} or die 'no nginx';
        my ($major, $minor, $patch) = split /\./, $text;
        $major * 1_000_000 + $minor * 1000 + $patch;
    };
    return $version;
}

# Whether this nginx was configured with that option: has('http_sub_module').
sub has ($what) {
    state $options = `@{[binary()]} -V 2>&1`;
    return $options =~ /--with-\Q$what\E\b/;
}

# Why HTTP/3 cannot be tested here, or nothing. Dies if it has to be tested.
sub lacks_http3 {
    state $lacking
        = !has('http_v3_module')                       ? 'this nginx has no HTTP/3'
        : `curl --version` !~ /^Features:.*\bHTTP3\b/m ? 'this curl has no HTTP/3'
        :                                                '';
    die "$lacking, and TEST_NGINX_REQUIRE_H3 is set\n" if $lacking && $ENV{TEST_NGINX_REQUIRE_H3};
    return $lacking;
}

# Calls the condition until it is true, and returns its value; dies if it does not become true in time.
sub wait_until ($condition, $what, $seconds = $SSE::Client::Patience) {
    my $deadline = time + $seconds;
    while (1) {
        my $result = $condition->();
        return $result if $result;
        die "waited $seconds s in vain for $what\n" if time > $deadline;
        sleep 0.01;
    }
}

# Options: subscribe, publish (more directives in /sub and in /pub), locations (more locations), zone (its size);
# or instead of what they make: http, server. Further texts: main, events, servers (at the http level).
# listen (listeners), workers, module (0: do without; or the path of another), master (0: master_process off), daemon (1: so that it can be upgraded),
# drain (sse_drain, default 1s; undef: leave it out), reuseport (default: with several workers), env (of nginx),
# address (where it listens, default 127.0.0.1), inside (words before its command, such as those that enter a namespace),
# allow (regular expressions for lines that the error log may hold although they look like trouble).
sub new ($class, %option) {
    my $self = bless {
        prefix  => File::Temp->newdir('sse-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{TEST_NGINX_LEAVE}),
        listen  => ['h1'],
        workers => 1,
        module  => 1,
        master  => 1,
        drain   => '1s',
        address => '127.0.0.1',
        inside  => [],
        $option{module} // 1 ? usual(%option) : (),
        %option,
    }, $class;
    chmod 0755, "$self->{prefix}";
    $self->{ports} = { map { $_ => free_port() } @{ $self->{listen} } };
    return $self;
}

# An nginx that is running already, and goes on when the test ends: its master, and where it listens, as in h1 => 80.
sub attach ($class, $master, %port) {
    my $prefix = File::Temp->newdir('sse-XXXXXX', TMPDIR => 1);
    return bless { prefix => $prefix, pid => $master, ports => {%port}, address => '127.0.0.1', master => 1 }, $class;
}

# The locations that most tests need.
sub usual (%option) {
    my ($subscribe, $publish, $locations) = map { $_ // '' } @option{qw(subscribe publish locations)};
    return (
        http   => "sse_zone events @{[ $option{zone} // '4m' ]};",
        server => <<"END");
location = /sub {
            sse_channel \$arg_channel;
            $subscribe
        }
        location = /pub {
            sse_publish \$arg_channel;
            client_max_body_size 0;
            $publish
        }
        location = /status {
            sse_status;
        }
        $locations
END
}

sub start ($class, %option) {
    my $self = $class->new(%option);
    for my $attempt (1 .. 5) {
        $self->write_configuration;
        last if $self->launch;
        die "nginx does not start:\n" . $self->log . $self->read_file('stderr.log')
            if $attempt == 5 || $self->log !~ /bind\(\) to .* failed/;
        unlink map {"$self->{prefix}/$_"} qw(error.log stderr.log);
        $_ = free_port() for values %{ $self->{ports} };
    }
    return $self;
}

# Outside of the range from which the kernel takes the ports of clients; none is given twice.
sub free_port {
    state %given;
    while (1) {
        my $port = 10_000 + int rand 22_000;
        next if $given{$port}++;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port);
    }
}

sub prefix ($self) { return "$self->{prefix}" }
sub port ($self, $listener = 'h1') { return $self->{ports}{$listener} // die "no listener $listener" }

sub configuration ($self) {
    my $main = $self->{main} // '';
    $main = "user root;\n$main" if $> == 0;
    my $module = $self->{module} =~ m{/} ? $self->{module} : module();
    $main = "load_module $module;\n$main" if $self->{module};
    my $level = $ENV{TEST_NGINX_DEBUG} ? 'debug' : 'info';
    my $mode  = $self->{master} ? 'on' : 'off';
    my $daemon = $self->{daemon} ? 'on' : 'off';
    my $drain = $self->{module} && defined $self->{drain} ? "sse_drain $self->{drain};" : '';
    $drain .= ' sse_direct off;' if $self->{module} && $ENV{TEST_NGINX_CHAIN};
    my $temporary = join "\n    ", map {"${_}_temp_path $_;"} qw(client_body proxy fastcgi uwsgi scgi);
    my $servers = join '', map { $self->server_block($_) } @{ $self->{listen} };
    return <<"END";
$main
daemon $daemon;
master_process $mode;
worker_processes $self->{workers};
pid nginx.pid;
error_log error.log $level;
events {
    @{[ $self->{events} // 'worker_connections 1024;' ]}
}
http {
    $temporary
    access_log off;
    keepalive_requests 1000000;
    $drain
    @{[ $self->{http} // '' ]}
$servers
    @{[ $self->{servers} // '' ]}
}
END
}

# One server for each listener, all with the same content. An extra header says which worker has answered.
sub server_block ($self, $listener) {
    my ($flags, @extra) = ('');
    if ($listener =~ /tls|h2$|h3/) {
        $flags = ' ssl';
        push @extra, 'ssl_certificate certificate.pem;', 'ssl_certificate_key key.pem;';
        make_certificate($self->prefix, $self->{address});
    }
    if ($listener =~ /h2/) {
        version() >= 1_025_001 ? push @extra, 'http2 on;' : ($flags .= ' http2');
    }
    push @extra, 'chunked_transfer_encoding off;' if $listener eq 'unchunked';
    $flags .= ' reuseport' if $self->{reuseport} // $self->{workers} > 1;
    $flags .= " $self->{listen_flags}" if $self->{listen_flags};
    my $address = "$self->{address}:$self->{ports}{$listener}";
    # Over TCP, too, because otherwise it cannot be seen from outside that it listens.
    push @extra, "listen $address quic" . $flags =~ s/ ssl//r . ';' if $listener eq 'h3';
    return <<"END";
    server {
        listen $address$flags;
        server_name localhost;
        add_header X-Worker \$pid always;
        @extra
        @{[ $self->{server} // '' ]}
    }
END
}

sub write_configuration ($self) {
    $self->write_file('nginx.conf', $self->configuration);
}

# The path of a copy of the module in another file, as when a new version is installed.
sub copy_module ($self, $file = module()) {
    state $number = 0;
    my $copy = "$self->{prefix}/copy" . ++$number . '.so';
    File::Copy::copy($file, $copy) or die "$copy: $!";
    return $copy;
}

# Replaces the file in one step, because an nginx may be about to read it.
sub write_file ($self, $name, $content) {
    open my $file, '>:raw', "$self->{prefix}/$name.new" or die "$name: $!";
    print $file $content;
    CORE::close $file or die "$name: $!";
    rename "$self->{prefix}/$name.new", "$self->{prefix}/$name" or die "$name: $!";
}

sub read_file ($self, $name) {
    open my $file, '<:raw', "$self->{prefix}/$name" or return '';
    local $/;
    return readline($file) // '';
}

# With the whole path of the binary, because that is what nginx executes in an upgrade.
sub command ($self, @more) {
    state $binary = binary() =~ m{/} ? Cwd::abs_path(binary()) : (grep {-x} map {"$_/@{[binary()]}"} split /:/, $ENV{PATH})[0];
    return ($binary, '-p', "$self->{prefix}/", '-c', 'nginx.conf', '-e', 'error.log', @more);
}

# nginx -t: (whether it succeeds, its output).
sub check ($self) {
    $self->write_configuration;
    my $output = qx{@{[ $self->command('-t') ]} 2>&1};
    return ($? == 0, $output);
}

# Starts nginx and waits until it listens on every port; false when it ends instead.
sub launch ($self) {
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        open STDERR, '>>', "$self->{prefix}/stderr.log";
        %ENV = (%ENV, %{ $self->{env} // {} });
        exec @{ $self->{inside} }, $self->command or POSIX::_exit(127);
    }
    $self->{pid} = $self->daemon_of($self->{pid}) if $self->{daemon};
    $running{ $self->{pid} } = $self;
    my @left = values %{ $self->{ports} };
    wait_until(
        sub {
            return 1 unless $self->alive;
            @left = grep { !IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $_) } @left;
            return !@left && ($self->{master} == 0 || @{ [$self->workers] } == $self->{workers});
        },
        'nginx to listen'
    );
    return $self->alive;
}

# The master, once the process that was started has exited; that process itself if there is no master.
sub daemon_of ($self, $starter) {
    local $?;
    waitpid $starter, 0;
    return $starter unless $? == 0;
    wait_until(sub { $self->read_file('nginx.pid') =~ /\A(\d+)\n/ && $1 }, 'the pid of nginx');
    return $self->read_file('nginx.pid') =~ s/\n//r;
}

# A process that is not our child counts as gone when it is a zombie.
sub is_running ($pid) {
    my $found = waitpid $pid, POSIX::WNOHANG();
    return $found == 0 if $found >= 0;
    open my $stat, '<', "/proc/$pid/stat" or return 0;
    return (readline($stat) // '') =~ /\A\d+ \(.*\) [^ZX] /;
}

sub alive ($self) {
    return 0 unless $self->{pid};
    return 1 if is_running($self->{pid});
    $self->{exit} = $?;
    delete $running{ delete $self->{pid} };
    return 0;
}

# Requests -----------------------------------------------------------------------------------------------------

# A connection for several requests, one after the other (HTTP/1 only).
sub connect ($self, $via = 'h1', %option) {
    my $way   = $via{$via} // die "no such way: $via";
    my $class = $way->{curl} ? 'SSE::Client::Curl' : 'SSE::Client::Socket';
    return $class->new(address => $self->{address}, port => $self->port($way->{listener}), tls => $way->{tls}, h3 => $way->{h3}, %option);
}

# Sends a request and returns at once. Options: via, headers (pairs), cursor (Last-Event-ID), type (Content-Type),
# body, stream (1: the body follows by feed and end), on (a connection), rcvbuf.
sub request ($self, $method, $path, %option) {
    my $via = $option{via} // 'h1';
    my @headers = @{ $option{headers} // [] };
    push @headers, 'Last-Event-ID' => $option{cursor} if defined $option{cursor};
    push @headers, 'Content-Type'  => $option{type}   if defined $option{type};
    my $client = $option{on} // $self->connect($via, $option{rcvbuf} ? (rcvbuf => $option{rcvbuf}) : ());
    return $client->send(
        method  => $method,
        path    => $path,
        headers => \@headers,
        version => $via{$via}{version},
        body    => $option{body},
        stream  => $option{stream},
    );
}

sub get ($self, $path, %option) { return $self->request(GET => $path, %option)->finish }

sub subscribe ($self, $path, %option) { return $self->request(GET => $path, %option) }

# Publishes, and reads the answer to its end.
sub publish ($self, $path, $body, %option) {
    return $self->request($option{method} // 'POST', $path, %option, body => $body)->finish;
}

# A publisher whose body stays open: ->feed($bytes), then ->end->finish.
sub stream ($self, $path, %option) {
    return $self->request($option{method} // 'POST', $path, %option, stream => 1);
}

# A subscriber that is served by that worker.
sub subscribe_on ($self, $pid, $path, %option) {
    for (1 .. 1000) {
        my $client = $self->subscribe($path, %option);
        return $client if ($client->header('X-Worker') // '') eq $pid;
        $client->close;
    }
    die "worker $pid never answers";
}

# A connection to that worker, which is kept open; $path is what it is asked for to find out.
sub connect_to ($self, $pid, $path = '/status') {
    for (1 .. 1000) {
        my $connection = $self->connect;
        return $connection if $self->get($path, on => $connection)->header('X-Worker') eq $pid;
        $connection->close;
    }
    die "worker $pid never answers";
}

# Processes ----------------------------------------------------------------------------------------------------

sub children ($self, $master = $self->{pid}) {
    my %title;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $stat, '<', $file or next;
        my ($pid, $state, $parent) = (readline($stat) // '') =~ /\A(\d+) \(.*\) (\S) (\d+)/ or next;
        next if $parent != $master || $state eq 'Z';
        $title{$pid} = $self->title($pid) // next;
    }
    return \%title;
}

# The title that nginx gives the process. A process in an emulator cannot show its title: there, a process that has begun to
# wait for events is a worker, and the log says which ones are leaving.
sub title ($self, $pid) {
    if ($ENV{TEST_NGINX_EMULATED}) {
        return '' unless grep { (readlink // '') eq 'anon_inode:[eventpoll]' } glob "/proc/$pid/fd/*";
        return $self->log =~ /\b$pid#\d+: gracefully shutting down/ ? 'worker process is shutting down' : 'worker process';
    }
    open my $line, '<', "/proc/$pid/cmdline" or return undef;
    return readline($line) // '';
}

# The workers that take new connections, and those that are leaving.
sub workers ($self) {
    return $self->{pid} unless $self->{master};
    my $title = $self->children;
    my @pids = sort { $a <=> $b } grep { $title->{$_} =~ /worker process(?! is shutting down)/ } keys %$title;
    return @pids;
}

sub leaving_workers ($self) {
    my $title = $self->children;
    my @pids = grep { $title->{$_} =~ /worker process is shutting down/ } keys %$title;
    return @pids;
}

sub signal ($self, $name) { kill $name, $self->{pid} or die "kill $self->{pid}: $!" }

# Reloads, with a new configuration or the same one, and waits until all new workers are there. The old workers, which are
# returned, may not be gone yet.
sub reload ($self, %option) {
    @$self{ keys %option } = values %option;
    $self->write_configuration;
    my %old = map { $_ => 1 } $self->workers, $self->leaving_workers;
    $self->signal('HUP');
    wait_until(
        sub {
            my @now = $self->workers;
            return @now == $self->{workers} && !grep { $old{$_} } @now;
        },
        'new workers'
    );
    return grep { $old{$_} } keys %old;
}

# Waits until those processes (say, the workers before a reload) are gone.
sub wait_gone ($self, @pids) {
    wait_until(sub { my $child = $self->children; !grep { exists $child->{$_} } @pids }, "the end of @pids");
}

# Kills one worker by SIGKILL, and waits for its successor.
sub kill9 ($self, $pid) {
    my %old = map { $_ => 1 } $self->workers;
    kill KILL => $pid or die "kill $pid: $!";
    wait_until(
        sub {
            my @now = $self->workers;
            @now == $self->{workers} && !grep { $_ == $pid } @now;
        },
        'a new worker'
    );
}

# Starts a second nginx beside this one, as in an upgrade of the binary, and waits for its workers. From then on this object
# stands for the second one. The old master, which is returned, must still be sent QUIT. Needs the option daemon.
sub upgrade ($self) {
    my $old = $self->{pid};
    $self->write_configuration;
    $self->signal('USR2');
    wait_until(sub { ($self->read_file('nginx.pid') =~ /\A(\d+)\n/ ? $1 : $old) != $old }, 'the new master');
    $self->become($self->read_file('nginx.pid') =~ s/\n//r);
    wait_until(sub { @{ [$self->workers] } == $self->{workers} }, 'the new workers');
    return $old;
}

# From now on this object stands for that master.
sub become ($self, $master) {
    delete $running{ $self->{pid} };
    $self->{pid} = $master;
    $running{$master} = $self;
}

# Ends nginx (gracefully unless told otherwise) and returns what was wrong in its log.
sub stop ($self, $signal = 'QUIT') {
    if ($self->alive) {
        $self->signal($signal);
        if (!eval { wait_until(sub { !$self->alive }, "the end of nginx after $signal") }) {
            push @{ $self->{problems} }, $@;
            $self->kill_all;
        }
    }
    my @problems = $self->problems;
    push @trouble, @problems unless $self->{told}++;
    return @problems;
}

# Waits for the workers, too: each of them holds the listening sockets until it is gone.
sub kill_all ($self) {
    my @children = keys %{ $self->children };
    kill KILL => $self->{pid}, @children;
    wait_until(sub { !$self->alive && !grep { is_running($_) } @children }, 'the end of a killed nginx');
}

# The log ------------------------------------------------------------------------------------------------------

sub log ($self) { return $self->read_file('error.log') }

# The log from here on: $mark = log_mark; log_since($mark).
sub log_mark ($self) { return -s "$self->{prefix}/error.log" // 0 }
sub log_since ($self, $mark) { return substr $self->log, $mark }

sub wait_for_log ($self, $pattern, $mark = 0) {
    wait_until(sub { $self->log_since($mark) =~ $pattern }, "log line $pattern");
}

sub allow ($self, @patterns) { push @{ $self->{allow} }, @patterns }

# Log lines that make a test fail.
sub problems ($self) {
    my @allowed = @{ $self->{allow} // [] };
    my @lines = grep {/\[(?:alert|emerg|crit)\]|Sanitizer|runtime error:/} split /\n/,
        $self->log . $self->read_file('stderr.log');
    return (
        @{ $self->{problems} // [] },
        grep { my $line = $_; !grep { $line =~ $_ } @allowed } @lines
    );
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

# Stops whatever is still running. A test that has passed fails after all if a log reports trouble.
END {
    if ($$ == $owner) {
        my $status = $?;
        $_->stop for values %running;
        print STDERR map {"# trouble: $_\n"} @trouble;
        $? = $status || (@trouble ? 1 : 0);
    }
}

1;
