package Bench::Works::Upheavals;

# What is rare and large, and what others notice meanwhile.

use v5.36;
use utf8;
use Bench::Load;
use Bench::Measure qw(count meanwhile);

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
    );
}

1;
