# The documents agree with the sources and with each other: every directive and variable is in the reference, every statement
# about SSE has its answer, and every link and every path leads somewhere.
use v5.36;
use lib 't/lib';
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Find     qw(find);
use Test::More;
use SSE::Document;

my $reference = 'docs/reference.md';

sub files ($pattern, @where) {
    my @files;
    find({ no_chdir => 1, wanted => sub {
        $File::Find::prune = 1 if m{/(?:build|node_modules|\.git)$};
        push @files, s{^\./}{}r if -f && /$pattern/;
    } }, @where);
    return sort @files;
}

# Without its blocks of code, so that no comment in them is taken for a heading.
sub prose ($file) { return slurp($file) =~ s/^```.*?^```$//gmsr }

# The anchor of a heading, as GitHub makes it.
sub anchor ($heading) { return lc $heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/gr =~ s/[^\w\- ]//gr =~ tr/ /-/r }

# Those of its headings: of equal headings the second gets "-1".
sub anchors ($file) {
    my (%anchor, %seen);
    for my $heading (prose($file) =~ /^#+ +(.*?) *$/mg) {
        my $slug  = anchor($heading);
        my $count = $seen{$slug}++;
        $anchor{ $count ? "$slug-$count" : $slug } = 1;
    }
    return \%anchor;
}

my $sources = join '', map { slurp($_) } files(qr/\.cpp$/, 'src');

subtest 'directives' => sub {
    my %known = map { $_ => 1 } grep { !/^sse_test_/ } $sources =~ /\w\(ngx_string\("(sse_\w+)"\), NGX_CONF_/g;
    cmp_ok keys %known, '>', 20, 'the table of directives is found';
    my ($chapter) = prose($reference) =~ /^## Directives\n(.*?)^## /ms;
    my ($index)   = $chapter =~ /\A(.*?)^### /ms;
    is_deeply [sort $chapter =~ /^### (\S+)$/mg], [sort keys %known], 'each has a heading, and nothing else has';
    is_deeply [sort $index =~ /\[(sse_\w+)\]/g], [sort keys %known], 'and a place in the index';
    my $text = slurp($reference);
    for my $name (sort keys %known) {
        like $text, qr/^### $name\n\n```\nSyntax:      $name [^\n]*;\nDefault:     \S[^\n]*\nContext:     \w[^\n]*\nAppeared in: [\d.]+\n```\n/m,
            "$name has its form";
    }
};

subtest 'variables' => sub {
    my %known = map { $_ => 1 } $sources =~ /\{ngx_string\("(sse_\w+)"\), Variable::/g;
    cmp_ok keys %known, '>', 3, 'the table of variables is found';
    my ($chapter) = prose($reference) =~ /^## Variables\n(.*?)^## /ms;
    is_deeply [sort $chapter =~ /^\| `\$(\w+)` \|/mg], [sort keys %known], 'each has a row, and nothing else has';
};

subtest 'statements' => sub {
    my ($chapter) = prose('docs/faq.md') =~ /^## What is said about SSE\n(.*)/ms;
    my @rows = $chapter =~ /^(\| \d+ \|.*)$/mg;
    is_deeply [map {/(\d+)/} @rows], [1 .. 57], 'all are there';
    is_deeply [grep { !/ \| [^|]*\]\([^)]+\)[^|]* \|$/ } @rows], [], 'and each leads to its answer';
};

# A long document begins with a list of its chapters.
subtest 'indexes' => sub {
    for my $file ('CONTRIBUTING.md', glob 'docs/*.md') {
        my ($beginning, @chapters) = split /^## /m, prose($file);
        next if @chapters < 6;
        for my $chapter (map {/^(.*)/} @chapters) {
            ok index($beginning, '](#' . anchor($chapter) . ')') > 0, "$file: $chapter";
        }
    }
};

# What ./build.sh installs is in the table of CONTRIBUTING.md with its reason.
subtest 'dependencies' => sub {
    my ($packages) = slurp('build.sh') =~ /^packages_of\(\) \{\n(.*?)^\}\n/ms;
    my @named   = grep {/^[a-z]/} map {split} $packages =~ /\bsay ((?:[^;\\\n]|\\\n)+)/g;
    my @by_word = map { split /[ |]+/ } $packages =~ /^ +([a-z| ]+)\) say "\$1"/mg;
    my ($chapter) = prose('CONTRIBUTING.md') =~ /^## Dependencies\n(.*)/ms;
    my %reason = map { $_ => 1 } map { split /,? +|\(|\)/ } $chapter =~ /^\| (.*?) \|/mg;
    cmp_ok @named + @by_word, '>', 60, 'the packages are found';
    my %seen;
    ok $reason{$_}, $_ for grep { !$seen{$_}++ } sort @named, @by_word;
};

my $root = abs_path('.');
for my $file (files(qr/\.md$/, '.')) {
    my @links = prose($file) =~ /\]\(([^)\s]+)\)/g;
    subtest "links of $file" => sub {
        for my $link (@links) {
            next if $link =~ /^\w+:/;
            my ($path, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
            my $target = $path eq '' ? $file : abs_path(dirname($file) . "/$path");
            ok defined $target && -e $target, "$link: is there" or next;
            ok $target !~ m{^/} || index($target, "$root/") == 0, "$link: within the tree";
            ok anchors($target)->{$anchor}, "$link: the heading" if defined $anchor;
        }
        pass 'done';
    };
}

# `src/config.*` is a path, too: something must match it.
for my $file ('README.md', 'CONTRIBUTING.md') {
    my @paths = prose($file) =~ m{`((?:src|t|docs|docker|\.ci)/[^`\s]*)`}g;
    my @missing = grep { !/[A-Z]{3}/ && !(grep {-e} glob) } @paths;
    is_deeply \@missing, [], "the paths in $file are there";
}

done_testing;
