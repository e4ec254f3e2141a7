# The samples of README.md and docs/*.md, run as they stand.
#
# A comment before a block says what becomes of it; what is not tagged is not run.
#   <!-- test-config -->    ```nginx: the configuration of the document's commands. A block of locations goes into the last
#                           server. A document without a server of its own gets that of docs/reference.md.
#   <!-- test-config: whole -->  ```nginx: a configuration from its first line to its last, which nginx -t must accept
#   <!-- test -->           ```sh (by bash), ```js (by node) or ```python: runs and must succeed
#   <!-- expect: REGEX -->  after <!-- test -->: what it must print
# Port 8080 stands for the port of the test, and 9000 for that of an application. A tag with a name, <!-- test: NAME -->, is
# for a test of its own. <!-- not run: WHY --> is for what cannot be run here. Nothing that could be goes without a tag.
# needs: module node python
use v5.36;
use lib 't/lib';
use File::Temp ();
use HTTP::Tiny;
use JSON::PP qw(decode_json);
use Test::More;
use SSE::App;
use SSE::Certificate;
use SSE::Document;
use SSE::Nginx;
use SSE::Parallel;

my $reference = 'docs/reference.md';
my @documents = ('README.md', glob 'docs/*.md');
# Of each language the name of the sample's file, and what runs it.
my %languages = (
    sh     => ['sample.sh', 'bash', '-eu -o pipefail'],
    bash   => ['sample.sh', 'bash', '-eu -o pipefail'],
    js     => ['sample.mjs', 'node', ''],
    python => ['sample.py', 'python3', ''],
);
# Many processes run at the same time, and none of them listens before all have a port. So the first one chooses all ports.
my $port = $ARGV[1] // SSE::Nginx::free_port();

# The blocks of a document, in order: language, text, tag, its name, and what is expected.
sub all_blocks ($file) {
    my $text = slurp($file);
    my @blocks;
    while ($text =~ /^((?:<!--[^\n]*-->\n)*)```(\w*)\n(.*?)^```$/msg) {
        my %block = (notes => $1, language => $2, text => $3);
        @block{qw(tag name)} = $block{notes} =~ /<!-- (test-config|test|not run)(?:: (.*?))? -->/;
        ($block{expected}) = $block{notes} =~ /<!-- expect: (.*?) -->/;
        push @blocks, \%block;
    }
    return @blocks;
}

# Those that are run here.
sub blocks ($file) {
    return grep { defined $_->{tag} && (!defined $_->{name} || $_->{name} eq 'whole') } all_blocks($file);
}

sub configuration ($file) {
    my ($levels, $locations) = ('', '');
    for my $text (map { $_->{text} } grep { $_->{tag} eq 'test-config' && !defined $_->{name} } blocks($file)) {
        ($text =~ /\A(?:\s*#[^\n]*\n)*\s*location/ ? $locations : $levels) .= $text;
    }
    $levels .= configuration($reference) if $levels !~ /\bserver\s*\{/ && $file ne $reference;
    return $levels =~ s/\}\s*\z/$locations}\n/r;
}

# The application that the samples need: it decides who may subscribe to which channel and what may be said, has no report, and
# has the state of a board.
my $app = SSE::App->start(sub ($method, $path, $headers, $body) {
    return $headers->{authorization} ? (204, ['X-Channel' => 'private:7'], '') : (401, [], '') if $path =~ m{^/auth};
    return (200, ['X-Accel-Redirect' => '/announce'], '') if $path =~ m{^/say};
    return (404, [], 'none') if $path =~ m{^/reports};
    return (200, [], 'taken') if $path !~ m{^/board};
    my $status = decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$port/status")->{content});
    my ($zone) = values %{ $status->{zones} };
    return (200, ['Content-Type' => 'text/event-stream'], "id: $zone->{last_id}\nevent: snapshot\ndata: {\"score\":3}\n\n");
});

sub adapted ($text) { return $text =~ s/\b8080\b/$port/gr =~ s/\b9000\b/$app->port/ger }

# A complete configuration. It finds certificate.pem, key.pem and ticket.key in its directory.
package Whole {
    use v5.36;
    use parent -norequire, 'SSE::Nginx';

    sub configuration ($self) { return "load_module @{[SSE::Nginx::module()]};\npid nginx.pid;\nerror_log error.log;\n$self->{whole}" }
}

sub check_whole ($text) {
    my $nginx = Whole->new(listen => [], whole => adapted($text =~ s/\b443\b/8080/gr));
    make_certificate($nginx->prefix);
    $nginx->write_file('ticket.key', 'x' x 80);
    my ($good, $output) = $nginx->check;
    ok $good, 'nginx -t accepts it' or return diag $output;
    unlike $output, qr/\[(?:warn|error)\]/, 'without a warning';
}

sub run_samples ($file) {
    for my $block (grep { defined $_->{name} } blocks($file)) {
        subtest 'a whole configuration' => sub { check_whole($block->{text}) };
    }
    my @samples = grep { $_->{tag} eq 'test' } blocks($file);
    my $server = SSE::Nginx->new(listen => [], http => '', server => '', workers => 2);
    $server->{ports}{samples} = $port;
    $server->{servers} = adapted(configuration($file));
    my ($good, $output) = $server->check;
    ok $good, 'the configuration is accepted' or return diag $output;
    unlike $output, qr/\[(?:warn|error)\]/, 'without a warning';
    $server->launch;
    for my $sample (@samples) {
        subtest $sample->{text} =~ s/\n.*//sr => sub {
            my ($name, $program, $options) = $languages{ $sample->{language} }->@*;
            plan skip_all => "there is no $program" if !grep { -x "$_/$program" } split /:/, $ENV{PATH};
            $server->write_file($name, adapted($sample->{text}));
            my $printed = qx{timeout 60 $program $options "@{[$server->prefix]}/$name" 2>&1};
            is $?, 0, 'succeeds' or diag $printed;
            like $printed, qr/$_/, 'and prints what it should' for grep {defined} $sample->{expected};
        };
    }
    is_deeply [$server->stop], [], 'no trouble';
}

# The samples of a document depend on each other, those of different documents do not, and many of them wait. So each document
# has a process, which gets its name as an argument.
if (my ($document) = @ARGV) {
    run_samples($document);
    $app->stop;
    done_testing;
    exit;
}
sub run_document ($run) {
    my ($file, $port) = @$run;
    my $said = qx{"$^X" -It/lib $0 $file $port 2>&1};
    return { file => $file, status => $?, said => $said };
}
for my $run (parallel(\&run_document, map { [$_, SSE::Nginx::free_port()] } grep { blocks($_) } @documents)) {
    is $run->{status}, 0, "$run->{file}: its samples" or diag $run->{said};
}

# Samples in JavaScript that are not run must at least have no syntax errors.
subtest 'samples for pages' => sub {
    plan skip_all => 'there is no node' if !grep { -x "$_/node" } split /:/, $ENV{PATH};
    my $directory = File::Temp->newdir('sse-XXXXXX', TMPDIR => 1);
    for my $file (@documents) {
        for my $block (grep { $_->{language} eq 'js' && ($_->{tag} // '') ne 'test' } all_blocks($file)) {
            open my $handle, '>:raw', "$directory/sample.mjs" or die "sample.mjs: $!";
            print $handle $block->{text};
            close $handle or die "sample.mjs: $!";
            my $said = qx{node --check $directory/sample.mjs 2>&1};
            is $?, 0, "$file: " . $block->{text} =~ s/\n.*//sr or diag $said;
        }
    }
};

# For each name in a tag there is a test that asks for it.
subtest 'every sample has a test' => sub {
    my @tests = map { slurp($_) } glob 't/*/*.t t/*/*/*.t t/lib/SSE/*.pm';
    for my $file (@documents) {
        for my $block (grep { $_->{language} =~ /^(?:nginx|sh|bash|js|python|html|haproxy)$/ } all_blocks($file)) {
            my $what = "$file: " . $block->{text} =~ s/\n.*//sr;
            ok defined $block->{tag}, "$what: has a tag" or next;
            next if !defined $block->{name} || $block->{name} eq 'whole' || $block->{tag} eq 'not run';
            ok scalar(grep {/(?<![\w-])\Q$block->{name}\E(?![\w-])/} @tests), "$what: a test asks for \"$block->{name}\"";
        }
    }
};
ok scalar(grep { $_->{tag} eq 'test' } blocks($_)), "$_ has samples" for 'README.md', $reference, 'docs/guide.md', 'docs/faq.md';

$app->stop;
done_testing;
