# The package is upgraded under load, as apt does it: with the reload that it asks for, nginx has the code of the new
# version, no client has missed an event, and none is there twice. t/package/try.sh runs this in a root directory.
#
#   upgrade.pl PACKAGE VERSION
use v5.36;
use lib 't/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use SSE::Load;
use SSE::Nginx;

my ($package, $version) = @ARGV;
my $port          = 8182;
my $configuration = '/etc/nginx/conf.d/sse.conf';

sub read_file ($name) { open my $file, '<', $name or return ''; local $/; return readline($file) // '' }

# The files that this process has of the module, without their directory.
sub copies ($pid) {
    my %file = map { $_ => 1 } read_file("/proc/$pid/maps") =~ m{/(ngx_http_sse_module[^/\n]*)$}mg;
    return sort keys %file;
}

# Runs a command while the load goes on.
sub meanwhile ($load, @command) {
    my $pid = fork // die "fork: $!";
    if (!$pid) { exec @command or POSIX::_exit(127) }
    $load->follow_until(sub { waitpid($pid, POSIX::WNOHANG) == $pid }, "@command");
    is $?, 0, "@command";
}

open my $file, '>', $configuration or die "$configuration: $!";
print $file <<"END";
sse_zone events 16m;
server {
    listen 127.0.0.1:$port;
    location = /sub { sse_channel \$arg_channel; }
    location = /pub { sse_publish \$arg_channel; allow 127.0.0.1; deny all; }
}
END
close $file or die "$configuration: $!";
system('service', 'nginx', 'reload') == 0 or die 'no reload';

my ($master) = read_file('/run/nginx.pid') =~ /\A(\d+)/ or die 'there is no nginx';
my $server = SSE::Nginx->attach($master, h1 => $port);
wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }, 'nginx to listen');

my @before = copies($master);
my $wanted = "ngx_http_sse_module-$version.so";
isnt "@before", $wanted, "the old version runs: @before";
my $error_log = length read_file('/var/log/nginx/error.log');

my $load = SSE::Load->start($server, channel => 'c', via => [('h1') x 20]);
$load->reach(100);
my @old = $server->workers;
meanwhile($load, qw(apt-get install -q -y), $package);
my $start = time;
$load->follow_until(
    sub {
        my $child = $server->children;
        return $server->workers && !grep { exists $child->{$_} } @old;
    },
    'the old workers to leave'
);
note sprintf 'the old workers were gone %.1f s after apt', time - $start;
$load->reach($load->number + 100);
$load->judge(qr/^(?:201|503)$/);

is read_file('/run/nginx.pid'), "$master\n", 'the master is the same';
is_deeply [copies($_)], [$wanted], 'and each process of nginx has the new version alone' for $master, $server->workers;
my $log = substr read_file('/var/log/nginx/error.log'), $error_log;
unlike $log, qr/\[(?:alert|emerg|crit)\]/, 'the error log tells of no trouble' or diag $log;
done_testing;
