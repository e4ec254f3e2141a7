# If there is no memory to decode what a client asks for, the answer is an error, and nothing else is done instead.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

plan skip_all => 'the sanitizer needs any amount of addresses' if $ENV{TEST_NGINX_SANITIZE};

my $megabyte = 1024 * 1024;
my $server   = SSE::Nginx->start(
    http      => 'sse_zone events 4m; large_client_header_buffers 2 32m; access_log off;',
    server    => <<'END',
location = /sub    { sse_channel $arg_channel; }
        location = /chosen { sse_channel $arg_channel; sse_cursor $arg_chosen; }
        location = /pub    { sse_publish $arg_channel; }
END
);
my ($worker) = $server->workers;
$server->allow(qr/malloc\(\d+\) failed/);

# There is memory to receive this argument, but not to copy it.
my $large = '%78' . 'x' x (30 * $megabyte);
open my $status, '<', "/proc/$worker/status" or die "status: $!";
my ($size) = map { /\AVmSize:\s+(\d+) kB/ ? $1 * 1024 : () } readline $status;
system('prlimit', "--pid=$worker", '--as=' . ($size + 50 * $megabyte)) == 0 or die 'prlimit has failed';

for my $path ('/sub?channel=a&last_event_id=', '/sub?channel=a&lastEventID=', '/chosen?channel=a&chosen=') {
    my $mark = $server->log_mark;
    is $server->get($path . $large)->status, 500, "$path...";
    like $server->log_since($mark), qr/malloc\(\d+\) failed/, 'with a line in the log';
}
for my $field (qw(event retry)) {
    my $mark = $server->log_mark;
    is $server->publish("/pub?channel=a&$field=$large", 'x')->status, 500, "/pub?channel=a&$field=...";
    like $server->log_since($mark), qr/malloc\(\d+\) failed/, 'with a line in the log';
}
my $facts = $server->get('/pub?channel=a')->json;
is $facts->{last_id}, undef, 'nothing was published';
is $facts->{subscribers}, 0, 'and nobody has subscribed';
is $server->publish('/pub?channel=a', 'x')->status, 201, 'it goes on';

is_deeply [$server->stop], [], 'no trouble';
done_testing;
