# Short chaos with a fixed seed; `./build.sh chaos` runs longer ones.
# needs: module faults
use v5.36;
use Test::More;

my $seed    = $ENV{TEST_NGINX_SEED} // 20_261_121;
my $seconds = $ENV{TEST_NGINX_CHAOS_SECONDS} // 5;

# Every fault; a kill every second; a reload every 500 ms.
for my $case (['all', qw(kill hup crash)], ['kills', 'kill'], ['storm', 'hup']) {
    my ($profile, @faults) = @$case;
    subtest $profile => sub {
        open my $output, '-|', $^X, 't/chaos/chaos.pl', '--seed', $seed, '--seconds', $seconds, '--profile', $profile
            or die "chaos: $!";
        my @lines = readline $output;
        close $output;
        is $?, 0, "nothing is wrong, seed $seed";
        my %figure = map { /^(.*?)\s{2,}(\S+)/ ? ($1 => $2) : () } @lines;
        @faults = grep { $_ ne 'crash' || !grep {/^no crash/} @lines } @faults;
        cmp_ok $figure{"fault $_"} // 0, '>', 0, "there was a $_" for @faults;
        cmp_ok $figure{published} // 0, '>', 100, 'there was something to lose';
        cmp_ok $figure{received} // 0,  '>', 100, 'and to get';
        cmp_ok $figure{calms} // 0,     '>', 0,   'and to compare';
        is $figure{$_}, 0, $_ for qw(lost doubled reordered foreign), 'counters off';
        Test::More->builder->is_passing ? note @lines : diag @lines;
    };
}
done_testing;
