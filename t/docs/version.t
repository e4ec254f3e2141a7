# The module says the version that CHANGES begins with.
# needs: nothing
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;

my ($newest) = slurp('CHANGES') =~ /^Changes with ngx_http_sse_module (\S+)$/m;
my ($own)    = slurp('src/version.hpp') =~ /kVersion = "([^"]+)"/;
like $newest // '', qr/\A\d+\.\d+\.\d+\z/, 'CHANGES begins with a version';
is $own, $newest, 'src/version.hpp has it';

done_testing;
