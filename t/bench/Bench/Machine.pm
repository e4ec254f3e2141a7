package Bench::Machine;

# On what, and of what, something was measured.

use v5.36;
use Bench::Nginx;
use Exporter 'import';
use List::Util qw(first);
use POSIX qw(strftime uname);
our @EXPORT_OK = qw(machine processors);

sub lines_of ($file) {
    open my $handle, '<', $file or return;
    return readline $handle;
}

sub package_version ($name) { return `dpkg-query -W -f '\${Version}' $name 2>/dev/null` || '-' }

# The numbers of the processors that processes of ours may run on.
sub processors () {
    my ($list) = map {/^Cpus_allowed_list:\s*(\S+)/} lines_of('/proc/self/status');
    return map { my ($first, $last) = split /-/; $first .. $last // $first } split /,/, $list;
}

# Lines of text.
sub machine ($rounds) {
    my ($model) = (first {/^model name/} lines_of('/proc/cpuinfo')) =~ /:\s*(.*)/;
    my $cores = grep {/^processor/} lines_of('/proc/cpuinfo');
    my ($memory) = (first {/^MemTotal/} lines_of('/proc/meminfo')) =~ /(\d+)/;
    my ($system) = (first {/^PRETTY_NAME/} lines_of('/etc/os-release')) =~ /"(.*)"/;
    my ($nginx) = `@{[SSE::Nginx::binary()]} -v 2>&1` =~ m{nginx/(\S+)};
    my ($commit) = `git log -1 --format=%h 2>/dev/null` =~ /(\w+)/;
    my $changed = `git status --porcelain -- src 2>/dev/null` ne '';
    my ($load) = (lines_of('/proc/loadavg'))[0] =~ /\A(\S+)/;
    return (
        strftime('%Y-%m-%d', gmtime) . ", commit @{[ $commit // '-' ]}" . ($changed ? ' with changes' : ''),
        "$cores cores of $model, @{[ int $memory / 1024 / 1024 + 0.5 ]} GB, $system, Linux @{[(uname)[2]]}, over loopback",
        "nginx $nginx, nchan @{[ package_version('libnginx-mod-nchan') ]}, push-stream @{[ package_version('libnginx-mod-http-push-stream') ]}",
        "$rounds rounds; load average at the end $load",
    );
}

1;
