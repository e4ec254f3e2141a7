package SSE::Example;

# A program in docker/examples/, and an nginx with the configuration there in front of it.
#
#   my $server  = SSE::Example::nginx();                 # not started yet
#   my $program = SSE::Example->new(name => 'node-http/after.mjs', program => 'node');
#   $program->start($server);
#   is $program->ask(POST => '/notify', body => 'hello')->status, 200;
#   my $subscriber = $server->subscribe('/events?channel=news');
#
# The options are those of SSE::Program; the default for the command is the program with the file.

use v5.36;
use parent 'SSE::Program';
use SSE::Client::Socket;
use SSE::Document qw(slurp);
use SSE::Nginx;

sub text ($name) { return slurp("docker/examples/$name") }

sub nginx () {
    my $server = SSE::Nginx->new(listen => [], http => '', server => '');
    $server->{ports}{h1} = SSE::Nginx::free_port();
    return $server;
}

sub new ($class, %option) {
    my ($file) = $option{name} =~ m{([^/]+)\z};
    return $class->SUPER::new(
        stands  => 9000,
        files   => { $file => text($option{name}) },
        command => sub ($self) { return ($option{program}, $file) },
        %option,
    );
}

# Starts the program, and nginx; or has that pass requests to this one from now on.
sub start ($self, $server) {
    $self->{nginx} = 'http://127.0.0.1:' . $server->port;
    $self->SUPER::start(8080 => $server->port);
    my $configuration = text('sse.conf') =~ s/\b8080\b/$server->port/egr =~ s/\b9000\b/$self->port/egr;
    if (!$server->alive) {
        $server->{servers} = $configuration;
        $server->write_configuration;
        $server->launch or die $server->log;
    }
    elsif ($server->{servers} ne $configuration) {
        $server->wait_gone($server->reload(servers => $configuration));
    }
    return $self;
}

# Sends it a request, past nginx. Options: headers, body.
sub ask ($self, $method, $path, %option) {
    return SSE::Client::Socket->new(port => $self->port)->send(method => $method, path => $path, %option);
}

1;
