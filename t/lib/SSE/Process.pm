package SSE::Process;

# Looks at a worker from outside, and stops it.

use v5.36;
use Exporter 'import';
use SSE::Nginx;
our @EXPORT = qw(descriptors freeze thaw wait_stopped peak_memory private_memory);

# Waits until a process is stopped.
sub wait_stopped ($pid) {
    wait_until(
        sub {
            open my $stat, '<', "/proc/$pid/stat" or die "process $pid: $!";
            return readline($stat) =~ /\A\d+ \(.*\) T /;
        },
        "process $pid to stand"
    );
}

# Stops a process while it waits in a system call, and so holds no lock, and waits until it has stopped. Everything that is
# sent to it afterwards is there when it continues.
sub freeze ($pid) {
    for (1 .. 1000) {
        kill STOP => $pid or die "kill $pid: $!";
        wait_stopped($pid);
        return if is_in_system_call($pid);
        thaw($pid);
    }
    die "process $pid never waits";
}

# The kernel shows the number of the call, and -1 if the process is in none.
sub is_in_system_call ($pid) {
    open my $file, '<', "/proc/$pid/syscall" or return 1; # this kernel does not say
    return (readline($file) // '') =~ /\A\d/;
}

sub thaw ($pid) { kill CONT => $pid or die "kill $pid: $!" }

# The peak memory of a process, in bytes.
sub peak_memory ($pid) {
    open my $status, '<', "/proc/$pid/status" or die "process $pid: $!";
    my ($kilobytes) = join('', readline $status) =~ /^VmHWM:\s+(\d+) kB$/m or die 'no VmHWM';
    return $kilobytes * 1024;
}

# The private memory of some processes, in bytes. For the kernel, a page of a zone that only one of them has touched is
# private, but not anonymous. undef if the kernel does not say.
sub private_memory (@pids) {
    local $_;
    my $sum = 0;
    for my $pid (@pids) {
        open my $file, '<', "/proc/$pid/smaps_rollup" or return;
        /^Anonymous:\s+(\d+) kB/ and $sum += 1024 * $1 while readline $file;
    }
    return $sum;
}

# How many descriptors some processes have open.
sub descriptors (@pids) { return scalar map { glob "/proc/$_/fd/*" } @pids }

1;
