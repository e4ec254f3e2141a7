# One large event for many that listen to it together with a channel of their own: the worker holds no copy for each.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Process;

my $subscribers = 300;
my $size        = 1_000_000;
my $server      = SSE::Nginx->start(
    http   => 'sse_zone events 16m;',
    server => <<'END',
location = /sub { sse_channel $arg_channel separator=,; }
        location = /pub { sse_publish $arg_channel; client_max_body_size 0; }
END
);
my ($worker) = $server->workers;

my @client = map { $server->subscribe("/sub?channel=all,user$_")->ready } 1 .. $subscribers;
my $before = peak_memory($worker);
my $data   = 'x' x $size;
is $server->publish('/pub?channel=all', $data)->json->{subscribers}, $subscribers, "$subscribers hear it";

# Each client leaves when it has the event, because the memory of this process is not at issue.
my $right = 0;
while (my $client = shift @client) {
    my $event = $client->next_event;
    $right++ if $event && $event->{data} eq $data;
    $client->close;
}
is $right, $subscribers, 'and have got it';
my $more = peak_memory($worker) - $before;
diag sprintf '%.1f MB more at the peak', $more / 1e6;
SKIP: {
    skip 'freed memory is kept back to be watched', 1 if $ENV{TEST_NGINX_SANITIZE};
    cmp_ok $more, '<', $subscribers * $size / 2, 'with less than half a copy for each';
}

is_deeply [$server->stop], [], 'no trouble';
done_testing;
