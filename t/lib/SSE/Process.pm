package SSE::Process;

# Looks at a worker from outside, and holds it up.

use v5.36;
use Exporter 'import';
use SSE::Nginx;
our @EXPORT = qw(freeze thaw peak_memory);

# Stops a process, and waits until it stands. What is sent to it is there at once when it goes on.
sub freeze ($pid) {
    kill STOP => $pid or die "kill $pid: $!";
    wait_until(
        sub {
            open my $stat, '<', "/proc/$pid/stat" or die "process $pid: $!";
            return readline($stat) =~ /\A\d+ \(.*\) T /;
        },
        "process $pid to stand"
    );
}

sub thaw ($pid) { kill CONT => $pid or die "kill $pid: $!" }

# The most memory, in bytes, that a process has had.
sub peak_memory ($pid) {
    open my $status, '<', "/proc/$pid/status" or die "process $pid: $!";
    my ($kilobytes) = join('', readline $status) =~ /^VmHWM:\s+(\d+) kB$/m or die 'no VmHWM';
    return $kilobytes * 1024;
}

1;
