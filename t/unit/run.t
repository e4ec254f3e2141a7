#!/usr/bin/perl
# Runs the programs that ./build.sh test has built from t/unit/*.cpp. Each is a subtest with one test for each case.
# needs: unit
use strict;
use warnings;

use Test::More;

# Where the programs are, and a command that runs them, such as valgrind.
my $directory = $ENV{TEST_UNIT_DIRECTORY} // 'build/unit';
my $runner    = $ENV{TEST_UNIT_RUNNER}    // '';

my @names = map { m{([^/]+)\.cpp$} } sort glob 't/unit/*.cpp';
plan skip_all => 'there are no unit tests' unless @names;

# cmocka prints "1..N" for each group of cases, then "ok" and "not ok" lines; the lines around those explain failures.
sub run_program {
    my ($name) = @_;
    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    open my $output, '-|', "$runner ./$directory/$name 2>&1" or return fail "$name starts: $!";
    my ($planned, $seen) = (0, 0);
    while (my $line = <$output>) {
        chomp $line;
        if ($line =~ /^1\.\.(\d+)/) {
            $planned += $1;
        } elsif ($line =~ /^(not )?ok\b\s*\d*\s*(?:-\s*)?(.*)/) {
            my ($failed, $case) = ($1, $2);
            $seen++;
            if ($case =~ /# SKIP/i) { SKIP: { skip $case, 1 } }
            else                    { ok !$failed, $case }
        } elsif ($line !~ /^# (not )?ok - |^TAP version/) { # the result of a group, and the first line of cmocka 1.1.7
            $line =~ s/^#\s*//;
            diag $line if length $line;
        }
    }
    close $output;
    is $seen, $planned, 'every case was run';
    cmp_ok $seen, '>', 0, 'there are cases';
    is $?, 0, 'the program ended well';
}

for my $name (@names) {
    subtest $name => sub { run_program($name) };
}
done_testing;
