# The samples of README.md and docs/*.md, run as they stand.
#
# A comment before a block says what becomes of it; what is not tagged is not run.
#   <!-- test-config -->    ```nginx: the configuration of the document's commands. A block of locations goes into the last
#                           server. A document without a server of its own gets that of docs/reference.md.
#   <!-- test -->           ```sh (by bash), ```js (by node) or ```python: runs and must succeed
#   <!-- expect: REGEX -->  after <!-- test -->: what it must print
# Port 8080 stands for the port of the test, and 9000 for that of an application. A tag with a name, <!-- test: NAME -->, is
# for a test of its own.
# needs: module node python
use v5.36;
use lib 't/lib';
use HTTP::Tiny;
use JSON::PP qw(decode_json);
use Test::More;
use SSE::App;
use SSE::Nginx;

my $reference = 'docs/reference.md';
# Of each language the name of the sample's file, and what runs it.
my %languages = (
    sh     => ['sample.sh', 'bash', '-eu -o pipefail'],
    js     => ['sample.mjs', 'node', ''],
    python => ['sample.py', 'python3', ''],
);
my $port      = SSE::Nginx::free_port();

# The tagged blocks of a document, in order: tag, language, text, and what is expected.
sub blocks ($file) {
    my $text = do { local (@ARGV, $/) = $file; readline };
    my @blocks;
    while ($text =~ /((?:^<!--[^\n]*-->\n)+)```(\w+)\n(.*?)^```/msg) {
        my ($notes, $language, $content) = ($1, $2, $3);
        my ($tag) = $notes =~ /<!-- (test(?:-config)?) -->/ or next;
        my ($expected) = $notes =~ /<!-- expect: (.*?) -->/;
        push @blocks, { tag => $tag, language => $language, text => $content, expected => $expected };
    }
    return @blocks;
}

sub configuration ($file) {
    my ($levels, $locations) = ('', '');
    for my $text (map { $_->{text} } grep { $_->{tag} eq 'test-config' } blocks($file)) {
        ($text =~ /\A(?:\s*#[^\n]*\n)*\s*location/ ? $locations : $levels) .= $text;
    }
    $levels .= configuration($reference) if $levels !~ /\bserver\s*\{/ && $file ne $reference;
    return $levels =~ s/\}\s*\z/$locations}\n/r;
}

# What the samples need of an application: it knows who may subscribe to what, decides about what is said, has no report, and
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

sub run_samples ($file) {
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

for my $file ('README.md', glob 'docs/*.md') {
    subtest $file => sub { run_samples($file) } if blocks($file);
}
ok scalar(grep { $_->{tag} eq 'test' } blocks($_)), "$_ has samples" for 'README.md', $reference, 'docs/guide.md';

$app->stop;
done_testing;
