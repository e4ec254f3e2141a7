package SSE::Playwright;

# Scripts in t/browser that drive a browser by playwright-core.
#
#   SSE::Playwright::become('deploy.mjs');                    # the script is the test
#
#   SSE::Playwright::need();                                  # or the test is in Perl, and is skipped where that is missing
#   my $report = SSE::Playwright::start('faq.mjs', $url);     # what the script prints
#   my @lines  = readline $report;
#   is SSE::Playwright::status($report), 0;

use v5.36;
use Test::More;

my $package = 't/browser/node_modules/playwright-core';

sub need () {
    plan skip_all => "no $package; `./build.sh test` installs it" if !-d $package && !$ENV{CI};
}

sub become ($script) {
    need();
    exec 'node', "t/browser/$script" or BAIL_OUT("node does not start: $!");
}

sub start ($script, @arguments) {
    open my $report, '-|', 'node', "t/browser/$script", @arguments or BAIL_OUT("node does not start: $!");
    return $report;
}

# The exit status of a script that has come to its end.
sub status ($report) {
    close $report;
    return $? >> 8;
}

1;
