# A short chaos with a fixed seed; `./build.sh chaos` runs longer ones.
use v5.36;
use Test::More;

my $seed    = $ENV{TEST_NGINX_SEED} // 20_261_121;
my $seconds = $ENV{TEST_NGINX_CHAOS_SECONDS} // 6;
my $pid     = open my $output, '-|', $^X, 't/chaos/chaos.pl', '--seed', $seed, '--seconds', $seconds or die "chaos: $!";
my @lines = readline $output;
close $output;
is $?, 0, "nothing is wrong, seed $seed";
my %figure = map { /^(.*?)\s{2,}(\S+)/ ? ($1 => $2) : () } @lines;
cmp_ok $figure{published} // 0,          '>', 100, 'there was something to lose';
cmp_ok $figure{received} // 0,           '>', 100, 'and to get';
cmp_ok $figure{'fault kill'} // 0,       '>', 0,   'workers were killed';
cmp_ok $figure{'fault hup'} // 0,        '>', 0,   'and replaced';
is $figure{$_}, 0, $_ for qw(lost doubled reordered foreign);
Test::More->builder->is_passing ? note @lines : diag @lines;
done_testing;
