# The README's own commands against the README's own configuration.
#
# A block "```nginx" behind "<!-- test-config -->" is what goes into nginx.conf (whole, or what belongs into http or
# server); every block "```sh" behind "<!-- test -->" is run and must succeed, and if "<!-- expect: REGEX -->" stands
# there, too, print what matches it. Port 8080 stands for the port of the test.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $readme = do { local (@ARGV, $/) = 'README.md'; -e 'README.md' ? readline : '' };
my ($configuration) = $readme =~ /<!-- test-config -->\s*```nginx\n(.*?)^```/ms;
my @command;
while ($readme =~ /((?:<!--[^\n]*-->\s*)+)```sh\n(.*?)^```/msg) {
    my ($notes, $text) = ($1, $2);
    push @command, [$text, $notes =~ /<!-- expect: (.*?) -->/ ? $1 : undef] if $notes =~ /<!-- test -->/;
}
plan skip_all => 'no README.md, or no configuration to test in it' unless defined $configuration;
plan skip_all => 'no commands to test in README.md' unless @command;

# Only what the harness itself provides is taken out.
$configuration =~ s/^\s*(?:load_module|user|worker_processes|daemon|error_log|pid)\s[^;]*;\n?//mg;
$configuration =~ s/^\s*events\s*\{[^}]*\}\n?//m;
$configuration = $1 if $configuration =~ /^\s*http\s*\{\n(.*)^\}/ms;
my $server = SSE::Nginx->new(listen => [], http => '', server => '', workers => 2);
my $port = $server->{ports}{readme} = SSE::Nginx::free_port();
$configuration =~ s/\b8080\b/$port/g;
$configuration = "server {\n listen $port;\n $configuration\n}" unless $configuration =~ /\bserver\s*\{/;
# What belongs to the http level may stand in front of a bare location.
if ($configuration =~ s/(\A.*?server \{\n listen \d+;\n)(.*?)(?=^\s*location)/$1/ms) {
    $configuration = "$2\n$configuration";
}
$server->{servers} = $configuration;
$server->{drain} = undef if $configuration =~ /sse_drain/;
my ($good, $output) = $server->check;
ok $good, 'the configuration is accepted' or BAIL_OUT($output);
$server->launch;

for my $command (@command) {
    my ($text, $expected) = @$command;
    $text =~ s/\b8080\b/$port/g;
    subtest $text => sub {
        $server->write_file('command.sh', $text);
        my $printed = qx{timeout 60 bash -eu -o pipefail "@{[$server->prefix]}/command.sh" 2>&1};
        is $?, 0, 'succeeds' or diag $printed;
        like $printed, qr/$expected/, 'and prints what it should' if defined $expected;
    };
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
