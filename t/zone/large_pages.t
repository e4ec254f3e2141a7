# Where memory pages are large, as on some arm64 systems, zones have room for what they are made for, and zones that are too small are
# refused with the minimum size.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

plan skip_all => 'only an emulator can choose the size of pages' unless $ENV{TEST_NGINX_EMULATED};

for my $size (16_384, 65_536) {
    local $ENV{QEMU_PAGESIZE} = $size;
    my $least = 8 * $size > 262_144 ? 8 * $size : 262_144;
    my $kick  = 'location = /kick { sse_kick; }';

    my $small = SSE::Nginx->new(zone => $least - 1);
    like +($small->check)[1], qr/"events" in "sse_zone" is too small, at least $least bytes/, "pages of $size: a zone that is too small";
    my $keys = SSE::Nginx->new(http => 'sse_zone events 4m; sse_keys 8k;', locations => $kick);
    my $few  = 8 * $size;
    like +($keys->check)[1], qr/"sse_keys" is too small, at least $few bytes/, 'keys that are too few';

    my $server = SSE::Nginx->start(http => "sse_zone events $least; sse_keys $few;", locations => $kick, workers => 2);
    my ($capacity) = $server->get('/status')->body =~ /"capacity":(\d+)/;
    cmp_ok $capacity, '>', $least / 4, 'the smallest zone has room';
    my $subscriber = $server->subscribe('/sub?channel=a')->ready;
    is $server->publish('/pub?channel=a', "event $_")->status, 201, "event $_ is published" for 1 .. 3;
    is $subscriber->next_event->{data}, "event $_", "and $_ received" for 1 .. 3;
    is_deeply [$server->stop], [], 'no trouble';
}
done_testing;
