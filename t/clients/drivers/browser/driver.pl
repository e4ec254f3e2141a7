#!/usr/bin/env perl
# driver.pl BROWSER CLIENT URL: follows a stream as that client does in a page, which is of the same server, and prints a line
# of JSON for each thing that happens: {"what": "open" | "event" | "error"}. It ends when the client has given up.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use SSE::Browser;

my ($name, $client, $url) = @ARGV;
my ($origin) = $url =~ m{\A(http://[^/]+)/};
my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "listen: $!";
my $page = sprintf '%s/page/page.html?client=%s&report=%d&url=%s', $origin, $client, $listener->sockport,
    $url =~ s/([^\w.-])/sprintf '%%%02x', ord $1/ger;
my $browser = SSE::Browser->open($name => $page);
$| = 1;
END { # the browser ends before its profile is removed, whatever signals come
    $SIG{TERM} = 'IGNORE';
    $browser->close if $browser;
}

# What the page reports. The browser may have more connections open than it uses.
while (my $connection = $listener->accept) {
    my ($length, $report) = (0, '');
    while (defined(my $line = readline $connection)) {
        $length = $1 if $line =~ /\AContent-Length: (\d+)/i;
        last if $line eq "\r\n";
    }
    read $connection, $report, $length;
    print $connection "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    close $connection;
    say $report if $length;
    last if $report eq '{"what":"over"}';
}
