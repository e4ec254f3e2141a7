# The log and its readers under a scheduler that interrupts and kills them at any step, for many seeds. t/sim/log.cpp explains how to
# repeat a seed that fails.
# needs: sim
use v5.36;
use Test::More;

my $program = ($ENV{TEST_SIM_DIRECTORY} // 'build/sim') . '/log';
my $runner  = $ENV{TEST_UNIT_RUNNER} // ''; # a command that runs it, such as an emulator
plan skip_all => "not built: $program" unless -x $program;

# A given seed is the only one. With sanitizers, which find what would go unnoticed otherwise, there are fewer.
my $seeds = $ENV{TEST_NGINX_SEED} ? 1 : $ENV{TEST_SIM_DIRECTORY} ? 1_000 : 10_000;
my $first = $ENV{TEST_NGINX_SEED} // 1;

open my $output, '-|', "$runner $program --seed $first --seeds $seeds 2>&1" or die "$program: $!";
my @lines = readline $output;
close $output;
is $?, 0, 'nothing is wrong';
my ($figures) = "@lines" =~ /^(\d+ seeds .*)/m;
my %count = map { reverse split / / } ($figures // '') =~ /(\d+ [a-z]+)/g;
is $count{seeds} // 0, $seeds, 'every seed was run';
cmp_ok $count{$_} // 0, '>=', $seeds / 2, "$_ enough" for $seeds > 1 ? qw(events deaths resizes replays gaps laps breaks) : ();
Test::More->builder->is_passing ? note @lines : diag @lines;
done_testing;
