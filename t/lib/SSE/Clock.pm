package SSE::Clock;

# The environment of a program whose wall clock is off by so many seconds.
#
#   SSE::Redis->start(env => { clock(3600) });

use v5.36;
use Exporter 'import';
use File::Temp ();
our @EXPORT = qw(clock);

sub library {
    state $directory = File::Temp->newdir('sse-clock-XXXXXX', TMPDIR => 1);
    state $library   = do {
        my $file = "$directory/clock.so";
        system(qw(gcc -O2 -shared -fPIC -o), $file, 't/lib/clock.c') == 0 or die 'gcc makes no clock';
        chmod 0755, "$directory";
        $file;
    };
    return $library;
}

# An nginx under AddressSanitizer must not mind that something else is loaded first.
sub clock ($offset) {
    return () unless $offset;
    return (
        LD_PRELOAD   => library(),
        CLOCK_OFFSET => $offset,
        ASAN_OPTIONS => join(':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0'),
    );
}

1;
