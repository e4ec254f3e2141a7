package SSE::Image;

# The images of docker/Dockerfile, and containers of them. podman with runc is the engine. The containers lie in memory and
# in the namespaces of the test, and end with it; they listen on the loopback of the test. The images stay in build/image.
#
#   use SSE::Image qw(server demo);                     # first: builds these images, where there is a network
#   use SSE::Network;                                   # second: the test starts again in namespaces of its own
#   my $engine = SSE::Image->engine;
#   my $container = $engine->run('demo', options => [...], command => [...]);
#   $container->wait_healthy;
#   $container->stdout, $container->stderr;             # what it has written
#   my ($status, $output) = $container->exec('command');
#   $container->signal('HUP'); $container->stop(10); $container->exit_status;
#
# An image is a target of the Dockerfile, or, with a name like t/image/NAME.Dockerfile, built upon one by that file. The base
# is a root directory of this release of Debian: build/image/base.tar, which `./build.sh image --make-base` makes. The module
# is the one that has been built for the tests, unless TEST_IMAGE_WHOLE is set: then it is built as the Dockerfile says.

use v5.36;
use Cwd        ();
use Fcntl      qw(LOCK_EX);
use File::Path qw(make_path remove_tree);
use JSON::PP   ();
use SSE::Network ();
use SSE::Nginx;
use Test::More;

my $images = Cwd::getcwd() . '/build/image';
my $owner  = $$;
my @engines;

sub import ($class, @images) {
    return if !@images || $ENV{SSE_NETWORK} || SSE::Network::lacking();
    my @perl = (qw(unshare --mount --pid --fork --kill-child --mount-proc --), $^X, (map {"-I$_"} @INC), "-M$class", '-e');
    my $status = system(@perl, "exit($class->works ? 0 : 3)");
    die "no base\n" if $status != 0 && $status >> 8 != 3;
    if ($status != 0) {
        die "no engine can run a container, and TEST_NGINX_REQUIRE_CONTAINERS is set\n" if $ENV{TEST_NGINX_REQUIRE_CONTAINERS};
        plan skip_all => 'no engine can run a container here';
    }
    system(@perl, "$class->build(\@ARGV)", @images) == 0 or die "no images\n";
}

# A command's status and output, both streams together.
sub run_command (@command) {
    local $?;
    open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "@command: $!";
    my $output = join '', readline $pipe;
    close $pipe;
    return ($?, $output);
}

sub must (@command) {
    my ($status, $output) = run_command(@command);
    die "@command failed with status $status:\n$output" if $status != 0;
    return $output;
}

# An engine with its data in $place, which also finds the images of another one.
sub new ($class, $place, $other = undef) {
    my $self = bless { place => $place }, $class;
    make_path("$place");
    my ($limit) = must(qw(bash -c), 'ulimit -Hn') =~ /(\d+)/; # it may not ask for more
    $limit = 65536 if !$limit || $limit > 65536;
    my $options = $other ? qq{[storage.options]\nadditionalimagestores = ["$other"]\n} : '';
    $self->write('containers.conf', <<"END");
[containers]
netns = "host"
cgroupns = "private"
log_driver = "k8s-file"
default_ulimits = ["nofile=$limit:$limit", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "$place/tmp"
[network]
network_config_dir = "$place/networks"
END
    $self->write('storage.conf', <<"END");
[storage]
driver = "overlay"
graphroot = "$place/store"
runroot = "$place/run"
$options
END
    $self->{environment} = {
        CONTAINERS_CONF                 => "$place/containers.conf",
        CONTAINERS_STORAGE_CONF         => "$place/storage.conf",
        DISABLE_HC_SYSTEMD              => 'true', # the test asks for health checks
        PODMAN_IGNORE_CGROUPSV1_WARNING => 1,
        TMPDIR                          => "$place",
    };
    return $self;
}

sub write ($self, $name, $text) {
    open my $file, '>', "$self->{place}/$name" or die "$name: $!";
    print $file $text;
    close $file or die "$name: $!";
}

sub podman ($self, @words) {
    local @ENV{ keys %{ $self->{environment} } } = values %{ $self->{environment} };
    return run_command('podman', '--log-level=error', @words);
}

sub must_podman ($self, @words) {
    my ($status, $output) = $self->podman(@words);
    die "podman @words failed with status $status:\n$output" if $status != 0;
    return $output;
}

# The engine that builds, of which there is one at a time.
sub builder ($class) {
    make_path($images);
    open my $lock, '>', "$images/lock" or die "lock: $!";
    flock $lock, LOCK_EX or die "lock: $!";
    my $self = $class->new($images);
    $self->{lock} = $lock;
    must(qw(./build.sh image --make-base)) if !-e "$images/base.tar";
    my $version = (stat "$images/base.tar")[9];
    my ($failed, $known) = $self->podman(qw(image inspect --format {{.Comment}} base));
    $self->must_podman(qw(import -q -m), $version, "$images/base.tar", 'base') if $known !~ /\b$version\b/;
    return $self;
}

# Whether containers can be run here.
sub works ($class) {
    my ($status, $output) = $class->builder->podman(qw(run --rm base true));
    print STDERR $output if $status != 0;
    return $status == 0;
}

# Builds from what is packed for a release; each image has the name of its target, or of its file.
sub build ($class, @images) {
    my $self = $class->builder;
    my ($packed) = must(qw(./build.sh dist)) =~ /^packed (\S+)$/m or die 'nothing packed';
    my $context = "$images/context";
    remove_tree($context);
    make_path($context);
    must(qw(tar -xz --strip-components=1 -C), $context, '-f', $packed);
    my @options = qw(-q --layers --format docker --isolation chroot --build-arg BASE=localhost/base);
    push @options, $self->built_module if !$ENV{TEST_IMAGE_WHOLE};
    for my $image (@images) {
        my @what = $image =~ m{(\w+)\.Dockerfile\z} ? ('-f', "$context/$image", '-t', $1)
            : ('-f', "$context/docker/Dockerfile", '--target', $image, '-t', $image);
        $self->must_podman('build', @options, @what, $context);
    }
}

# In place of the stage that builds.
sub built_module ($self) {
    my $stage = "$self->{place}/stage";
    make_path("$stage/source/build");
    must(qw(strip --strip-unneeded -o), "$stage/source/build/ngx_http_sse_module.so", SSE::Nginx::module());
    return ('--build-context', "build=$stage");
}

# The engine of this test. Its mount is in the test's own namespace, so it ends with that.
sub engine ($class) {
    my $place = "$images/containers";
    make_path($place);
    must(qw(mount -t tmpfs -o size=1g tmpfs), $place);
    my $self = $class->new($place, "$images/store");
    @$self{qw(group containers)} = (sprintf('sse-image-%08x', rand 2**32), 0);
    push @engines, $self;
    return $self;
}

sub place ($self) { return $self->{place} }

# What an image says about itself.
sub inspect ($self, $image) {
    return JSON::PP::decode_json($self->must_podman(qw(image inspect), $image))->[0];
}

# How containers are run unless `how` says otherwise: as the documents say. Nothing can be written to but /tmp, and there
# are no capabilities.
my @closed = qw(--read-only --read-only-tmpfs=false --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges);

# Options: how, options (more options of podman run), command (in place of the image's).
sub run ($self, $image, %option) {
    my $name = 'c' . ++$self->{containers};
    $self->must_podman(
        qw(run -d), '--cgroup-parent', "/$self->{group}", '--name', $name, @{ $option{how} // \@closed },
        @{ $option{options} // [] }, $image, @{ $option{command} // [] });
    return bless { engine => $self, name => $name }, 'SSE::Image::Container';
}

# Removes what would outlive the test.
sub end ($self) {
    $self->podman(qw(rm -af -t 0));
    my @groups = grep {-d} map { glob "$_/$self->{group}" } qw(/sys/fs/cgroup /sys/fs/cgroup/*);
    run_command('find', @groups, qw(-depth -type d -exec rmdir {} ;)) if @groups;
}

END {
    my $status = $?;
    if ($$ == $owner) {
        $_->end for @engines;
    }
    $? = $status;
}

package SSE::Image::Container {
    use v5.36;
    use SSE::Nginx;

    sub podman ($self, @words) { return $self->{engine}->podman(@words) }

    sub exec ($self, @command) { return $self->podman('exec', $self->{name}, @command) }

    # The health check of the image: its status, and what it says.
    sub healthy ($self) {
        my ($status) = $self->podman(qw(healthcheck run), $self->{name});
        return $status == 0;
    }

    sub wait_healthy ($self) {
        wait_until(sub { $self->healthy || ($self->running ? 0 : die "it does not run:\n" . $self->stderr) }, 'the container to be healthy');
        return $self;
    }

    sub state ($self, $field) {
        my ($status, $text) = $self->podman('inspect', '--format', "{{.State.$field}}", $self->{name});
        die $text if $status != 0;
        chomp $text;
        return $text;
    }

    sub running ($self) { return $self->state('Running') eq 'true' }
    sub pid ($self) { return $self->state('Pid') }
    sub exit_status ($self) { return $self->state('ExitCode') }

    sub signal ($self, $name) { $self->{engine}->must_podman('kill', '-s', $name, $self->{name}) }

    # Stops it as engines do: with the signal of the image, and after a number of seconds with SIGKILL.
    sub stop ($self, $seconds) { $self->{engine}->must_podman('stop', '-t', $seconds, $self->{name}) }

    sub wait_ended ($self) { wait_until(sub { !$self->running }, 'the container to end') }

    sub stdout ($self) { return $self->log('2>/dev/null') }
    sub stderr ($self) { return $self->log('2>&1 >/dev/null') }

    sub log ($self, $redirection) {
        my $engine = $self->{engine};
        local @ENV{ keys %{ $engine->{environment} } } = values %{ $engine->{environment} };
        return scalar qx{podman logs $self->{name} $redirection};
    }

    # What has changed below the root, apart from mounts.
    sub changes ($self) { return $self->{engine}->must_podman('diff', $self->{name}) }

    sub remove ($self) { $self->{engine}->must_podman(qw(rm -f -t 0), $self->{name}) }
}

1;
