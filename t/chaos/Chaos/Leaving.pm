package Chaos::Leaving;

# Watches old workers leave, and measures how long each takes after it has been told to.

use v5.36;
use SSE::Nginx;
use Time::HiRes qw(time);

# Options: server, limit (a worker that takes more seconds is late).
sub new ($class, %option) {
    return bless { %option, since => {}, gone => 0, late => 0, slowest => 0, next => 0 }, $class;
}

sub look ($self) {
    my $now = time;
    return if $now < $self->{next};
    $self->{next} = $now + 0.05;
    $self->{since}{$_} //= $now for $self->{server}->leaving_workers;
    for my $pid (keys %{ $self->{since} }) {
        my $time = $now - $self->{since}{$pid};
        $self->{slowest} = $time if $time > $self->{slowest};
        next if SSE::Nginx::is_running($pid);
        delete $self->{since}{$pid};
        $self->{gone}++;
        $self->{late}++ if $time > $self->{limit};
    }
}

1;
