package SSE::Dns;

# A name server that answers every question with the same address, after a given delay.
#
#   my $dns = SSE::Dns->start(address => '127.0.0.1');
#   # resolver @{[$dns->address]};
#   $dns->answer(delay => 3);          # seconds from here on; undef: never
#   $dns->answer(address => '127.0.0.2');
#   $dns->questions;                   # how many there have been

use v5.36;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Storable qw(lock_retrieve lock_store);
use Time::HiRes qw(time);

# Options: address, delay.
sub start ($class, %option) {
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die "socket: $!";
    my $self   = bless { file => File::Temp->new, owner => $$, port => $socket->sockport, delay => 0, questions => 0 }, $class;
    $self->answer(%option);
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{TERM} = 'DEFAULT';
        $self->serve($socket);
        POSIX::_exit(0);
    }
    return $self;
}

sub address ($self) { return "127.0.0.1:$self->{port}" }

sub answer ($self, %how) {
    @$self{ keys %how } = values %how;
    lock_store({ map { $_ => $self->{$_} } qw(address delay) }, "$self->{file}");
}

sub questions ($self) {
    open my $file, '<', "$self->{file}.questions" or return 0;
    return -s $file;
}

sub serve ($self, $socket) {
    my @later;
    my $select = IO::Select->new($socket);
    while (1) {
        my ($due) = sort { $a <=> $b } map { $_->[0] } @later;
        if ($select->can_read(defined $due ? ($due > time ? $due - time : 0) : undef)) {
            my $peer = recv $socket, my $question, 4096, 0;
            open my $file, '>>', "$self->{file}.questions" or die "$!";
            print $file '.';
            close $file;
            my $how = lock_retrieve("$self->{file}");
            push @later, [time + $how->{delay}, $peer, reply($question, $how->{address})] if defined $how->{delay};
        }
        send $socket, $_->[2], 0, $_->[1] for grep { $_->[0] <= time } @later;
        @later = grep { $_->[0] > time } @later;
    }
}

# The question comes back with one record of the type A, or with none for other types.
sub reply ($question, $address) {
    my ($id, $flags) = unpack 'nn', $question;
    my $end  = index($question, "\0", 12) + 5;
    my $asks = substr $question, 12, $end - 12;
    my $is_a = unpack('n', substr $asks, -4, 2) == 1;
    my $head = pack 'n6', $id, 0x8180, 1, $is_a, 0, 0;
    return $head . $asks . ($is_a ? pack('n n n N n', 0xc00c, 1, 1, 1, 4) . Socket::inet_aton($address) : '');
}

sub stop ($self) {
    my $pid = delete $self->{pid} or return;
    local $?;
    kill TERM => $pid;
    waitpid $pid, 0;
    unlink "$self->{file}.questions";
}

sub DESTROY ($self) { $self->stop if $$ == $self->{owner} }

1;
