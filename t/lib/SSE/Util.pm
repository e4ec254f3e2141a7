package SSE::Util;

# What several tests need, and what needs no server.

use v5.36;
use Exporter 'import';
use Test::More;
our @EXPORT = qw(seed compare_ids mark_of is_ascending stream_of);

# Seeds rand, from the environment if a run is to be repeated, and prints the seed.
sub seed {
    my $seed = $ENV{TEST_NGINX_SEED} // int rand 2**31;
    srand $seed;
    diag "TEST_NGINX_SEED=$seed";
    return $seed;
}

# <=> for event ids; what follows "~" is the publisher's.
sub compare_ids ($left, $right) {
    my ($left_time, $left_count)   = $left =~ /\A(\d+)-(\d+)/  or die "no event id: $left";
    my ($right_time, $right_count) = $right =~ /\A(\d+)-(\d+)/ or die "no event id: $right";
    return $left_time <=> $right_time || $left_count <=> $right_count;
}

# What the ids of one life of a zone have in common.
sub mark_of ($id) { return ($id =~ /\A\d+-(\d+)/)[0] % 65536 }

# Each id is newer than the one before it.
sub is_ascending ($ids, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wrong = grep { compare_ids($ids->[$_ - 1], $ids->[$_]) >= 0 } 1 .. $#$ids;
    ok !@wrong, $what or diag map {"$ids->[$_ - 1] is followed by $ids->[$_]\n"} @wrong;
}

# The body of a text/event-stream to publish.
sub stream_of (@data) { return join '', map {"data: $_\n\n"} @data }

1;
