package SSE::Clients;

# Third-party clients, used as docs/clients.md says: with its configuration and its programs, and in a process that is read
# line by line.
#
#   my $server = SSE::Clients::server();
#   my $client = SSE::Clients->node($server, sample('openai'));
#   is $client->line, 'a token';
#   is $client->rest, '';

use v5.36;
use Cwd      qw(abs_path);
use Exporter 'import';
use IO::Select;
use IPC::Open2 qw(open2);
use SSE::Client;
use SSE::Document ();
use SSE::Nginx;
use SSE::Playwright;
use Test::More;
use Time::HiRes qw(time);
our @EXPORT = qw(sample);

my $document = 'docs/clients.md';
my $packages = 't/clients/node_modules';

# Skips the test where the packages are not installed.
sub need (@what) {
    for my $what (map {"$packages/$_"} grep { $_ ne 'browser' } @what) {
        plan skip_all => "no $what; `./build.sh test` installs it" if !-d $what && !$ENV{CI};
    }
    SSE::Playwright::need() if grep { $_ eq 'browser' } @what;
}

# The program of that name.
sub sample ($name) { return SSE::Document::sample($document, $name) }

# An nginx with the document's locations and what the option `locations` adds. Each request is logged when it is over.
sub server (%option) {
    my ($document_locations) = SSE::Document::slurp($document) =~ /^<!-- test-config -->\n```nginx\n(.*?)^```/ms or die "$document has no configuration";
    my $more = delete $option{locations} // '';
    my $server = SSE::Nginx->new(
        workers => 1,
        http => "sse_zone events 4m; sse_retry 250ms; log_format requests '\$request_method \$request_uri \$status';",
        %option,
    );
    my $app = $option{app} // 9;
    $server->{server} = "$document_locations $more access_log requests.log requests;" =~ s/\b9000\b/$app/r
        . ' location = /pub { sse_publish $arg_channel; access_log off; } location = /status { sse_status; access_log off; }';
    $server->write_configuration;
    $server->launch or die $server->log;
    return $server;
}

# Pages, the files of htmx, and a stream that ends at once, to which an EventSource therefore comes back each 250 ms.
sub pages () {
    my $htmx = abs_path($packages) . '/htmx.org/dist';
    return <<"END";
types { text/html html; text/javascript js; }
        location ~ \\.html\$ { root .; access_log off; }
        location = /htmx.min.js { alias $htmx/htmx.min.js; access_log off; }
        location = /hx-sse.min.js { alias $htmx/ext/hx-sse.min.js; access_log off; }
        location = /clock { default_type text/event-stream; return 200 "retry: 250\\n\\n"; }
END
}

my $clock = "<script>new EventSource('/clock')</script>";

# Waits until a client that comes back each 250 ms would have come back several times.
sub let_time_pass ($server, $browser) {
    state $number = 0;
    my $before = my @ticks = requests($server, qr/clock/);
    $browser->open_page($server, 'clock', $clock) unless $number++;
    wait_until(sub { requests($server, qr/clock/) > $before + 8 }, 'eight ticks');
}

# The requests of that kind that are over: "GET /path?arguments 200".
sub requests ($server, $pattern) { return grep {/$pattern/} split /\n/, $server->read_file('requests.log') }

# Programs -----------------------------------------------------------------------------------------------------------

# Node with a program, which may import the packages. Port 8080 in it stands for nginx.
sub node ($class, $server, $program, @arguments) {
    my $port = $server->port;
    $server->write_file('program.mjs', $program =~ s/\b8080\b/$port/gr);
    symlink abs_path($packages), $server->prefix . '/node_modules';
    return $class->spawn('node', $server->prefix . '/program.mjs', @arguments);
}

# Chromium: see t/clients/browse.mjs.
sub browser ($class) { return $class->spawn('node', 't/clients/browse.mjs') }

sub spawn ($class, @command) {
    my $pid = open2(my $output, my $input, @command);
    return bless { pid => $pid, output => $output, input => $input, in => '', owner => $$ }, $class;
}

# Has a browser open a page, which is made of this HTML.
sub open_page ($self, $server, $name, $html) {
    $server->write_file("$name.html", "<!doctype html><title>$name</title><link rel=icon href=data:,>$html");
    say { $self->{input} } 'http://127.0.0.1:' . $server->port . "/$name.html";
    my @before; # reports that have come meanwhile
    while ((my $line = $self->line // die 'the browser has ended') ne 'loaded') { push @before, $line }
    $self->{in} = join('', map {"$_\n"} @before) . $self->{in};
}

# The next line; undef at the end.
sub line ($self) {
    my $deadline = time + $SSE::Client::Patience;
    my $select   = IO::Select->new($self->{output});
    while (1) {
        return $1 if $self->{in} =~ s/\A([^\n]*)\n//;
        $select->can_read($deadline - time) or die "waited $SSE::Client::Patience s in vain for a line\n";
        sysread $self->{output}, $self->{in}, 65536, length $self->{in} or return;
    }
}

sub lines ($self, $count) { return map { $self->line } 1 .. $count }

# All other lines, until it has ended.
sub rest ($self) {
    my @lines;
    while (defined(my $line = $self->line)) { push @lines, $line }
    $self->close;
    return @lines;
}

# Ends it; its exit status.
sub close ($self) {
    return if defined $self->{status};
    local $?;
    CORE::close $self->{input};
    waitpid $self->{pid}, 0;
    return $self->{status} = $? >> 8;
}

sub stop ($self) {
    kill TERM => $self->{pid} unless defined $self->{status};
    $self->close;
}

sub DESTROY ($self) { $self->stop if $$ == $self->{owner} }

1;
