package Bench::Works::Upheavals;

# What is rare and large, and what others notice meanwhile.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count fill meanwhile);
use SSE::Process;
use Time::HiRes qw(sleep);

# The events are copied into a new zone while the old worker goes on.
sub resize ($server, $scale) {
    my $load = Bench::Load->start($server);
    my $path = $server->{lines} =~ s/%c/c0/r;
    $load->order('lines', path => $path, size => 20, count => count(1_500_000, $scale));
    my $figures = meanwhile($server, 3, sub { $server->resize('272m') });
    $load->order('follow', cursor => $server->{old}, events => 1); # they are there
    return $figures;
}

# That nginx writes a body to a file as fast as it comes is not what is asked for: all but its end is there before.
sub file_body ($server, $scale) {
    my $load = Bench::Load->start($server);
    $load->order('upload', path => '/file-body', size => 15, count => count(6_250_000, $scale));
    return meanwhile($server, 3, sub { $load->order('finish') });
}

# The location of a mirror reads the body before it is published; a large one goes to a file. The file stays, for the kernel takes
# 10 ms to remove it.
my $file_body = <<'END';
location = /file-body {
            mirror /nothing;
            sse_publish c0;
            sse_framing lines;
            sse_max_events 0;
            client_max_body_size 0;
            client_body_in_file_only on;
            allow 127.0.0.0/8;
            deny all;
        }
        location = /nothing {
            internal;
            return 204;
        }
END

# Each of two workers has half of the connections, and so 100,000 channels: when one is killed, the other has to say again which it
# listens to.
sub census ($server, $scale) {
    my $crowd = Bench::Load->start({ %$server, subscribe => '/census?n=%c' });
    my $count = count(4000, $scale);
    $crowd->order('subscribe', count => $count, channels => $count);
    my $nginx = $server->{nginx};
    my ($victim, $survivor) = $nginx->workers;
    $nginx->allow(qr/ $victim exited on signal 9/);
    return meanwhile($server, 3, sub { $nginx->kill9($victim) }, worker => $survivor);
}

my @channels = map {"$_-\$arg_n"} 1 .. 50;
my %census = (
    nchan => 'location = /census { nchan_subscriber eventsource; nchan_channel_id_split_delimiter ","; nchan_channel_id "'
        . join(',', @channels) . '"; }',
    'push-stream' => 'location = /census { push_stream_subscriber eventsource; push_stream_channels_path "'
        . join('/', @channels) . '"; }',
    sse => "location = /census { sse_max_channels 50; sse_channel @channels; }",
);

# A worker stops, but lives, in the middle of a publish. For three seconds the other one serves files, goes on with a stream that
# it has begun, and is published to.
sub stopped ($server, $scale) {
    my $nginx = $server->{nginx};
    my ($holder, $other) = $nginx->workers;
    $nginx->allow(qr/ is locked by $holder/);
    my $connection = $nginx->connect_to($holder, '/file.txt');
    my $load = Bench::Load->start($server);
    my $count = 200_000; # more than sockets hold
    fill($server, $load, $count);
    $load->order('follow', cursor => $server->{old}, worker => $other);
    my $figures = meanwhile(
        $server, 3,
        sub {
            my $request = $nginx->request(POST => '/stop', body => 'x', on => $connection);
            wait_stopped($holder);
            $load->give('read', events => $count);
            sleep 3;
            thaw($holder);
            $request->finish;
        },
        worker    => $other,
        publishes => 4,
    );
    return { %$figures, stream => $load->answer->{nanoseconds} / 1e6 };
}

my @shows = (['max', 'a static file, slowest', 'ms'], ['p99', 'a static file, p99', 'ms'], ['publish', 'a publish, slowest', 'ms']);

sub works () {
    return (
        {
            name        => 'resize',
            title       => 'a reload changes the size of a zone of 256 MB with 1,500,000 events',
            contestants => [qw(sse)], # the others do not take over what they have
            options     => { zone => '256m' },
            run         => \&resize,
            shows       => \@shows,
            goals       => [{ figure => 'max', at_most => 5 }],
        },
        {
            name        => 'file-body',
            title       => 'a body of 100 MB, lines of 15 B, that nginx has put into a file',
            contestants => [qw(sse)], # the others publish a body as one event
            options     => { locations => { sse => $file_body } },
            run         => \&file_body,
            shows       => \@shows,
            goals       => [{ figure => 'max', at_most => 5 }],
        },
        {
            name        => 'census',
            title       => 'a worker is killed; the other one has 100,000 channels',
            contestants => [qw(nchan@2 push-stream@2 sse@2)],
            options     => { zone => '512m', header => 1, locations => \%census },
            run         => \&census,
            shows       => \@shows,
            goals       => [{ figure => 'max', of => 'sse@2', at_most => 5 }],
        },
        {
            name        => 'stopped',
            title       => 'a worker stops for 3 s while it holds the lock of the zone; what the other one does',
            contestants => [qw(sse@2)], # only this module can be stopped just there
            tree        => 1,
            options     => {
                faults    => 1,
                header    => 1,
                locations => { sse => 'location = /stop { sse_publish stop; sse_test_crash_at stop1; allow 127.0.0.0/8; deny all; }' },
            },
            run   => \&stopped,
            shows => [
                @shows,
                ['refused', 'publishes that are answered 503',        ''],
                ['stream',  'the rest of a stream of 200,000 events', 'ms'],
            ],
            goals => [{ figure => 'p99', of => 'sse@2', at_most => 5 }],
        },
    );
}

1;
