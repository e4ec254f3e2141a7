# docker/compose.yml and compose.cluster.yml: as the schema of Compose wants them, every container of the image closed as the
# documents say, and with time enough to drain. The commands are those of a demo that runs without containers.
# needs: schemas
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Document;
use SSE::Manifests;

my $dockerfile = slurp('docker/Dockerfile');
my %configuration = ('compose.yml' => 'docker/nginx.conf', 'compose.cluster.yml' => 'docker/cluster/machine.conf');

# The programs that `./build.sh run` starts.
my ($producers) = slurp('docker/run.sh') =~ /^producers="(.*)"$/m or die 'no producers';

for my $name (sort keys %configuration) {
    subtest $name => sub {
        my ($complaints, $compose) = read_manifests(compose => "docker/$name");
        is_deeply $complaints, [], 'as the schema wants it';
        my %service = %{ $compose->{services} };
        my @own = grep { $service{$_}{build} } sort keys %service;
        cmp_ok scalar(@own), '>=', 2, 'containers of the image';
        for my $service (map { $service{$_} } @own) {
            is_deeply [@$service{qw(read_only tmpfs cap_drop security_opt)}],
                [$service->{read_only}, ['/tmp'], ['ALL'], ['no-new-privileges:true']], 'it may do nothing';
            ok $service->{read_only}, 'and write nothing';
            like $dockerfile, qr/^FROM \w+ AS $service->{build}{target}$/m, "the target $service->{build}{target} is there";
        }

        my @nginx = grep { !$_->{network_mode} } map { $service{$_} } @own;
        my $drain = drain_of(slurp($configuration{$name}));
        for my $service (@nginx) {
            cmp_ok seconds($service->{stop_grace_period}), '>', $drain + 2, 'its workers have the time to drain';
            ok !$service->{healthcheck}, 'its health check is that of the image';
        }
        my @ports = map { @{ $_->{ports} // [] } } values %service;
        is_deeply \@ports, ['127.0.0.1:8080:8080'], 'nobody but this machine can reach it';
    };
}

subtest 'the programs of the demo' => sub {
    my ($complaints, $compose) = read_manifests(compose => 'docker/compose.yml');
    my @producer = grep { $_->{network_mode} } values %{ $compose->{services} };
    my @programs = sort map { $_->{command}[1] =~ s{^/demo/(.*)\.py$}{$1}r } @producer;
    is_deeply \@programs, [sort 'chat/producer', split ' ', $producers], 'are those of ./build.sh run';
    for my $service (@producer) {
        is_deeply [@$service{qw(stop_signal network_mode)}, $service->{healthcheck}{disable} ? 1 : 0],
            ['SIGTERM', 'service:demo', 1], "$service->{command}[1] is no nginx";
    }
};

done_testing;
