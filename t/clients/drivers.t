# ./build.sh clients in small: a client of each language that is soon installed does what the table in docs/clients.md says,
# and the table has a row for each client, with its version. And the judge sees what is wrong.
# needs: module drivers python
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::ClientTable;
use SSE::Drivers;
use SSE::Pool;
use SSE::Scenario;

my %documented = map { SSE::ClientTable::key($_) => $_ } SSE::ClientTable::rows();
sub key ($client) { return SSE::ClientTable::key(SSE::ClientTable::row($client, {})) }

subtest 'the table' => sub {
    my %row = %documented;
    for my $client (SSE::Drivers::all()) {
        ok delete $row{ key($client) }, 'has ' . key($client);
    }
    is_deeply [values %row], [], 'and nothing else';
};

# Without what takes long: heartbeats, and silence.
my @scenarios = grep { !/events|silence|beats|delete/ } SSE::Scenario::names();
my @clients   = map { SSE::Drivers::named($_) } qw(javascript/eventsource-4 python/httpx-sse curl/curl);
is scalar @clients, 3, 'a client of each language';
my %seen;
my $pool = SSE::Pool->new(
    jobs => 3,
    work => sub ($job) { return SSE::Scenario::run(@$job) },
    done => sub ($job, $outcome) { $seen{ $job->[0]->id }{ $job->[1] } = $outcome },
);
$pool->run(map { my $client = $_; map { [$client, $_] } @scenarios } @clients);
for my $client (@clients) {
    my %cell = map {@$_} SSE::ClientTable::cells($client, $seen{ $client->id });
    my %said = SSE::ClientTable::cells_of($documented{ key($client) } // '');
    is_deeply \%cell, { map { $_ => $said{$_} } keys %cell }, $client->title . ': ' . join ', ', sort keys %cell;
}

subtest 'the judge' => sub {
    my @sent = map { { kind => "kind $_", id => $_, type => 'message', data => "text $_" } } 1 .. 3;
    my @told = map { { id => $_, type => '', data => "text $_" } } 1 .. 3;
    my %cases = (
        'exact'       => [@told],
        'not kind 2'  => [@told[0, 2]],
        'not kind 3'  => [@told[0, 1], { %{ $told[2] }, data => 'text' }],
        'not kind 1'  => [{ %{ $told[0] }, type => 'note' }, @told[1, 2]],
        'not twice'   => [@told, $told[1]],
        'not order'   => [@told[1, 0, 2]],
        'not phantoms' => [@told, { id => '', type => '', data => '' }],
        'no ids'      => [map { { %$_, id => undef } } @told],
    );
    is SSE::Scenario::differences(\@sent, $cases{$_}), $_, $_ for sort keys %cases;

    my %wrong = ('' => [1 .. 3], 'loses some' => [1, 3], 'has some twice' => [1, 2, 2, 3], 'phantoms' => [1 .. 3, '']);
    for my $wrong (sort keys %wrong) {
        my @heard = map { { what => 'event', data => $_ } } @{ $wrong{$wrong} };
        my $scenario = bless { published => [1 .. 3], heard => \@heard }, 'SSE::Scenario';
        is $scenario->wrong, $wrong, $wrong || 'nothing wrong';
    }
};

done_testing;
