#!/usr/bin/env perl
# driver.pl CLIENT URL: follows a stream by curl, and prints a line of JSON for each thing that happens: {"what": "open" |
# "event" | "error"}. It ends when curl does.
use v5.36;
use lib 't/lib';
use JSON::PP;
use SSE::Parser;

my (undef, $url) = @ARGV;
my $json   = JSON::PP->new->canonical;
my $parser = SSE::Parser->new;
$| = 1;
open my $output, '-|', 'curl', '-sSN', '--fail', $url or die "curl: $!";
while (sysread $output, my $bytes, 65536) {
    for my $event ($parser->feed($bytes)) {
        say $json->encode({ what => 'event', map { $_ => $event->{$_} } qw(type id data) }) =~ s/([^\x00-\x7f])/$1/gr;
    }
}
close $output;
say $json->encode({ what => 'error', text => 'curl ended with status ' . ($? >> 8) }) if $?;
