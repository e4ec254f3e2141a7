package SSE::Parallel;

# Many things at once that each wait for something.
#
#   my @results = parallel(sub ($item) { ... }, @items);
#
# Each item has a child process of its own; what the function returns there, a scalar or a reference, comes back in the
# order of the items. Tests have to be made from the results, in the parent.

use v5.36;
use Exporter 'import';
use POSIX    ();
use Storable ();
our @EXPORT = qw(parallel);

sub parallel ($function, @items) {
    return map { collect(@$_) } map { start($function, $_) } @items;
}

sub start ($function, $item) {
    pipe my $reader, my $writer or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $result = eval { [$function->($item)] };
        print STDERR "# $@" unless $result;
        Storable::store_fd($result // [], $writer);
        close $writer;
        POSIX::_exit($result ? 0 : 1); # without the END blocks of the parent
    }
    return [$pid, $reader];
}

sub collect ($pid, $reader) {
    local $?;
    my $result = Storable::fd_retrieve($reader);
    waitpid $pid, 0;
    die "a child has died\n" if $?;
    return $result->[0];
}

1;
