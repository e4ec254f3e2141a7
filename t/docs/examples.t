# docs/examples.md shows the programs of docker/examples/ as they are, all of them.
# needs: nothing
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;

my $text   = slurp('docs/examples.md');
my %blocks = $text =~ /^<!-- test: (\S+) -->\n```\w+\n(.*?)^```$/msg;
($blocks{'sse.conf'}) = $text =~ /^<!-- test-config -->\n```nginx\n(.*?)^```$/ms;

# For example: node-http/before.mjs.
my @programs = map {s{^docker/examples/}{}r} glob 'docker/examples/{sse.conf,*/*.mjs,*/*.py,*/src/main/java/*/*.java}';
cmp_ok scalar @programs, '>', 8, 'there are programs';
is_deeply [sort keys %blocks], [sort @programs], 'each of them is shown';
is $blocks{$_}, slurp("docker/examples/$_"), $_ for @programs;

done_testing;
