# docker/grafana.json and docker/alerts.yml with a real Prometheus that scrapes a real nginx under load, with a bus and reloads: each query
# is valid and has data, every metric is one of the module, and no alert fires while all is well.
# needs: module prometheus redis
use v5.36;
use lib 't/lib';
use JSON::PP;
use Test::More;
use SSE::Metrics;
use SSE::Nginx;
use SSE::Prometheus;
use SSE::Redis;

sub slurp ($file) { local (@ARGV, $/) = $file; return readline }

my $redis  = SSE::Redis->start;
my $server = SSE::Nginx->start(
    workers => 2,
    http    => "sse_zone events 256k; sse_zone shared 1m; sse_bus shared redis://@{[$redis->address]};",
    server  => <<'END',
        location = /sub     { sse_channel $arg_channel zone=events; sse_heartbeat 250ms; }
        location = /pub     { sse_publish $arg_channel zone=events; }
        location = /bus/sub { sse_channel $arg_channel zone=shared; }
        location = /bus/pub { sse_publish $arg_channel zone=shared; }
        location = /metrics { sse_status format=prometheus; }
        location = /status  { sse_status; }
        location = /health  { sse_health; }
END
);
wait_until(sub { $server->get('/health')->status == 200 }, 'the bus to be up');

my $target     = '127.0.0.1:' . $server->port;
my $rules      = do { require Cwd; Cwd::abs_path('docker/alerts.yml') };
my $prometheus = SSE::Prometheus->start(config => slurp('docker/prometheus.yml')
        =~ s/(scrape_interval|evaluation_interval): 15s/$1: 250ms/gr =~ s/127\.0\.0\.1:8080/$target/r =~ s/- alerts\.yml/- $rules/r);

# Load, until Prometheus has scraped it several times: events in both zones, a poll, a refusal, a gap, streams that come and go, a reload.
my @subscriber = map { $server->subscribe("/sub?channel=c$_")->ready, $server->subscribe("/bus/sub?channel=c$_")->ready } 1 .. 3;
sub load () {
    $server->publish("$_->[0]?channel=c$_->[1]", 'x' x 500) for map { my $n = $_; map { [$_, $n] } '/pub', '/bus/pub' } 1 .. 3;
    $server->publish('/pub?channel=', 'x');
    $server->get('/sub?channel=c1&poll&last_event_id=0-0');
    $server->subscribe('/sub?channel=c1', cursor => '1-1')->next_event;
    $server->get('/sub?channel=');
}
my $rounds = 0;
wait_until(sub { load(); ++$rounds; my $up = $prometheus->query('count_over_time(up[1m])'); @$up && $up->[0]{value}[1] >= 8 }, 'scrapes', 60);
$server->reload;
wait_until(sub {
    load();
    my $series = $prometheus->query('sum by (zone) (rate(sse_delivered_events_total{way="live"}[15s])) > 0');
    return @$series == 2;
}, 'rates', 60);

my $dashboard = decode_json(slurp('docker/grafana.json'));
my @panels    = grep { $_->{type} ne 'row' } @{ $dashboard->{panels} };
my %value     = (job => 'sse', instance => '.*', zone => '.*', '__rate_interval' => '30s');

subtest 'each query of the dashboard' => sub {
    for my $panel (@panels) {
        for my $target (@{ $panel->{targets} }) {
            my $query = $target->{expr} =~ s/\$(\w+)/$value{$1} \/\/ "\$$1"/ger;
            my $data = eval { $prometheus->query($query) } or diag $@;
            ok $data && @$data, "$panel->{title}: $query";
        }
    }
};

subtest 'the dashboard' => sub {
    my %id;
    $id{ $_->{id} }++ for @{ $dashboard->{panels} };
    is_deeply [grep { $id{$_} > 1 } keys %id], [], 'no two panels have an id';
    my %cell;
    for my $panel (@{ $dashboard->{panels} }) {
        my ($x, $y, $w, $h) = @{ $panel->{gridPos} }{qw(x y w h)};
        for my $column ($x .. $x + $w - 1) { $cell{"$column,$_"}++ for $y .. $y + $h - 1 }
    }
    is_deeply [grep { $cell{$_} > 1 } keys %cell], [], 'nor a place';
    my %known = map { $_->{name} => 1 } @{ $dashboard->{templating}{list} };
    my @used  = slurp('docker/grafana.json') =~ /\$\{?(\w+)\}?/g;
    is_deeply [grep { !$known{$_} && !/^__/ } @used], [], 'each variable is one';
    for my $variable (grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} }) {
        my ($metric) = $variable->{definition} =~ /label_values\((\w+)/;
        ok @{ $prometheus->query($metric) } > 0, "the values of $variable->{name} come from $metric";
    }
};

subtest 'each metric' => sub {
    my $metrics = SSE::Metrics->of($server);
    my %used = map { $_ => 1 } (slurp('docker/grafana.json') . slurp('docker/alerts.yml')) =~ /\b(sse_[a-z_]+[a-z])\b(?= *[\[{)<>=+*-]|$| *\/)/mg;
    delete @used{ grep {/^sse_(?:list|send_timeout|zone)$/} keys %used };
    for my $name (sort keys %used) {
        ok $metrics->{families}{ $name =~ s/_(?:bucket|sum|count)$//r }, "$name is one of the module";
        ok @{ $prometheus->query($name) } > 0, 'and Prometheus has it';
    }
    my @unused = grep { !$used{$_} && !$used{"${_}_bucket"} } sort keys %{ $metrics->{families} };
    is_deeply \@unused, [], 'and each of the module is on the dashboard';
};

subtest 'each alert' => sub {
    my $groups = decode_json($prometheus->get('/api/v1/rules'))->{data}{groups};
    my @rules  = map { @{ $_->{rules} } } @$groups;
    is scalar @rules, scalar(() = slurp('docker/alerts.yml') =~ /- alert:/g), 'is loaded';
    is_deeply [map {"$_->{name}: $_->{lastError}"} grep { $_->{lastError} } @rules], [], 'and can be evaluated';
    is_deeply [map { $_->{name} } grep { $_->{state} eq 'firing' } @rules], [], 'none fires while all is well';
};

# One that must fire.
$redis->kill9;
wait_until(sub { @{ $prometheus->query('sse_bus_up == 0') } > 0 }, 'Prometheus to see that Redis is gone', 30);
wait_until(sub { @{ $prometheus->query('ALERTS{alertname="SseBusDown"}') } > 0 }, 'the alert to be pending', 30);
pass 'and one does when Redis is gone';

$_->close for @subscriber;
is_deeply [grep { !/bus "shared"/ } $server->stop], [], 'no trouble';
$prometheus->stop;
unlike $prometheus->output, qr/level=error/, 'nor of Prometheus';
done_testing;
