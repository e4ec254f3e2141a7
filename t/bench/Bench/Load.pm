package Bench::Load;

# A process of the load generator: takes orders, gives back figures.
#
#   my $load = Bench::Load->start($server);
#   $load->order('subscribe', count => 1000);
#   say $load->order('publish', count => 100, wait => 1)->{p99};

use v5.36;
use IO::Handle;
use IO::Select;

# With a prefix, its channels are not those of another process.
sub start ($class, $server, $prefix = '') {
    pipe my $order_reader, my $orders or die "pipe: $!";
    pipe my $answers, my $answer_writer or die "pipe: $!";
    my @target = map {s/%c/$prefix%c/r} @$server{qw(subscribe publish headers)};
    my @pinned = defined $server->{load_processor} ? ('taskset', '--cpu-list', $server->{load_processor}) : ();
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<&', $order_reader;
        open STDOUT, '>&', $answer_writer;
        exec @pinned, 'build/bench/load', $server->{port}, @target
            or die "build/bench/load: $!";
    }
    $orders->autoflush(1);
    return bless { pid => $pid, orders => $orders, answers => $answers }, $class;
}

# Gives an order, and does not wait for the answer.
sub give ($self, $order, %option) {
    $self->{order} = join ' ', $order, map {"$_=$option{$_}"} sort keys %option;
    local $SIG{PIPE} = 'IGNORE'; # the answer tells why it has ended
    print { $self->{orders} } "$self->{order}\n";
}

# The answer to the oldest order: a hash of figures.
sub answer ($self) {
    my $line = readline($self->{answers}) // 'error it has died';
    chomp $line;
    die "$self->{order}: $line\n" unless $line =~ s/\Aok\b//;
    return { $line =~ /(\w+)=(\S+)/g };
}

# Whether the answer is there, after so many seconds at most.
sub has_answered ($self, $timeout) { return scalar IO::Select->new($self->{answers})->can_read($timeout) }

sub order ($self, $order, %option) {
    $self->give($order, %option);
    return $self->answer;
}

sub DESTROY ($self) {
    local $?;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
