package SSE::Scenario;

# One of the things that can happen to a third-party client (SSE::Drivers), with its own nginx and a network that can break.
# The outcome is described in a few words, those of the table in docs/clients.md.
#
#   my $outcome = SSE::Scenario::run($client, 'cut');
#
# Every wait is for a condition. Where the condition is that nothing happens, it is $Quiet seconds of nothing.

use v5.36;
use Cwd        ();
use Encode     qw(decode_utf8 encode_utf8);
use IO::Select;
use JSON::PP   ();
use POSIX      ();
use SSE::HttpProxy;
use SSE::Nginx;
use Time::HiRes qw(time);

# In seconds: how long a client may take to start (a browser needs long on a busy machine); how long to wait for a client that
# comes back by itself; how long to watch one that does not; and how long a silent stream lasts.
our ($Start, $Return, $Quiet, $Silence) = (60, 20, 6, 12);

my %scenarios = (
    events  => \&events,
    cut     => \&cut,
    reload  => sub ($self) { return reload($self, 'abort') },
    ended   => sub ($self) { return reload($self, 'end') },
    gap     => \&gap,
    hard    => sub ($self) { return refused_while_away($self, '/hard') },
    soft    => sub ($self) { return refused_while_away($self, '/soft') },
    401     => \&unauthorized,
    end     => sub ($self) { return channel_ends($self, '/named', '&end') },
    delete  => sub ($self) { return channel_ends($self, '/stream', undef) },
    silence => sub ($self) { return silence($self, '/silent') },
    beats   => sub ($self) { return silence($self, '/beats') },
);

sub names { return sort keys %scenarios }

sub run ($client, $name) {
    my $self = bless { client => $client, heard => [], in => '', published => [] }, __PACKAGE__;
    $self->{server} = SSE::Nginx->start(
        workers => 1,
        http    => 'sse_zone events 4m; sse_retry 250ms 0%;',
        drain   => $name eq 'ended' ? '100ms end' : '100ms',
        server  => locations() . ($client->{set} ? "$client->{set};" : ''),
    );
    $self->{proxy} = SSE::HttpProxy->start(to => '127.0.0.1:' . $self->{server}->port);
    my $outcome = eval { $scenarios{$name}->($self) } // 'failed: ' . $@ =~ s/\n.*//sr;
    $self->leave;
    $self->{proxy}->stop;
    my @trouble = $self->{server}->stop;
    return @trouble ? "trouble: @trouble" : $outcome;
}

sub locations {
    my $page = Cwd::abs_path('t/clients/drivers/javascript');
    return <<"END";
location = /pub    { sse_publish \$arg_channel; }
        location = /stream { sse_channel \$arg_channel; }
        location = /busy   { sse_channel \$arg_channel; sse_heartbeat 50ms; }
        location = /recent { sse_channel \$arg_channel; sse_history 2; }
        location = /named  { sse_channel \$arg_channel; sse_end_event end retry=250ms; }
        location = /silent { sse_channel \$arg_channel; sse_heartbeat off; }
        location = /beats  { sse_channel \$arg_channel; sse_heartbeat 4s; }
        location = /private { return 401; }
        location = /hard   { root .; if (-f \$document_root/away) { return 503; } sse_channel \$arg_channel; }
        location = /soft   {
            root .;
            error_page 503 = \@later;
            if (-f \$document_root/away) { return 503; }
            sse_channel \$arg_channel;
        }
        location \@later   { sse_later 250ms; }
        location /page/ {
            types { text/html html; text/javascript js mjs; }
            alias $page/;
        }
END
}

# The client ---------------------------------------------------------------------------------------------------------

# Starts it, from the event after that id if one is given.
sub follow ($self, $path, $id = '') {
    $self->leave;
    $self->{path} = $path;
    my $url = 'http://127.0.0.1:' . $self->{proxy}->port . "$path?channel=c" . ($id eq '' ? '' : "&last_event_id=$id");
    pipe $self->{output}, my $writer or die "pipe: $!";
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        %ENV = (%ENV, $self->{client}->environment);
        POSIX::dup2(fileno $writer, 1);
        open STDERR, '>>', $self->{server}->prefix . '/client.log';
        exec $self->{client}->command($url) or POSIX::_exit(127);
    }
    $self->{over} = 0;
    return $self;
}

# Starts it, and waits until nginx has it.
sub attach ($self, $path) {
    $self->follow($path);
    $self->until(sub { $self->subscribers }, $Start) or die "it does not connect\n";
    return $self;
}

sub subscribers ($self) { return $self->{server}->get('/pub?channel=c')->json->{subscribers} }

# Ends it.
sub leave ($self) {
    my $pid = delete $self->{pid} or return;
    local $?;
    kill TERM => $pid;
    close $self->{output};
    eval { wait_until(sub { waitpid($pid, POSIX::WNOHANG()) != 0 }, 'the client to end', 10) } and return;
    kill KILL => $pid;
    waitpid $pid, 0;
}

# Reads what the client reports until the condition is true. Returns false if that takes too long, or if the client ends first.
sub until ($self, $condition, $seconds = $Return) {
    my $deadline = time + $seconds;
    while (1) {
        $self->listen(0.02);
        my $result = $condition->();
        return $result if $result || $self->{over} || time > $deadline;
    }
}

sub listen ($self, $seconds) {
    return if $self->{over};
    return unless IO::Select->new($self->{output})->can_read($seconds);
    sysread $self->{output}, $self->{in}, 262_144, length $self->{in} or return $self->{over} = 1;
    while ($self->{in} =~ s/\A([^\n]*)\n//) {
        my $line = eval { JSON::PP->new->utf8->decode($1) } // next;
        $line->{what} eq 'over' ? ($self->{over} = 1) : push @{ $self->{heard} }, $line;
    }
}

# The events that the client has reported: those of this type, or all but those of nginx itself.
sub told ($self, $type = undef) {
    my @events = grep { $_->{what} eq 'event' } @{ $self->{heard} };
    return grep { ($_->{type} // '') eq $type } @events if defined $type;
    return grep { ($_->{type} // '') !~ /\A(?:ready|gap|end)\z/ } @events;
}

sub texts ($self) { return map { $_->{data} // '' } $self->told }

sub last_id ($self) {
    my @ids = grep { length } map { $_->{id} // '' } grep { $_->{what} eq 'event' } @{ $self->{heard} };
    return $ids[-1] // '';
}

sub publish ($self, @texts) {
    for my $text (@texts) {
        $self->{server}->publish('/pub?channel=c', $text)->status == 201 or die "not published\n";
        push @{ $self->{published} }, $text;
    }
}

# Publishes, and waits until the client has all of it.
sub deliver ($self, @texts) {
    $self->publish(@texts);
    my $last = $texts[-1];
    return $self->until(sub { grep { $_ eq $last } $self->texts });
}

sub requests ($self) { return grep { $_->{path} =~ /\A\Q$self->{path}\E\?/ } @{ $self->{proxy}->requests } }

# What is wrong with the events that it has, in a few words; or an empty string.
sub wrong ($self) {
    my (%count, %published);
    $published{$_} = 1 for @{ $self->{published} };
    $count{$_}++ for $self->texts;
    my @wrong;
    push @wrong, 'loses some' if grep { !$count{$_} } keys %published;
    push @wrong, 'has some twice' if grep { $count{$_} > 1 && $published{$_} } keys %count;
    push @wrong, 'phantoms' if grep { !$published{$_} } keys %count;
    return join ', ', @wrong;
}

# What happens to it -------------------------------------------------------------------------------------------------

# 100 events of all kinds, 100 heartbeats, and one more event.
sub events ($self) {
    my @kinds = (
        ['text'           => sub ($n) { "text $n" }],
        ['lines'          => sub ($n) { "line $n\n\nlast" }],
        ['UTF-8'          => sub ($n) { "Gr\x{fc}\x{df}e $n \x{1f30d}" }],
        ['types'          => sub ($n) { "note $n" }, 'note'],
        ['leading spaces' => sub ($n) { "  $n" }],
        ['fields'         => sub ($n) { "data: $n\nid: $n" }],
        ['line separators' => sub ($n) { "a\x{2028}b\x{85}$n" }],
        ['control characters' => sub ($n) { "a\x{b}b\x{c}$n" }],
        ['no text'        => sub ($n) { '' }],
        ['200 KB'         => sub ($n) { $n == 9 ? 'x' x 200_000 . $n : "short $n" }],
    );
    $self->attach('/busy');
    my @sent;
    for my $number (0 .. 99) {
        my ($kind, $text, $type) = @{ $kinds[$number % @kinds] };
        my $body = encode_utf8($text->($number));
        my $answer = $self->{server}->publish('/pub?channel=c' . ($type ? "&event=$type" : ''), $body)->json;
        push @sent, { kind => $kind, id => $answer->{id}, type => $type // 'message', data => decode_utf8($body) };
    }
    my $before = $self->{proxy}->beats;
    $self->until(sub { $self->{proxy}->beats >= $before + 100 });
    return 'ends' if $self->{over};
    $self->{proxy}->beats >= $before + 100 or die "no heartbeats\n";
    my $last = $self->{server}->publish('/pub?channel=c', 'the last')->json->{id};
    $self->until(sub { grep { $_->{data} eq 'the last' } $self->told }) or return 'does not survive heartbeats';
    return differences(\@sent, [$self->told]);
}

# The kinds of events that did not arrive as they were sent.
sub differences ($sent, $told) {
    my %sent = map { $_->{id} => $_ } @$sent;
    my @told = grep { $_->{data} ne 'the last' } @$told;
    return 'no ids' if !grep { length($_->{id} // '') } @told;
    my (%wrong, %seen);
    for my $event (@told) {
        my $original = $sent{ $event->{id} // '' };
        if (!$original) {
            $wrong{phantoms} = 1;
            next;
        }
        my $type = length($event->{type} // '') ? $event->{type} : 'message';
        $wrong{twice} = 1 if $seen{ $event->{id} }++;
        $wrong{ $original->{kind} } = 1 if $event->{data} ne $original->{data} || $type ne $original->{type};
    }
    $wrong{ $_->{kind} } = 1 for grep { !$seen{ $_->{id} } } @$sent;
    $wrong{order} = 1 if !%wrong && "@{[map { $_->{id} } @told]}" ne "@{[map { $_->{id} } @$sent]}";
    return %wrong ? 'not ' . join(', ', sort keys %wrong) : 'exact';
}

# The network breaks, and events are published before it is back.
sub cut ($self) {
    $self->attach('/stream');
    $self->deliver(1 .. 5) or return 'deaf';
    $self->{proxy}->cut;
    $self->publish(6 .. 8);
    $self->{proxy}->unhold;
    return $self->returned(8);
}

# nginx is reloaded, and the old worker ends its streams in that way.
sub reload ($self, $how) {
    $self->attach('/stream');
    $self->deliver(1 .. 5) or return 'deaf';
    $self->{proxy}->hold;
    my @old = $self->{server}->reload;
    $self->until(sub { !grep { !$_->{closed_by} } $self->requests });
    $self->{server}->wait_gone(@old);
    $self->publish(6 .. 8);
    $self->{proxy}->unhold;
    return $self->returned(8);
}

# How the client came back: by itself, or because its program asked again with the id of the last event.
sub returned ($self, $last) {
    my $there = sub { grep { $_ eq $last } $self->texts };
    my $how = $self->until($there) ? 'resumes' : $self->{over} ? 'program' : 'hangs';
    return $how if $how eq 'hangs';
    if ($how eq 'program') {
        $self->follow($self->{path}, $self->last_id);
        $self->until($there);
    }
    $self->deliver('more');
    return $self->wrong || $how;
}

# When it comes back, the events that it has missed are no longer there.
sub gap ($self) {
    $self->attach('/recent');
    $self->deliver(1 .. 3) or return 'deaf';
    $self->{proxy}->cut;
    $self->publish(4 .. 9);
    $self->{proxy}->unhold;
    my $there = sub { grep { $_ eq '9' } $self->texts };
    if (!$self->until($there) && $self->{over}) {
        $self->follow('/recent', $self->last_id);
        $self->until($there) or return 'nothing';
    }
    my ($gap) = $self->told('gap') or return 'not told';
    my $missed = JSON::PP::decode_json($gap->{data})->{missed};
    return $missed == 4 && "@{[$self->texts]}" eq '1 2 3 8 9' ? 'told' : "$missed missed, @{[$self->texts]}";
}

# The client loses its connection, and is refused when it comes back.
sub refused_while_away ($self, $path) {
    $self->attach($path);
    $self->deliver(1 .. 3) or return 'deaf';
    $self->{server}->write_file('away', '');
    $self->{proxy}->cut;
    $self->publish(4 .. 5);
    my $before = $self->requests; # before it can come back
    $self->{proxy}->unhold;
    $self->until(sub { $self->requests >= $before + 2 });
    unlink $self->{server}->prefix . '/away';
    return $self->requests == $before ? 'program' : 'stops' if $self->{over};
    $self->until(sub { grep { $_ eq '5' } $self->texts });
    return $self->{over} ? 'stops' : $self->wrong || 'resumes';
}

sub unauthorized ($self) {
    $self->follow('/private');
    $self->until(sub { $self->requests }, $Start);
    $self->until(sub { $self->requests >= 3 });
    return $self->{over} ? 'stops' : $self->requests >= 3 ? 'keeps asking' : 'hangs';
}

# The channel ends, with a last event or by DELETE.
sub channel_ends ($self, $path, $end) {
    $self->attach($path);
    $self->deliver(1 .. 3) or return 'deaf';
    my $before = $self->requests;
    if ($end) {
        $self->{server}->publish("/pub?channel=c$end", 'last')->status == 201 or die "not ended\n";
        push @{ $self->{published} }, 'last';
    }
    else {
        $self->{server}->publish('/pub?channel=c', undef, method => 'DELETE');
    }
    # Until it has come back three times, or no longer comes back.
    my ($asked, $since) = (0, time);
    $self->until(
        sub {
            my $now = $self->requests - $before;
            ($asked, $since) = ($now, time) if $now > $asked;
            return $asked >= 3 || time > $since + $Quiet;
        },
        60
    );
    $asked = $self->requests - $before;
    return $self->wrong
        || ($asked >= 3 && !$self->{over} ? 'keeps asking' : $asked ? '204 stops it' : $self->{over} ? 'stops' : 'waits');
}

# Nothing is published.
sub silence ($self, $path) {
    $self->attach($path);
    my $start = time;
    my $ended = sub { grep { ($_->{closed_by} // '') eq 'client' } $self->requests };
    $self->until(sub { $ended->() || time > $start + $Silence }, $Silence + 5);
    return 'stays' unless $ended->() || $self->{over};
    my ($request) = grep { $_->{closed_at} } $self->requests;
    return sprintf '%.0f s', $request->{closed_at} - $request->{at};
}

1;
