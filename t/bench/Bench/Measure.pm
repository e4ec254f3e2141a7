package Bench::Measure;

# What several works measure in the same way.

use v5.36;
use Bench::Load;
use Exporter 'import';
use POSIX qw(ceil);
our @EXPORT_OK = qw(broadcast count cpu_of fill idle_crowd meanwhile one_by_one);

# Processor time of the server for what the load does meanwhile, in nanoseconds, and what the load has answered.
sub cpu_of ($server, $load, $order, %option) {
    my $before = $server->cpu;
    my $answer = $load->order($order, %option);
    return ($server->cpu - $before, $answer);
}

sub count ($full, $scale) { return ceil($full * $scale) }

# Events of 100 B for a channel, in the quickest way that there is.
sub fill ($server, $load, $count, $channel = 'c0') {
    return $load->order('lines', path => $server->{lines} =~ s/%c/$channel/r, count => $count) if $server->{lines};
    return $load->order('publish', connections => 16, count => $count);
}

# Events to subscribers, and what one costs: (figures, the load).
sub broadcast ($server, %option) {
    my $load = Bench::Load->start($server);
    my %publish = (%option{qw(size)}, $option{publish}->%*);
    $load->order('subscribe', count => $option{subscribers}, channels => $publish{channels} // 1);
    $load->order('publish', %publish, %{ $option{warm} });
    my ($cpu, $answer) = cpu_of($server, $load, 'publish', %publish);
    $load->order('settle');
    return {
        cpu     => $cpu / $answer->{delivered} / 1e3,
        publish => $cpu / $answer->{published} / 1e3,
        rate    => $answer->{delivered} / $answer->{nanoseconds} * 1e9,
        p50     => $answer->{p50} / 1e6,
        p99     => $answer->{p99} / 1e6,
    };
}

sub one_by_one ($server, $scale, %more) {
    return broadcast($server,
        subscribers => $more{subscribers} // 1000,
        size    => $more{size} // 100,
        publish => { count => count($more{count} // 300, $scale), wait => $more{wait} // 1 },
        warm    => { count => 20 },
    );
}

# What others notice while something is done with the server: a visitor who asks for a static file 500 times a second, for so many
# seconds, and a publisher; figures in milliseconds. Options: worker (both ask that one), publishes (a second).
sub meanwhile ($server, $seconds, $do, %option) {
    my %worker = defined $option{worker} ? %option{worker} : ();
    my %file = (path => '/file.txt', rate => 500, %worker);
    my %publish = (
        path    => $server->{publish} =~ s/%c/meanwhile/r,
        method  => 'POST',
        body    => 'x',
        refusal => 503,
        rate    => $option{publishes} // 50,
        %worker,
    );
    my ($visitor, $publisher) = map { Bench::Load->start($server) } 1 .. 2;
    $_->order('hurry') for $visitor, $publisher;
    $visitor->order('probe',   %file,    seconds => 0.1); # with connections that are there already
    $publisher->order('probe', %publish, seconds => 0.1);
    $visitor->give('probe',   %file,    seconds => $seconds);
    $publisher->give('probe', %publish, seconds => $seconds);
    $do->();
    my ($files, $publishes) = map { $_->answer } $visitor, $publisher;
    return {
        p99     => $files->{p99} / 1e6,
        max     => $files->{max} / 1e6,
        publish => $publishes->{max} / 1e6,
        refused => $publishes->{refused},
    };
}

# Many who only wait: (the load, memory of the server for each, in bytes, and its CPU for each, in microseconds).
sub idle_crowd ($server, $count, $load = Bench::Load->start($server), %subscribe) {
    $load->order('subscribe', count => 100, %subscribe);
    my $before = $server->memory;
    my $cpu    = $server->cpu;
    $load->order('subscribe', count => $count, %subscribe);
    return ($load, ($server->memory - $before) / $count, ($server->cpu - $cpu) / $count / 1e3);
}

1;
