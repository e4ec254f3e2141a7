#!/usr/bin/env perl
# Drives third-party clients through everything that can happen to a stream, and compares the results with the table in
# docs/clients.md: clients.pl [--save] [--jobs N] [LANGUAGE | LANGUAGE/CLIENT]... It fails where they differ, unless it is to save
# what it has seen there. ./build.sh clients installs what it needs.
use v5.36;
use lib 't/lib';
use Getopt::Long qw(GetOptions);
use SSE::ClientTable;
use SSE::Drivers;
use SSE::Pool;
use SSE::Scenario;
use Time::HiRes qw(time);

GetOptions('save' => \my $save, 'jobs=i' => \(my $jobs = 4)) or exit 2;
my @clients = @ARGV ? SSE::Drivers::named(@ARGV) : SSE::Drivers::all();
for my $name (@ARGV) {
    SSE::Drivers::named($name) or die "no such client; there are: @{[map { $_->id } SSE::Drivers::all()]}\n";
}
$| = 1;

# One job for each thing that happens to each client.
my $begin = time;
my @names = SSE::Scenario::names();
my @work = map { my $client = $_; map { [$client, $_] } @names } @clients;
my %seen;
my $pool = SSE::Pool->new(
    jobs => $jobs,
    work => sub ($job) { return SSE::Scenario::run(@$job) },
    done => sub ($job, $outcome) {
        my ($client, $scenario) = @$job;
        $seen{ $client->id }{$scenario} = $outcome // 'failed';
        say sprintf '%-45s %-8s %s', $client->title, $scenario, $outcome // 'failed' if $ENV{SSE_VERBOSE};
        return if keys %{ $seen{ $client->id } } < @names;
        say sprintf '%4d s  %s', time - $begin, SSE::ClientTable::row($client, $seen{ $client->id });
    },
);
$pool->run(@work);

my @rows = map { SSE::ClientTable::row($_, $seen{ $_->id }) } @clients;
if ($save) {
    SSE::ClientTable::save([SSE::Drivers::all()], @rows);
    say 'saved in ' . SSE::ClientTable::document();
    exit 0;
}
my @different = SSE::ClientTable::differences(@rows);
say for @different;
say sprintf '%d clients, %d scenarios, %d s: %s %s says', scalar @clients, scalar @work, time - $begin,
    @different ? 'not as' : 'all as', SSE::ClientTable::document();
exit !!@different;
