# sse_history limits the replay, by number and by age; events beyond the limits are a gap.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(
    locations => <<'END',
location = /five  { sse_channel $arg_channel; sse_history 5; }
        location = /brief { sse_channel $arg_channel; sse_history 100 2s; }
        location = /eon   { sse_channel $arg_channel; sse_history 100 18446744073709552s; }
        location = /all   { sse_channel $arg_channel; sse_start earliest; }
        location = /early { sse_channel $arg_channel; sse_start earliest; sse_history 5; }
        location = /two   { sse_channel a b; sse_history 2; sse_start earliest; }
        location = /last  { sse_channel $arg_channel; sse_history 5; sse_start last=8; }
END
);
my @id = map { $server->publish('/pub?channel=c', $_)->json->{id} } 1 .. 20;

sub starts ($path, $cursor, @expected) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $subscriber = $server->subscribe($path, cursor => $cursor);
    my @got = map { $_->{type} eq 'message' ? $_->{data} : $_->{type} } $subscriber->events(scalar @expected);
    is_deeply \@got, \@expected, "$path after " . ($cursor // 'nothing');
    $subscriber->close;
}

starts('/all?channel=c',   undef,   1 .. 20);
starts('/five?channel=c',  $id[16], 18 .. 20);
starts('/five?channel=c',  $id[14], 16 .. 20);
starts('/five?channel=c',  $id[13], 'gap', 16 .. 20);
starts('/five?channel=c',  $id[0],  'gap', 16 .. 20);
starts('/five?channel=c',  '0-0',   16 .. 20);
starts('/early?channel=c', undef,   16 .. 20);
starts('/last?channel=c',  undef,   16 .. 20);

$server->publish("/pub?channel=$_->[0]", $_->[1])
    for [a => 'a1'], [a => 'a2'], [a => 'a3'], [b => 'b1'], [b => 'b2'], [b => 'b3'];
starts('/two', '0-0', qw(a2 a3 b2 b3));

subtest 'age' => sub {
    my $first = $server->publish('/pub?channel=aging', 'old')->json->{id};
    my $second = $server->publish('/pub?channel=aging', 'old too')->json->{id};
    my ($time) = $second =~ /\A(\d+)/;
    my $young;
    # They are old enough once a new event is more than two seconds younger.
    wait_until(sub {
        $young = $server->publish('/pub?channel=clock', 'tick')->json->{id};
        ($young =~ /\A(\d+)/)[0] > $time + 2200;
    }, 'a second to pass');
    $server->publish('/pub?channel=aging', 'young');
    starts('/brief?channel=aging', $second, 'young');
    starts('/brief?channel=aging', $first, 'gap', 'young');
    starts('/all?channel=aging', $first, 'old too', 'young');
    starts('/eon?channel=aging', $first, 'old too', 'young'); # in milliseconds it is more than 64 bits hold
};

done_testing;
