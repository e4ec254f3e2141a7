# 100,000 channels: each has its own events and no others, even if the index has room for far fewer channels.
use v5.36;
use lib 't/lib';
use List::Util qw(shuffle uniq);
use Test::More;
use Time::HiRes qw(time);
use SSE::Nginx;
use SSE::Pipeline;
use SSE::Process;
use SSE::Util;

my $count  = $ENV{TEST_NGINX_CHANNELS} // 100_000;
my $server = SSE::Nginx->start(
    workers => 2,
    http    => "sse_zone large 64m channels=@{[1.2 * $count]}; sse_zone small 64m channels=1000;",
    server  => join("\n        ", map { ("location = /sub/$_ { sse_channel \$arg_channel zone=$_; }",
        "location = /pub/$_ { sse_publish \$arg_channel zone=$_; }") } qw(large small)) . ' location = /status { sse_status; }',
);
seed();

# Names of all lengths, the shortest and the longest among them.
my @names = uniq('a' .. 'z', 0 .. 9, map { "n$_" . ($_ % 10 ? '' : '-' x (254 - length)) } 1 .. $count);
$#names = $count - 1;

sub figures ($zone) { return $server->get('/status')->json->{zones}{$zone} }

# Publishes to these channels, or to all; returns how many events were accepted.
sub publish_to_all ($zone, $text, @channels) {
    my $start = time;
    @channels = @names unless @channels;
    my @status = SSE::Pipeline->new($server)->publish(map { ["/pub/$zone?channel=$_", "$text $_"] } @channels);
    note sprintf '%d publishes to zone %s in %.1f s', scalar @status, $zone, time - $start;
    return scalar grep { $_ == 201 } @status;
}

sub sample ($many) { return @names[0 .. 3, $#names - 3 .. $#names], (shuffle @names)[1 .. $many] }

# Nothing if a subscriber gets exactly the events in `expected` and then one that is published now, or else what it gets.
sub surplus ($zone, $channel, $subscriber, @expected) {
    $server->publish("/pub/$zone?channel=$channel", 'the end');
    my @got = map { $_->{data} } $subscriber->events(@expected + 1);
    return "@got" eq join(" ", @expected, "the end") && !$subscriber->pending ? () : "$channel: @got";
}

subtest 'room for all' => sub {
    my @live = map { [$_, $server->subscribe("/sub/large?channel=$_")->ready] } sample(200);
    is publish_to_all(large => 'first'), $count, 'each is published to';
    my $figures = figures('large');
    is $figures->{channels}, $count, 'all of them are there';
    is $figures->{forgotten_channels}, 0, 'none is forgotten';
    is_deeply [map { surplus('large', $_->[0], $_->[1], "first $_->[0]") } @live], [], 'who listens gets what is his';
    $_->[1]->close for @live;
    my @wrong;
    for my $name (grep { my $name = $_; !grep { $_->[0] eq $name } @live } sample(300)) {
        my $subscriber = $server->subscribe("/sub/large?channel=$name", cursor => '0-0');
        push @wrong, surplus('large', $name, $subscriber, "first $name");
        $subscriber->close;
    }
    is_deeply \@wrong, [], 'and so does who comes later';
};

subtest 'room for few' => sub {
    my $before = $server->publish('/pub/small?channel=before', 'x')->json->{id};
    my ($first) = @names;
    my @live = map { [$_, $server->subscribe("/sub/small?channel=$_")->ready] } sample(200);
    is publish_to_all(small => 'first'), $count, 'each is published to';
    my $figures = figures('small');
    is $figures->{channels}, 1000, 'as many are there as there is room for';
    cmp_ok $figures->{forgotten_channels}, '>=', $count - 1000, 'the others are counted';
    is_deeply [map { surplus('small', $_->[0], $_->[1], "first $_->[0]") } @live], [], 'who listens gets what is his';
    my %listened = map { $_->[0] => 1 } @live;
    my @forgotten = grep { !$listened{$_} } @names[0 .. $count / 2];
    my @wrong;
    for my $name ((shuffle @forgotten)[1 .. 100]) {
        my $subscriber = $server->subscribe("/sub/small?channel=$name", cursor => $before);
        my $event = $subscriber->next_event;
        push @wrong, "$name: $event->{type} $event->{data}" unless $event->{type} eq 'gap';
        push @wrong, surplus('small', $name, $subscriber);
        $subscriber->close;
    }
    is_deeply \@wrong, [], 'a channel that was forgotten says so, and has nothing of another';
    $_->[1]->close for @live;

    my $marker = $server->publish('/pub/small?channel=marker', 'x')->json->{id};
    my @newest = @names[-50 .. -1];
    SSE::Pipeline->new($server)->publish(map { ["/pub/small?channel=$_", "again $_"] } @newest);
    @wrong = map {
        my $subscriber = $server->subscribe("/sub/small?channel=$_", cursor => $marker);
        surplus('small', $_, $subscriber, "again $_");
    } @newest;
    is_deeply \@wrong, [], 'the newest are there, and nothing is missing there';
};

subtest 'memory' => sub {
    my @memory = map { publish_to_all(small => "round $_", @names[0 .. 20_000]); private_memory($server->workers) } 1 .. 3;
    plan skip_all => 'this kernel does not tell' unless defined $memory[0];
    plan skip_all => 'freed memory is kept back to be watched' if $ENV{TEST_NGINX_SANITIZE};
    note 'private memory: ', join ' ', map { sprintf '%d KB', $_ / 1024 } @memory;
    cmp_ok $memory[2] - $memory[0], '<', 1_000_000, "another 40,000 channels leave nothing behind";
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
