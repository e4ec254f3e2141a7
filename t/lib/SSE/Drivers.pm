package SSE::Drivers;

# The third-party clients that ./build.sh clients drives, and how each is started. Those of one language share a program
# in t/clients/drivers/, which follows a stream and prints a line of JSON for each thing that happens.
#
#   my ($client) = SSE::Drivers::named('undici');
#   $client->{name}, $client->version;
#   exec $client->command($url);

use v5.36;
use Cwd ();
use SSE::Document qw(slurp);

my $folder = 't/clients/drivers';
my $built  = 'build/clients';

# Of each language: what runs the program, and where the version of a package stands.
my %languages = (
    browser    => { command => ['perl', "$folder/browser/driver.pl"], versions => \&npm_version },
    javascript => { command => ['node', "$folder/javascript/driver.mjs"], versions => \&npm_version },
    python     => { command => ['python3', "$folder/python/driver.py"], versions => \&pypi_version },
    go         => { command => ["$built/go/drivers"], versions => \&go_version },
    rust       => { command => ["$built/rust/debug/drivers"], versions => \&crate_version },
    java       => { command => ['java', '-cp', "$built/java:$built/java/jars/*", 'Driver'], versions => \&maven_version },
    curl       => { command => ['perl', "$folder/curl/driver.pl"], versions => sub ($) { '' } },
);

# language, the words for the program, name in the table, package (whose version is shown), and
#   one   all types go to one callback
#   set   a directive without which little works
#   in    where it runs, if the language does not say
my @clients = map { bless {%$_}, __PACKAGE__ } (
    { language => 'browser', words => ['chromium', 'EventSource'], name => '`EventSource`' },
    { language => 'browser', words => ['firefox', 'EventSource'], name => '`EventSource`', in => 'Firefox' },
    { language => 'browser', words => ['chromium', 'event-source-polyfill'], package => 'event-source-polyfill' },
    { language => 'browser', words => ['chromium', 'reconnecting-eventsource'], package => 'reconnecting-eventsource' },
    { language => 'browser', words => ['chromium', 'sse.js'], package => 'sse.js', name => 'sse.js (npm)' },
    { language => 'javascript', words => ['sse.js'], name => '[sse.js](../docker/html/sse.js) of this project' },
    { language => 'javascript', words => ['eventsource'], package => 'eventsource' },
    { language => 'javascript', words => ['eventsource-4'], package => 'eventsource-4', name => 'eventsource' },
    { language => 'javascript', words => ['eventsource-3'], package => 'eventsource-3', name => 'eventsource' },
    { language => 'javascript', words => ['eventsource-2'], package => 'eventsource-2', name => 'eventsource' },
    { language => 'javascript', words => ['undici'], package => 'undici' },
    { language => 'javascript', words => ['extended-eventsource'], package => 'extended-eventsource' },
    { language => 'javascript', words => ['launchdarkly-eventsource'], package => 'launchdarkly-eventsource' },
    { language => 'javascript', words => ['eventsource-client'], package => 'eventsource-client', one => 1 },
    { language => 'javascript', words => ['fetch-event-source'], package => '@microsoft/fetch-event-source', one => 1 },
    { language => 'javascript', words => ['eventsource-parser'], package => 'eventsource-parser', one => 1 },
    { language => 'javascript', words => ['fetch-event-stream'], package => 'fetch-event-stream', one => 1 },
    { language => 'python', words => ['httpx-sse'], package => 'httpx-sse', one => 1 },
    { language => 'python', words => ['aiohttp-sse-client'], package => 'aiohttp-sse-client', one => 1 },
    { language => 'python', words => ['aiohttp-sse-client2'], package => 'aiohttp-sse-client2', one => 1 },
    { language => 'python', words => ['sseclient-py'], package => 'sseclient-py', one => 1 },
    { language => 'python', words => ['sseclient'], package => 'sseclient', one => 1, set => 'chunked_transfer_encoding off' },
    { language => 'python', words => ['requests-sse'], package => 'requests-sse', one => 1 },
    { language => 'python', words => ['launchdarkly-eventsource'], package => 'launchdarkly-eventsource', one => 1 },
    { language => 'go', words => ['r3labs'], package => 'github.com/r3labs/sse/v2', one => 1 },
    { language => 'go', words => ['tmaxmax'], package => 'github.com/tmaxmax/go-sse' },
    { language => 'go', words => ['launchdarkly'], package => 'github.com/launchdarkly/eventsource', one => 1 },
    { language => 'go', words => ['donovanhide'], package => 'github.com/donovanhide/eventsource', one => 1 },
    { language => 'rust', words => ['reqwest-eventsource'], package => 'reqwest-eventsource', one => 1 },
    { language => 'rust', words => ['launchdarkly'], package => 'eventsource-client', one => 1 },
    { language => 'rust', words => ['eventsource-stream'], package => 'eventsource-stream', one => 1 },
    { language => 'rust', words => ['sse-client'], package => 'sse-client', set => 'chunked_transfer_encoding off' },
    { language => 'java', words => ['okhttp-sse'], package => 'okhttp-sse', one => 1 },
    { language => 'java', words => ['okhttp-eventsource'], package => 'okhttp-eventsource', one => 1 },
    { language => 'java', words => ['jersey'], package => 'jersey-media-sse', one => 1 },
    { language => 'java', words => ['spring'], package => 'spring-webflux', name => 'Spring `WebClient`', one => 1 },
    { language => 'java', words => ['jdk'], name => '`java.net.http`, by hand', one => 1 },
    { language => 'curl', words => ['curl'], name => 'curl', one => 1 },
);

sub all { return @clients }

# Those of a language, or with that id.
sub named (@names) {
    my %wanted = map { $_ => 1 } @names;
    return grep { $wanted{ $_->{language} } || $wanted{ $_->id } } @clients;
}

# What no other has: "python/httpx-sse".
sub id ($self) { return join '/', $self->{language}, @{ $self->{words} } }

# As the table shows it.
sub title ($self) {
    my $name = $self->{name} // $self->{package};
    my $version = $self->version;
    return length $version ? "$name $version" : $name;
}

sub command ($self, $url) { return (@{ $languages{ $self->{language} }{command} }, @{ $self->{words} }, $url) }

sub environment ($self) {
    my $root = Cwd::getcwd();
    return (PYTHONPATH => "$root/$built/python:$root/build/python") if $self->{language} eq 'python';
    return (NODE_NO_WARNINGS => 1) if $self->{language} eq 'javascript';
    return;
}

# Versions -----------------------------------------------------------------------------------------------------------

sub version ($self) {
    my $package = $self->{package} // return '';
    return $languages{ $self->{language} }{versions}->($package) // die "no version of $package";
}

sub npm_version ($package) {
    return (slurp("$folder/javascript/package.json") =~ /"\Q$package\E": "(?:npm:\w+@)?([^"]+)"/)[0];
}

sub pypi_version ($package) {
    return ((slurp("$folder/python/requirements.txt") . slurp('t/clients/requirements.txt')) =~ /^\Q$package\E==(\S+)/m)[0];
}

sub go_version ($package) {
    my ($version) = slurp("$folder/go/go.mod") =~ /^\t\Q$package\E v(\S+)/m;
    return $version =~ s/\A0\.0\.0-(\d{4})(\d\d)(\d\d).*/of $1-$2-$3/r;
}

sub crate_version ($package) { return (slurp("$folder/rust/Cargo.toml") =~ /^\Q$package\E = "=([^"]+)"/m)[0] }

sub maven_version ($package) {
    return (slurp("$folder/java/pom.xml") =~ m{<artifactId>\Q$package\E</artifactId>\s*<version>([^<]+)})[0];
}

1;
