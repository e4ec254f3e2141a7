package SSE::Prometheus;

# A real Prometheus for one test: its own directory, a free port, and nothing of it left when the test ends.
#
#   my $prometheus = SSE::Prometheus->start(config => "scrape_configs: ...");
#   my $series = $prometheus->query('sum by (zone) (sse_subscribers)');    # [{ metric => {...}, value => [time, number] }]

use v5.36;
use File::Temp ();
use JSON::PP   ();
use POSIX      ();
use SSE::Nginx; # wait_until, free_port

my $owner = $$;

sub start ($class, %option) {
    my $self = bless {
        directory => File::Temp->newdir('sse-prometheus-XXXXXX', TMPDIR => 1),
        port      => SSE::Nginx::free_port(),
    }, $class;
    my $file = "$self->{directory}/prometheus.yml";
    open my $config, '>', $file or die "$file: $!";
    print $config $option{config};
    close $config or die "$file: $!";
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        open STDOUT, '>', "$self->{directory}/output" or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;
        exec 'prometheus', "--config.file=$file", "--storage.tsdb.path=$self->{directory}/data", "--web.listen-address=127.0.0.1:$self->{port}"
            or POSIX::_exit(127);
    }
    wait_until(sub { ($self->get('/-/ready') // '') =~ /ready/i }, 'Prometheus to be ready', 30);
    return $self;
}

sub get ($self, $path) {
    my $text = `curl -sS --max-time 20 'http://127.0.0.1:$self->{port}$path' 2>/dev/null`;
    return $? == 0 ? $text : undef;
}

# Dies with what Prometheus says if it does not take the query.
sub query ($self, $query) {
    my $encoded = $query =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
    my $answer  = JSON::PP::decode_json($self->get("/api/v1/query?query=$encoded") // die "no answer to $query\n");
    die "$query: $answer->{error}\n" if $answer->{status} ne 'success';
    return $answer->{data}{result};
}

sub output ($self) {
    open my $file, '<', "$self->{directory}/output" or return '';
    return join '', readline $file;
}

sub stop ($self) {
    my $pid = delete $self->{pid} or return;
    local $?;
    kill TERM => $pid;
    eval { wait_until(sub { waitpid($pid, POSIX::WNOHANG()) != 0 }, 'Prometheus to end', 15) } and return;
    kill KILL => $pid;
    waitpid $pid, 0;
}

sub DESTROY ($self) { $self->stop if $$ == $owner }

1;
