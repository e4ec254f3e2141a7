package Bench::Server;

# The servers that are measured, and what the kernel tells about each.
#
#   my $server = Bench::Server->start('nchan', workers => 2, heartbeat => 15);
#   my $before = $server->cpu; ...; say $server->cpu - $before;

use v5.36;
use Bench::Machine qw(processors);
use Bench::Nginx;
use Cwd qw(abs_path);
use IO::Socket::INET;
use List::Util qw(sum0);
use SSE::Faulty;
use SSE::Nginx;
use SSE::Redis;

my $modules = '/usr/lib/nginx/modules';

# What each is: the file of its module; what is in its configuration at the http level (sub of a hash: the options of start)
# and in the server; the paths for a channel %c, that for a body of one event a line if it takes one; a cursor that is older
# than all events (old); further lines of a publish request for event %n. Each keeps enough events for a client that comes
# back after a hundred.
my %known = (
    floor => { binary => 'build/bench/floor', subscribe => '/%c', publish => '/%c' },

    # The same nginx, doing as little as it can for the same requests.
    nginx => {
        modules => [],
        server  => 'location = /sub { return 200 ""; } location = /pub { return 204; }',
    },

    nchan => {
        modules => ["$modules/ngx_nchan_module.so"],
        old     => '', # without one it begins with the oldest
        http    => sub (%option) { return "nchan_shared_memory_size @{[ $option{zone} // '512m' ]};" },
        server  => sub (%option) { return <<"END" },
location = /sub {
            nchan_subscriber eventsource;
            nchan_channel_id \$arg_channel;
            @{[ $option{heartbeat} ? "nchan_eventsource_ping_interval $option{heartbeat};" : '' ]}
        }
        location = /pub {
            nchan_publisher;
            nchan_channel_id \$arg_channel;
            nchan_message_buffer_length @{[ $option{history} // 256 ]};
        }
END
    },

    'push-stream' => {
        modules => ["$modules/ngx_http_push_stream_module.so"],
        old     => '0',
        headers => "Event-Id: %n\r\n",
        http    => sub (%option) {
            return "push_stream_shared_memory_size @{[ $option{zone} // '512m' ]};"
                . "push_stream_max_messages_stored_per_channel @{[ $option{history} // 256 ]};"
                . 'push_stream_message_ttl 10m;';
        },
        server => sub (%option) { return <<"END" },
location = /sub {
            push_stream_subscriber eventsource;
            push_stream_channels_path \$arg_channel;
            @{[ $option{heartbeat} ? "push_stream_ping_message_interval $option{heartbeat}s;" : '' ]}
        }
        location = /pub {
            push_stream_publisher admin;
            push_stream_channels_path \$arg_channel;
            push_stream_store_messages on;
        }
END
    },

    # As docs/operations.md recommends it.
    sse => {
        modules => [abs_path('build/ngx_http_sse_module.so')],
        lines   => '/ingest?channel=%c',
        old     => '1-0',
        http    => sub (%option) { return "sse_zone events @{[ $option{zone} // '64m' ]};" },
        server  => sub (%option) { return <<"END" },
request_pool_size 1k;
        location = /sub {
            sse_channel \$arg_channel;
            @{[ $option{heartbeat} ? "sse_heartbeat $option{heartbeat}s;" : '' ]}
        }
        location = /pub {
            sse_publish \$arg_channel;
            allow 127.0.0.0/8;
            deny all;
        }
        location = /ingest {
            sse_publish \$arg_channel;
            sse_framing lines;
            client_max_body_size 0;
            allow 127.0.0.0/8;
            deny all;
        }
END
    },
);

# The same with a bus, and nchan with its own: both through a Redis of their own.
$known{'sse-bus'} = {
    $known{sse}->%*,
    locations_of => 'sse',
    redis        => 1,
    http         => sub (%option) { return $known{sse}{http}->(%option) . bus(%option) },
    server       => sub (%option) {
        return $known{sse}{server}->(%option) . 'location = /status { sse_status; allow 127.0.0.0/8; deny all; }';
    },
};
$known{'nchan-redis'} = {
    $known{nchan}->%*,
    redis  => 1,
    http   => sub (%option) {
        return $known{nchan}{http}->(%option) . "upstream redis { nchan_redis_server redis://127.0.0.1:$option{redis}; }";
    },
    server => sub (%option) { return $known{nchan}{server}->(%option) =~ s/(?=nchan_channel_id)/nchan_redis_pass redis; /gr },
};

sub bus (%option) { return "sse_bus events redis://127.0.0.1:$option{redis} stream=bench acks=@{[ $option{acks} // 0 ]};" }

# Adds a server "before": this module as it was built into that file.
sub compare_with ($file) {
    die "bench: there is no module $file\n" unless -f $file;
    $known{before} = { $known{sse}->%*, modules => [abs_path($file)], locations_of => 'sse' };
}

# Whether it can be measured here.
sub is_there ($name) {
    return 0 if $known{$name}{redis} && !eval { SSE::Redis::binary() };
    return !grep { !-e } @{ $known{$name}{modules} // [] };
}

# Options: workers, heartbeat (seconds; 0: as it comes), tls (1: there, too), connections (of a worker), header (1: answers
# tell the worker), history (events of a channel that are kept), zone (size of the shared memory that they are kept in), pinned
# (1: the load has the last processor for itself, and each worker stays on one of the others; a nginx only), locations (more of
# them, by the name of the server), faults (1: this module, built with its fault points), redis (the port of one that is there; a
# server that needs one starts its own), acks.
sub start ($class, $name, %option) {
    my $known = $known{$name} or die "no server $name\n";
    my $self = bless { name => $name, subscribe => '/sub?channel=%c', publish => '/pub?channel=%c', headers => '', %$known },
        $class;
    $self->{redis} = $option{redis} ? undef : SSE::Redis->start if $known->{redis};
    $option{redis} //= $self->{redis}->port if $self->{redis};
    $known->{binary} ? $self->start_binary(%option) : $self->start_nginx(workers => 1, connections => 19_000, %option);
    return $self;
}

sub start_binary ($self, %option) {
    $self->{port} = SSE::Nginx::free_port();
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        exec $self->{binary}, $self->{port}, $option{heartbeat} // 0 or die "$self->{binary}: $!";
    }
    wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }, "$self->{name} to listen");
}

sub start_nginx ($self, %option) {
    $self->{option} = \%option;
    my ($http, $server) = map { ref $_ ? $_->(%option) : $_ // '' } @$self{qw(http server)};
    $server .= $option{locations}{ $self->{locations_of} // $self->{name} } // '';
    $server = "add_header X-Worker \$pid always;\n$server" if $option{header};
    my @processors = $option{pinned} ? processors() : ();
    $self->{load_processor} = @processors > 1 ? pop @processors : $processors[0] if @processors;
    my $nginx = $self->{nginx} = Bench::Nginx->new(
        module      => 0,
        modules     => $option{faults} ? [SSE::Faulty::module()] : $self->{modules},
        workers     => $option{workers},
        connections => $option{connections},
        processors  => \@processors,
        listen      => ['h1', $option{tls} ? 'tls' : ()],
        http        => $http,
        server      => $server,
    );
    $nginx->allow(qr/./) unless $self->{name} eq 'sse'; # a peer's alerts are not our trouble
    $nginx->write_file('file.txt', 'x' x 1000);
    $nginx->write_configuration;
    $nginx->launch or die "$self->{name} does not start:\n" . $nginx->log . $nginx->read_file('stderr.log');
    $self->{port} = $nginx->port('h1');
    $self->{tls_port} = $nginx->port('tls') if $option{tls};
}

# With another size of the shared memory.
sub resize ($self, $zone) {
    return $self->{nginx}->reload(http => $self->{http}->($self->{option}->%*, zone => $zone));
}

# The processes that do the work.
sub pids ($self) { return $self->{nginx} ? $self->{nginx}->workers : $self->{pid} }

# The processor time that they have used, in nanoseconds, as the scheduler counts it: to be read when they have nothing to do.
sub cpu ($self) {
    return sum0(map { (first_line("/proc/$_/schedstat") =~ /\A(\d+)/)[0] } $self->pids);
}

# The processor time that its Redis has used.
sub redis_cpu ($self) {
    return (first_line("/proc/@{[$self->{redis}->pid]}/schedstat") =~ /\A(\d+)/)[0];
}

# Their memory, in bytes; what several share counts for each in part.
sub memory ($self) {
    my $kilobytes = 0;
    for my $pid ($self->pids) {
        open my $file, '<', "/proc/$pid/smaps_rollup" or die "process $pid: $!";
        $kilobytes += (join('', readline $file) =~ /^Pss:\s+(\d+) kB$/m)[0];
    }
    return $kilobytes * 1024;
}

# What each has for itself, in bytes: quick to read, and without the shared memory.
sub private_memory ($self) {
    my $kilobytes = 0;
    for my $pid ($self->pids) {
        open my $file, '<', "/proc/$pid/status" or die "process $pid: $!";
        $kilobytes += (join('', readline $file) =~ /^RssAnon:\s+(\d+) kB$/m)[0];
    }
    return $kilobytes * 1024;
}

sub first_line ($name) {
    open my $file, '<', $name or die "$name: $!\n";
    return readline $file;
}

# What it has said of trouble.
sub complaints ($self) { return $self->{nginx} ? $self->{nginx}->log : '' }

sub stop ($self) {
    if ($self->{nginx}) {
        $self->{nginx}->stop('TERM');
    }
    elsif (my $pid = delete $self->{pid}) {
        local $?;
        kill TERM => $pid;
        waitpid $pid, 0;
    }
    (delete $self->{redis})->stop if $self->{redis};
}

sub DESTROY ($self) { $self->stop if $self->{pid} }

1;
