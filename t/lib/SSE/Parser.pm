package SSE::Parser;

# What a browser makes of an event stream: WHATWG HTML, 9.2.5 and 9.2.6, read while it comes in.
#
#   my $parser = SSE::Parser->new;
#   for ($parser->feed($bytes)) { ... $_->{id}, $_->{type}, $_->{data} ... }
#
# Values are bytes, as they came. An event that no blank line has ended when the stream ends is discarded, simply by
# not feeding anything more.

use v5.36;

sub new ($class) {
    return bless {
        buffer        => '',       # an unfinished line
        at_start      => 1,        # no line has been processed: a BOM may come
        after_cr      => 0,        # an LF that comes now belongs to the line before
        data          => '',
        type          => '',
        id            => '',       # lasts until an `id` field changes it
        retry         => undef,    # of the block
        last_event_id => '',       # what a reconnect would send
        reconnect     => undef,    # the reconnection time, in milliseconds
        comments      => 0,
    }, $class;
}

# Takes what has come and returns the events that are complete with it: {id, type, data}, and {retry} if the block
# of the event has set one. The id is the last one that the stream has named, with this event or before it.
sub feed ($self, $bytes) {
    return if $bytes eq '';
    if ($self->{after_cr}) {
        $bytes =~ s/\A\n//;
        $self->{after_cr} = 0;
        return if $bytes eq '';
    }
    my @events;
    while ($bytes =~ /\G([^\r\n]*)(\r\n?|\n)/gc) {
        my $line = $self->{buffer} . $1;
        $self->{buffer} = '';
        $self->{after_cr} = $2 eq "\r" && pos $bytes == length $bytes;
        push @events, $self->process_line($line);
    }
    $self->{buffer} .= substr $bytes, pos($bytes) // 0;
    return @events;
}

# What a reconnect would send as Last-Event-ID; empty: nothing. An id counts once a blank line has come.
sub last_event_id ($self) { return $self->{last_event_id} }

# The time before a reconnect, in milliseconds; undef if the stream has not set it.
sub retry ($self) { return $self->{reconnect} }

# How many lines were comments.
sub comments ($self) { return $self->{comments} }

# Whether something would be lost if the stream ended here: part of a line, or of an event.
sub pending ($self) {
    my $id_changed = $self->{id} ne $self->{last_event_id};
    return $self->{buffer} ne '' || $self->{data} ne '' || $self->{type} ne '' || $id_changed;
}

# One line without its end; returns the event that it completes.
sub process_line ($self, $line) {
    if ($self->{at_start}) {
        $line =~ s/\A\xef\xbb\xbf//;
        $self->{at_start} = 0;
    }
    return $self->dispatch if $line eq '';
    if ($line =~ /\A:/) {
        $self->{comments}++;
        return;
    }
    my ($name, $value) = split /: ?/, $line, 2;
    $self->process_field($name, $value // '');
    return;
}

sub process_field ($self, $name, $value) {
    if    ($name eq 'data')  { $self->{data} .= "$value\n" }
    elsif ($name eq 'event') { $self->{type} = $value }
    elsif ($name eq 'id')    { $self->{id}   = $value unless $value =~ /\0/ }
    elsif ($name eq 'retry' && $value =~ /\A[0-9]+\z/) {
        $self->{retry} = $self->{reconnect} = 0 + $value;
    }
}

sub dispatch ($self) {
    my ($data, $type, $retry) = @$self{qw(data type retry)};
    $self->{last_event_id} = $self->{id};
    @$self{qw(data type retry)} = ('', '', undef);
    return if $data eq '';
    chop $data;
    return {
        id   => $self->{id},
        type => $type eq '' ? 'message' : $type,
        data => $data,
        defined $retry ? (retry => $retry) : (),
    };
}

1;
