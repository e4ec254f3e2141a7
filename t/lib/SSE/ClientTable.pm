package SSE::ClientTable;

# The table of all clients in docs/clients.md, between two markers. What SSE::Scenario sees of a client makes a row of it,
# so that the document can be written from what was seen, and what is seen can be compared with the document.

use v5.36;
use SSE::Document qw(slurp);

my $document = 'docs/clients.md';
my ($begin, $end) = ('<!-- clients: begin -->', '<!-- clients: end -->');
my %languages = (
    browser => 'Chromium', javascript => 'Node', python => 'Python', go => 'Go', rust => 'Rust', java => 'Java', curl => 'shell',
);

# The columns: the title, the scenarios that it needs, and what it shows of them.
my @columns = (
    ['Events',         ['events'],           sub ($seen, $) { $seen->{events} }],
    ['Cut',            ['cut'],              sub ($seen, $) { $seen->{cut} }],
    ['Reload',         ['reload', 'ended'],  sub ($seen, $) { $seen->{reload} . (needs_end($seen) ? ', resumes with `end`' : '') }],
    ['Gap',            ['gap'],              sub ($seen, $) { $seen->{gap} }],
    ['503',            ['hard'],             sub ($seen, $) { $seen->{hard} }],
    ['Soft',           ['soft'],             sub ($seen, $) { $seen->{soft} }],
    ['401',            ['401'],              sub ($seen, $) { $seen->{401} }],
    ['End',            ['delete'],           sub ($seen, $) { $seen->{delete} }],
    ['204',            ['end'],              sub ($seen, $) { $seen->{end} }],
    ['Silence',        ['silence', 'beats'], \&silence],
    ['Callbacks',      [],                   sub ($, $client) { $client->{one} ? 'one' : 'by type' }],
    ['Set',            ['reload', 'ended', 'hard', 'soft', 'delete', 'end', 'silence'], \&settings],
);

sub document () { return $document }

# A complete row, or one of the columns for which enough has been seen.
sub cells ($client, $seen) {
    my @cells = ([Client => $client->title], [In => $client->{in} // $languages{ $client->{language} }]);
    for my $column (@columns) {
        my ($title, $scenarios, $show) = @$column;
        push @cells, [$title, $show->($seen, $client)] unless grep { !defined $seen->{$_} } @$scenarios;
    }
    return @cells;
}

sub row ($client, $seen) { return '| ' . join(' | ', map { $_->[1] } cells($client, $seen)) . ' |' }

sub needs_end ($seen) { return $seen->{reload} ne 'resumes' && $seen->{ended} eq 'resumes' }

sub silence ($seen, $) {
    return $seen->{silence} if $seen->{silence} eq 'stays';
    return "$seen->{silence}" . ($seen->{beats} eq 'stays' ? '' : ", with heartbeats $seen->{beats}");
}

# The directives with which the client works best.
sub settings ($seen, $client) {
    my @set = $client->{set} // ();
    push @set, 'sse_heartbeat 4s' if $seen->{silence} ne 'stays';
    push @set, 'sse_drain 5s end' if needs_end($seen);
    push @set, 'sse_reject soft'  if $seen->{hard} eq 'stops' && $seen->{soft} eq 'resumes';
    push @set, 'sse_end_event end'
        if $seen->{delete} =~ /keeps asking|phantoms/ && $seen->{end} !~ /phantoms/;
    return join ', ', map {"`$_`"} @set;
}

# The lines of the table in the document, without its head.
sub rows () {
    my ($table) = slurp($document) =~ /^\Q$begin\E\n(.*?)^\Q$end\E\n/ms or die "$document has no table of clients\n";
    my (undef, undef, @rows) = split /\n/, $table;
    return @rows;
}

# Of a line of the table: which client it is about, and its cells by column.
sub key ($row) { return join ' ', (split / *\| */, $row)[1, 2] }

sub cells_of ($row) {
    my (undef, @cells) = split / *\| */, $row, -1;
    my @titles = ('Client', 'In', map { $_->[0] } @columns);
    return map { $titles[$_] => $cells[$_] } 0 .. $#titles;
}

# Where the rows are not those of the document.
sub differences (@rows) {
    my %documented = map { key($_) => $_ } rows();
    return map {
        my $documented = $documented{ key($_) } // '(nothing)';
        $documented eq $_ ? () : ("- $documented", "+ $_");
    } @rows;
}

# Writes the rows to the document; those of other clients stay, in the order of @$clients.
sub save ($clients, @rows) {
    my $text = slurp($document);
    my %row = map { key($_) => $_ } rows(), @rows;
    my @titles = ('Client', 'In', map { $_->[0] } @columns);
    my $table = '| ' . join(' | ', @titles) . " |\n|" . ' --- |' x @titles . "\n";
    for my $client (@$clients) {
        my $row = $row{ key(row($client, {})) } // next;
        $table .= "$row\n";
    }
    $text =~ s/^\Q$begin\E\n.*?^\Q$end\E\n/$begin\n$table$end\n/ms or die "$document has no table of clients\n";
    open my $file, '>', $document or die "$document: $!";
    print $file $text;
    close $file or die "$document: $!";
}

1;
