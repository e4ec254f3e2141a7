package SSE::Manifests;

# Files of Compose and Kubernetes, held against their schemas.
#
#   my ($complaints, @documents) = read_manifests('compose', 'docker/compose.yml');

use v5.36;
use Exporter 'import';
use JSON::PP ();
use Test::More;
our @EXPORT = qw(read_manifests seconds drain_of);

sub read_manifests ($kind, @files) {
    plan skip_all => 'no schemas; `./build.sh test` installs them' if !-d 't/image/node_modules/yaml' && !$ENV{CI};
    open my $pipe, '-|', 'node', 't/image/read_yaml.mjs', $kind, @files or die "node: $!";
    my $text = join '', readline $pipe;
    close $pipe or die "read_yaml.mjs has failed\n";
    my $read = JSON::PP->new->utf8->decode($text);
    return ($read->{complaints}, @{ $read->{documents} });
}

# A time as Compose and nginx write it.
sub seconds ($time) { return $time =~ /\A(\d+)s?\z/ ? $1 : die "no seconds: $time\n" }

# Of a configuration; 5 is the default.
sub drain_of ($configuration) {
    return $configuration =~ /^\s*sse_drain (\w+)/m ? seconds($1) : 5;
}

1;
