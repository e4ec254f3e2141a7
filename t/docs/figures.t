# The figures in README.md and docs/performance.md are those that ./build.sh bench has written to t/bench/RESULTS.md, rounded.
# needs: nothing
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;

# For each row of their tables: the work, its line in RESULTS.md, and how many units of that line one unit of the row is.
my %rows = (
    '1000 subscribers, publish, wait for the response, publish: CPU per event' => ['broadcast', 'CPU per event, µs', 1],
    '1000 subscribers, 50 events a second, so that nothing can be merged: CPU per event' => ['paced', 'CPU per event, µs', 1],
    '1000 subscribers, 64 publishes in flight: events per second' => ['inflight', 'events a second', 1],
    '5000 channels with one subscriber each: CPU per publish' => ['channels', 'CPU per publish, µs', 1],
    '200 subscribers, 16 KB events: CPU per event' => ['large', 'CPU per event, µs', 1],
    '5000 clients reconnect at once, 100 missed events each: until all have caught up' => ['herd', 'time, ms', 1000],
    '10,000 subscribers, one broadcast after another: a static file from the same worker, p99' => ['static', 'file, p99, ms', { s => 1000, ms => 1 }],
    'memory of an idle subscriber over HTTP/1' => ['memory', 'memory each, B', 1024],
    'memory of an idle subscriber over TLS' => ['memory-tls', 'memory each, B', 1024],
);

my $results = slurp('t/bench/RESULTS.md');

# What is measured of each server: {floor => 4.03, nchan => 4.92, sse => 0.589}.
sub measured ($work, $line) {
    my ($block)   = $results =~ /^\Q$work\E: (.*?)\n\n/ms or die "no work $work";
    my ($servers) = $block =~ /^ {5,}(\S.*)$/m;
    my ($figures) = $block =~ /^  \Q$line\E +(\S.*)$/m or die "no line $line of $work";
    my %of;
    @of{ split / {2,}/, $servers } = map {tr/,//dr} split / {2,}/, $figures;
    return \%of;
}

# Compares as many digits as are significant in the text: "200,000" has at least one.
sub is_rounded ($text, $figure) {
    my ($places) = $text =~ /\.(\d+)/ ? length $1 : $text =~ /(0*)\z/ ? -length $1 : 0;
    return abs($text - $figure) <= 0.5001 * 10**-$places;
}

for my $file ('README.md', 'docs/performance.md') {
    my ($table) = slurp($file) =~ /^\| \| floor \| nchan [\d.]+ \| this module \|\n\| --- .*\n((?:\|.*\n)+)/m;
    my @rows = split /\n/, $table;
    cmp_ok scalar @rows, '>=', 5, "$file has a table";
    for my $row (@rows) {
        my ($what, @cells) = split / *\| */, $row =~ s/\A\| //r;
        ok $rows{$what}, "$file: a row that is known: $what" or next;
        my ($work, $line, $scale) = $rows{$what}->@*;
        my $of = measured($work, $line);
        my %cell;
        @cell{qw(floor nchan sse)} = @cells;
        for my $server (grep { length $cell{$_} } sort keys %cell) {
            my ($number, $unit) = $cell{$server} =~ /\A([\d.,]+)(?: (\S+))?\z/;
            my $figure = $of->{$server} / (ref $scale ? $scale->{$unit} : $scale);
            ok is_rounded($number =~ tr/,//dr, $figure), "$file: $what: $server, $cell{$server}" or diag "measured: $figure";
        }
    }
}

# The tables must name the version of nchan that was measured.
my ($version) = $results =~ /nchan \d+:([\d.]+)\+/;
like slurp($_), qr/\| nchan \Q$version\E \|/, "$_ has the version of nchan" for 'README.md', 'docs/performance.md';
done_testing;
