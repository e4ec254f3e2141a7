package Bench::Nginx;

# A nginx to be measured: with nothing in its configuration that a test would want and a user would not.

use v5.36;
use parent 'SSE::Nginx';
use SSE::Certificate;

# Options besides those of SSE::Nginx: modules (files to load), connections (of a worker), processors (numbers: the workers are
# dealt out to them, each to one).
sub configuration ($self) {
    my $load = join '', map {"load_module $_;\n"} @{ $self->{modules} };
    my $user = $> == 0 ? 'user root;' : '';
    my $descriptors = $self->{connections} + 500;
    my $temporary = join "\n    ", map {"${_}_temp_path $_;"} qw(client_body proxy fastcgi uwsgi scgi);
    my $servers = join '', map { $self->server_block($_) } @{ $self->{listen} };
    my $affinity = '';
    if (my @processors = @{ $self->{processors} // [] }) {
        my @masks = map { 1 . '0' x $processors[$_ % @processors] } 0 .. $self->{workers} - 1;
        $affinity = "worker_cpu_affinity @masks;";
    }
    return <<"END";
$load$user
daemon off;
worker_processes $self->{workers};
$affinity
worker_rlimit_nofile $descriptors;
pid nginx.pid;
error_log error.log warn;
events {
    worker_connections $self->{connections};
}
http {
    $temporary
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    @{[ $self->{http} // '' ]}
$servers
}
END
}

sub server_block ($self, $listener) {
    my $flags = 'backlog=4096' . ($self->{workers} > 1 ? ' reuseport' : '') . ($listener eq 'tls' ? ' ssl' : '');
    my $certificate = '';
    if ($listener eq 'tls') {
        make_certificate($self->prefix);
        $certificate = 'ssl_certificate certificate.pem; ssl_certificate_key key.pem;';
    }
    return <<"END";
    server {
        listen 127.0.0.1:$self->{ports}{$listener} $flags;
        $certificate
        location = /file.txt {
            root .;
        }
        $self->{server}
    }
END
}

1;
