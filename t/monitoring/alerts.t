# docker/alerts.yml, checked by promtool: the rules are valid, and each alert fires in a test of t/monitoring/alerts.test.yml and stays
# silent in another one.
# needs: prometheus
use v5.36;
use Test::More;

sub slurp ($file) { local (@ARGV, $/) = $file; return readline }

sub promtool (@arguments) {
    my $output = `promtool @arguments 2>&1`;
    ok $? == 0, "promtool @arguments" or diag $output;
    return $output;
}

like promtool(qw(check rules docker/alerts.yml)), qr/SUCCESS: \d+ rules found/, 'the rules are valid';
like promtool(qw(check config docker/prometheus.yml)), qr/is valid prometheus config/, 'and so is the configuration that names them';
like promtool(qw(test rules t/monitoring/alerts.test.yml)), qr/SUCCESS/, 'they fire when they should';

my @alerts = slurp('docker/alerts.yml') =~ /^ +- alert: (\w+)$/mg;
my ($fire, $well) = split /^  - name: all is well$/m, slurp('t/monitoring/alerts.test.yml');
cmp_ok scalar @alerts, '>', 15, 'there are alerts';
is_deeply [sort($fire =~ /^ +alertname: (\w+)\n +exp_alerts:\n +- exp_labels/mg)], [sort @alerts], 'each fires in a test';
for my $time (qw(6m 12m 35m)) {
    is_deeply [sort($well =~ /\{ eval_time: $time, alertname: (\w+) \}/g)], [sort @alerts], "each is silent in another, after $time";
}

# A broken rule is detected.
my $broken = slurp('docker/alerts.yml') =~ s/sse_bus_up == 0/sse_bus_up == 1/r;
my $directory = do { require File::Temp; File::Temp->newdir };
open my $rules, '>', "$directory/alerts.yml" or die $!;
print $rules $broken;
close $rules;
open my $tests, '>', "$directory/test.yml" or die $!;
print $tests slurp('t/monitoring/alerts.test.yml') =~ s{\.\./\.\./docker/}{}r;
close $tests;
system "promtool test rules $directory/test.yml >/dev/null 2>&1";
isnt $?, 0, 'a rule that says the opposite fails';

done_testing;
