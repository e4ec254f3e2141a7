# The fuzz targets, each for a short while, or for longer when CI is set; `./build.sh fuzz` runs them for longer.
# needs: fuzz quiet
use v5.36;
use File::Temp;
use Test::More;

my $seconds = $ENV{CI} ? 10 : 3;
my @names   = map {m{([^/]+)\.cpp$}} sort glob 't/fuzz/*.cpp';

my @missing = grep { !-x "build/fuzz/$_" } @names;
plan skip_all => "not built: build/fuzz/{@{[join ',', @missing]}}; ./build.sh fuzz builds them" if @missing;

my $corpus = File::Temp->newdir; # not the corpus of longer runs, which would take too long
open my $output, '-|', './build.sh', 'fuzz', '--no-build', '--seconds', $seconds, '--corpus', $corpus or die "build.sh: $!";
my @lines = readline $output;
close $output;
is $?, 0, 'it ended well';

my (%executions, %findings);
for (@lines) {
    next unless my ($name, $executions, $findings) = /^(\w+): (\d+) executions, .* findings (\d+)$/;
    ($executions{$name}, $findings{$name}) = ($executions, $findings);
}
for my $name (@names) {
    cmp_ok $executions{$name} // 0, '>', 0, "$name: inputs were tried";
    is $findings{$name}, 0, "$name: and nothing was found";
}
Test::More->builder->is_passing ? note @lines : diag @lines;
done_testing;
