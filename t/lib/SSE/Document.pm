package SSE::Document;

# Files of this project as texts, and what tests take out of its documents: blocks of code, which stand after a comment
# <!-- test: NAME -->, and locations of their configurations.

use v5.36;
use Exporter 'import';
our @EXPORT = qw(slurp sample samples location);

sub slurp ($file) {
    open my $handle, '<', $file or die "$file: $!";
    local $/;
    return readline($handle) // '';
}

# The blocks of that name, and the only one.
sub samples ($file, $name) {
    my @blocks = slurp($file) =~ /^<!-- test: \Q$name\E -->\n```\w*\n(.*?)^```$/msg or die "$file has no sample $name";
    return @blocks;
}

sub sample ($file, $name) {
    my ($block, @more) = samples($file, $name);
    die "$file has several samples $name" if @more;
    return $block;
}

# The directives of a location, with what is around them.
sub location ($file, $path) {
    my ($block) = slurp($file) =~ /^(location = \Q$path\E \{\n.*?^\}\n)/ms or die "$file has no location $path";
    return $block;
}

1;
