package Chaos::Publisher;

# A process that publishes to random channels, one event after the other, and reports the outcome of each attempt. An attempt without an
# answer may or may not have been accepted; it is repeated with another number. The process waits for the order to go, because events
# that are published before the subscribers are there cannot be checked.
#
# The data of an event is NAME/LENGTH/xxx, with so many x; in the reports, and wherever events are compared, the x are left out.
#
# Reports, one a line:  ok CHANNEL DATA ID SECONDS | cut CHANNEL DATA | refused CHANNEL DATA STATUS | paused
# Orders, one a line:   pause | go | stop | reconnect | crash (kill the worker within the next event)

use v5.36;
use IO::Handle;
use IO::Select;
use POSIX ();
use Time::HiRes qw(sleep time);

# Options: server, name, channels, pause (seconds between two events), seed.
sub start ($class, %option) {
    pipe my $order_reader,  my $order_writer  or die "pipe: $!";
    pipe my $report_reader, my $report_writer or die "pipe: $!";
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        srand $option{seed};
        close $_ for $order_writer, $report_reader;
        $report_writer->autoflush(1);
        my $self = bless { %option, orders => $order_reader, reports => $report_writer, number => 0, waiting => 1 }, $class;
        eval { $self->publish_next while $self->follow_orders && getppid == $parent; 1 }
            or print STDERR "publisher $option{name}: $@";
        POSIX::_exit(0);
    }
    close $_ for $order_reader, $report_writer;
    $order_writer->autoflush(1);
    $report_reader->blocking(0);
    return bless { pid => $pid, orders => $order_writer, reports => $report_reader, rest => '' }, $class;
}

# In the parent ------------------------------------------------------------------------------------------------

sub handle ($self) { return $self->{reports} }

sub order ($self, $what) {
    print { $self->{orders} } "$what\n";
}

# The reports that have arrived, as lists of words.
sub reports ($self) {
    1 while sysread $self->{reports}, $self->{rest}, 65536, length $self->{rest};
    my @lines;
    push @lines, [split / /, $1] while $self->{rest} =~ s/\A([^\n]*)\n//;
    return @lines;
}

sub stop ($self) {
    $self->order('stop');
    $self->{reports}->blocking(1);
    my @last = $self->reports;
    local $?;
    waitpid $self->{pid}, 0;
    return @last;
}

# In the process of its own ------------------------------------------------------------------------------------

sub report ($self, @words) { print { $self->{reports} } "@words\n" }

# Waits for the time between two events, or longer while it is paused; false if it has to stop.
sub follow_orders ($self) {
    my $orders = IO::Select->new($self->{orders});
    my $time   = $self->{pause} * rand 2;
    while ($orders->can_read($self->{waiting} ? undef : $time)) {
        sysread $self->{orders}, my $text, 4096 or return 0;
        for my $order (split /\n/, $text) {
            return 0 if $order eq 'stop';
            $self->{crash}   = 1 if $order eq 'crash';
            delete $self->{connection} if $order eq 'reconnect';
            $self->{waiting} = 0 if $order eq 'go';
            next unless $order eq 'pause';
            $self->{waiting} = 1;
            delete $self->{crash};
            $self->before_pause;
            $self->report('paused');
        }
        $time = 0;
    }
    return 1;
}

sub before_pause ($self) { }

sub publish_next ($self) {
    my $channel = 'c' . int rand $self->{channels};
    my $number  = ++$self->{number};
    my $length  = int rand(rand() < 0.05 ? 40_000 : 300); # now and then more than the kernel keeps for a stalled client
    my $start   = time;
    for (my $attempt = 1; ; $attempt++) {
        my $data   = "$channel/$self->{name}/$number/$attempt";
        my $answer = $self->attempt($channel, "$data/$length/" . 'x' x $length);
        my $status = $answer ? $answer->{status} // 0 : 0;
        if ($status == 201 && $answer->{ended} eq 'clean') {
            return $self->report('ok', $channel, $data, $answer->json->{id}, sprintf '%.4f', time - $start);
        }
        $self->report($status && $status != 201 ? ('refused', $channel, $data, $status) : ('cut', $channel, $data));
        return if time - $start > 60;
        sleep 0.005;
    }
}

# One attempt, on the connection of the last one if that can still be used.
sub attempt ($self, $channel, $data) {
    my $crash = delete $self->{crash} ? '&crash=' . (1 + int rand 40) : '';
    my $answer;
    my $done = eval {
        local $SIG{ALRM} = sub { die "no answer\n" };
        Time::HiRes::alarm(20);
        $self->{connection} //= $self->{server}->connect;
        $answer = $self->{server}->publish("/pub?channel=$channel$crash", $data, on => $self->{connection});
        1;
    };
    Time::HiRes::alarm(0);
    my $last = !$done || !$answer || $answer->{ended} ne 'clean' || ($answer->{headers}{connection} // '') eq 'close';
    delete $self->{connection} if $last;
    return $done ? $answer : undef;
}

1;
