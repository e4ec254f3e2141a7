# Each row of the table in docs/proxies.md has a test, which compares it with a real proxy.
# needs: nothing
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;

sub content (@files) { return join '', map { slurp($_) } @files }

my ($table) = content('docs/proxies.md') =~ /^\| Proxy .*\n\| ---.*\n((?:\|.*\n)+)/m or die 'there is no table';
my $tests   = content(glob 't/protocols/behind_*.t');
my @rows    = $table =~ /^\| (.*?) \|/mg;
cmp_ok scalar @rows, '>', 10, 'there are rows';
like $tests, qr/'\Q$_\E'/, $_ for @rows;

done_testing;
