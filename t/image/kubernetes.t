# docker/kubernetes/ is valid by the schemas of Kubernetes, its parts fit together, and a pod has enough time to drain. Two pods
# run as described there, in an engine with the same settings, with a real Redis.
# needs: module image netns schemas redis
use v5.36;
use lib 't/lib';
use SSE::Image qw(server);
use SSE::Network;
use Test::More;
use Time::HiRes qw(time);
use SSE::Client::Socket;
use SSE::Document;
use SSE::Manifests;
use SSE::Nginx;
use SSE::Redis;

my ($complaints, @documents) = read_manifests(kubernetes => glob 'docker/kubernetes/*.yaml');
is_deeply $complaints, [], 'as the schemas want it';

my %object = map { ("$_->{kind} $_->{metadata}{name}" => $_) } @documents;
my $deployment    = $object{'Deployment sse'};
my $pod           = $deployment->{spec}{template}{spec};
my ($container)   = @{ $pod->{containers} };
my $configuration = $object{'ConfigMap sse'}{data}{'sse.conf'};
my %port          = map { @$_{qw(name containerPort)} } @{ $container->{ports} };

# Whether all that is in $wanted is also in $labels.
sub selects ($wanted, $labels) { return !grep { ($labels->{$_} // '') ne $wanted->{$_} } keys %$wanted }

subtest 'the parts fit together' => sub {
    my %labels = map { ($_->{metadata}{name} => $_->{spec}{template}{metadata}{labels}) } @object{'Deployment sse', 'StatefulSet redis'};
    my %ports = map { ($_->{metadata}{name} => { map { $_->{name} => 1 } @{ $_->{spec}{template}{spec}{containers}[0]{ports} } }) }
        @object{'Deployment sse', 'StatefulSet redis'};
    for my $document (@documents) {
        my ($kind, $spec) = @$document{qw(kind spec)};
        my $name = "$kind $document->{metadata}{name}";
        my $selector = $kind eq 'Service' ? $spec->{selector} : $spec->{podSelector}{matchLabels} // $spec->{selector}{matchLabels} // next;
        my ($workload) = grep { selects($selector, $labels{$_}) } sort keys %labels;
        ok $workload, "$name selects pods" or next;
        my @wanted = map { $_->{targetPort} // $_->{port} } $kind eq 'Service' ? @{ $spec->{ports} }
            : map { @{ $_->{ports} } } @{ $spec->{ingress} // [] };
        is_deeply [grep { !$ports{$workload}{$_} } @wanted], [], 'its ports are there';
    }
    is_deeply [sort { $a <=> $b } values %port], [sort { $a <=> $b } do { my %seen; grep { !$seen{$_}++ } $configuration =~ /\blisten (\d+)/g }],
        'the ports of the pod are those that nginx listens on';
    my ($redis) = $configuration =~ m{redis://([^: ]+):6379};
    ok $object{"Service $redis"}, 'nginx asks a Redis that is there';
    my ($version) = slurp('CHANGES') =~ /^Changes with ngx_http_sse_module (\S+)$/m;
    is $container->{image}, "sse:$version", 'the image is that of this version';
    my %volume = map { $_->{name} => $_ } @{ $pod->{volumes} };
    is_deeply [grep { !$volume{$_} } map { $_->{name} } @{ $container->{volumeMounts} }], [], 'what is mounted is there';
    ok $object{"ConfigMap $volume{configuration}{configMap}{name}"}, 'and the configuration';
    is $object{'PodDisruptionBudget sse'}{spec}{maxUnavailable}, 1, 'one pod may be away';
    cmp_ok $deployment->{spec}{replicas}, '>', 1, 'of several';
};

subtest 'what a pod may do is what the standard "restricted" allows' => sub {
    for my $pod (map { $_->{spec}{template}{spec} } @object{'Deployment sse', 'StatefulSet redis'}) {
        ok $pod->{securityContext}{runAsNonRoot}, 'no root';
        is $pod->{securityContext}{seccompProfile}{type}, 'RuntimeDefault', 'the usual system calls';
        for my $context (map { $_->{securityContext} } @{ $pod->{containers} }) {
            is_deeply [$context->{allowPrivilegeEscalation} ? 1 : 0, $context->{capabilities}{drop}], [0, ['ALL']], 'nothing else';
            ok $context->{readOnlyRootFilesystem}, 'and it writes nothing';
        }
    }
    is "@{$pod->{securityContext}}{qw(runAsUser runAsGroup)}", '10001 10001', 'the user is that of the image';
};

my $pre_stop = $container->{lifecycle}{preStop}{exec}{command};
my $grace    = $pod->{terminationGracePeriodSeconds};
my $drain    = drain_of($configuration);

subtest 'times' => sub {
    is $pre_stop->[0], 'sleep', 'before it is stopped a pod goes on for a while';
    cmp_ok $grace, '>', $pre_stop->[1] + $drain + 2, 'after that there is time to drain';
    my $patience = sub ($probe) { $container->{$probe}{periodSeconds} * $container->{$probe}{failureThreshold} };
    cmp_ok $patience->('readinessProbe'), '<=', 5, 'a pod that does not answer gets no clients';
    cmp_ok $patience->('livenessProbe'), '>=', 60, 'and is not started anew too early';
    cmp_ok $container->{$_}{timeoutSeconds}, '>=', 2, "the $_ outlasts a wait for a lock" for qw(startupProbe readinessProbe livenessProbe);
    my ($zone) = $configuration =~ /sse_zone \w+ (\d+)m;/;
    my ($limit) = $container->{resources}{limits}{memory} =~ /\A(\d+)Mi\z/;
    cmp_ok $limit, '>=', 2 * $zone, 'the memory is enough for the zone';
};

# From here on the pods run.
my $engine = SSE::Image->engine;
$engine->write('sse.conf', $configuration);
my $address = '10.77.1.254';
my $redis;
my @pod = map { start_pod() } 1, 2;

# A pod as the kubelet makes one, with an address of its own.
sub start_pod {
    my $place = SSE::Network->place;
    my $context = $container->{securityContext};
    my %mount = map { $_->{name} => $_->{mountPath} } @{ $container->{volumeMounts} };
    my @options = (
        '--network', "ns:/proc/$place->{pid}/ns/net", '--add-host', "redis:$address",
        '--user', join(':', @{ $pod->{securityContext} }{qw(runAsUser runAsGroup)}),
        (map { ('--cap-drop', $_) } @{ $context->{capabilities}{drop} }),
        $context->{readOnlyRootFilesystem} ? qw(--read-only --read-only-tmpfs=false) : (),
        $context->{allowPrivilegeEscalation} ? () : qw(--security-opt no-new-privileges),
        '--tmpfs', $mount{tmp}, '--volume', $engine->place . "/sse.conf:$mount{configuration}/sse.conf:ro",
    );
    my $started = $engine->run('server', how => \@options);
    return { container => $started, address => $place->front };
}

sub ask ($pod, $method, $path, %option) {
    my $client = SSE::Client::Socket->new(address => $pod->{address}, port => $port{ delete $option{port} // 'events' });
    my @headers = defined $option{cursor} ? ('Last-Event-ID' => delete $option{cursor}) : ();
    return $client->send(method => $method, path => $path, headers => \@headers, %option);
}

# As the kubelet asks: anything from 200 to 399 is a success.
sub probe ($pod, $name) {
    my $get = $container->{$name}{httpGet};
    my $status = eval { ask($pod, GET => $get->{path}, port => $get->{port})->finish->status } // 0;
    return $status >= 200 && $status < 400 ? 1 : 0;
}

# Each worker of the pod has a connection to Redis of its own, which may be back later than another one's.
sub publish ($pod, $text, $channel = 'c') {
    wait_until(sub { ask($pod, POST => "/publish?channel=$channel", port => 'publish', body => $text)->finish->status == 201 }, "'$text' to be published");
    return;
}

subtest 'probes' => sub {
    wait_until(sub { probe($_, 'livenessProbe') }, 'nginx') for @pod;
    is_deeply [map { probe($_, 'startupProbe') } @pod], [0, 0], 'no pod has started while there is no Redis';
    $redis = SSE::Redis->start(address => $address, port => 6379, aof => 1);
    wait_until(sub { probe($_, 'startupProbe') }, 'a pod to start') for @pod;
    is_deeply [map { probe($_, 'readinessProbe') } @pod], [1, 1], 'then they are ready';
    $redis->kill9;
    wait_until(sub { !probe($_, 'startupProbe') }, 'the pods to notice that Redis is away') for @pod;
    is_deeply [map { (probe($_, 'readinessProbe'), probe($_, 'livenessProbe')) } @pod], [1, 1, 1, 1], 'they stay ready and alive without it';
    is ask($pod[0], GET => '/events?channel=c')->ready->status, 200, 'and take clients';
    $redis->launch;
    publish($_, 'again', 'back') for @pod;
};

subtest 'a pod is taken out' => sub {
    my @subscriber = map { ask($pod[0], GET => '/events?channel=c')->ready } 1 .. 10;
    publish($pod[1], 'before');
    is_deeply [map { $_->next_event->{data} } @subscriber], [('before') x 10], 'what is published to one pod comes to the subscribers of the other';

    my $start = time;
    my ($status) = $pod[0]{container}->exec(@$pre_stop);
    is $status, 0, 'what comes before the stop works in the image';
    is ask($pod[0], GET => '/events?channel=c')->ready->status, 200, 'until then it takes clients';
    $pod[0]{container}->stop($grace - $pre_stop->[1]);
    note sprintf 'gone after %.1f s', time - $start;
    is $pod[0]{container}->exit_status, 0, 'it has ended by itself';
    is scalar(grep { $_->wait_closed ne 'abort' || $_->pending } @subscriber), 0, 'its streams are cut off after a whole event';
    publish($pod[1], 'after');
    is ask($pod[1], GET => '/events?channel=c', cursor => $subscriber[0]->last_event_id)->next_event->{data}, 'after',
        'its clients go on at the other one, and miss nothing';
    unlike $pod[0]{container}->stderr, qr/\[(?:crit|alert|emerg)\]/, 'nothing is wrong';
};

done_testing;
