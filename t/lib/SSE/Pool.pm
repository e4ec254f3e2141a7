package SSE::Pool;

# Runs a number of jobs at a time, each in a process of its own.
#
#   SSE::Pool->new(jobs => 4, work => sub ($job) { return 'text' }, done => sub ($job, $text) { ... })->run(@jobs);
#
# `work` runs in the child, `done` here; the text is undef if the child has died.

use v5.36;
use IO::Select;
use POSIX ();

sub new ($class, %option) { return bless {%option}, $class }

sub run ($self, @jobs) {
    my %running;
    my $select = IO::Select->new;
    while (@jobs || %running) {
        while (@jobs && keys %running < $self->{jobs}) {
            my $job = shift @jobs;
            my ($pid, $reader) = $self->start($job);
            $running{$reader} = { pid => $pid, job => $job, text => '' };
            $select->add($reader);
        }
        for my $reader ($select->can_read) {
            my $child = $running{$reader};
            next if sysread $reader, $child->{text}, 65536, length $child->{text};
            $select->remove($reader);
            delete $running{$reader};
            waitpid $child->{pid}, 0;
            $self->{done}->($child->{job}, $? ? undef : $child->{text});
        }
    }
}

# The child ends as a process does, so that what it has started ends, too.
sub start ($self, $job) {
    pipe my $reader, my $writer or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    return ($pid, $reader) if $pid;
    close $reader;
    my $text = eval { $self->{work}->($job) };
    print STDERR "# $@" unless defined $text;
    syswrite $writer, $text if defined $text;
    POSIX::_exit(defined $text ? 0 : 1);
}

1;
