package SSE::Proxy;

# A third-party proxy in front of the module, configured with a sample of docs/proxies.md.
#
#   my $proxy = SSE::Proxy->new(
#       program => 'caddy',
#       files   => { Caddyfile => sample('caddy') },
#       command => sub ($proxy) { return (qw(caddy run --config), $proxy->file('Caddyfile')) },
#   );
#   $proxy->start($server);   # port 8080 in its files stands for that of nginx, 8088 for that of the proxy
#
# The options are those of SSE::Program, and backend (the listener of nginx, default h1).

use v5.36;
use parent 'SSE::Program';
use Cwd qw(abs_path);
use Exporter 'import';
use HTTP::Tiny;
use SSE::Document ();
our @EXPORT = qw(sample);

my $document = 'docs/proxies.md';

# The sample of that name.
sub sample ($name) { return SSE::Document::sample($document, $name) }

# A program that pip has installed, because Debian has none or an older version.
sub package_of ($path) { return (abs_path('build/proxies') // 'build/proxies') . "/$path" }

sub new ($class, %option) { return $class->SUPER::new(stands => 8088, backend => 'h1', %option) }

sub start ($self, $server) { return $self->SUPER::start(8080 => $server->port($self->{backend})) }

# Some listen before they know their backend.
sub is_ready ($self) { return HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$self->{port}/status")->{success} }

1;
