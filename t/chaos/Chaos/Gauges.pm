package Chaos::Gauges;

# Compares the counters of nginx with the truth: the number of subscribers all the time, and everything else in a calm.

use v5.36;
use List::Util qw(sum0);
use Time::HiRes qw(time);
use SSE::Metrics;

# Options: server, load, kills (returns how many workers have been killed), zone (whether to check
# `published`, too, and that counters never go back).
sub new ($class, %option) {
    return bless { %option, worst => 0, calms => 0, off => [], next => 0, picture => '' }, $class;
}

# Called in every turn: measures how long the number of subscribers is wrong while nothing changes for the clients.
sub look ($self) {
    my $now = time;
    return if $now < $self->{next};
    $self->{next} = $now + 0.1;
    my @subscribers = $self->{load}->subscribers;
    my $truth   = grep { $_->connected } @subscribers;
    my $picture = join ' ', $truth, map { $_->{connects} } @subscribers;
    my $still   = $picture eq $self->{picture} && !grep { $_->{asleep_until} } @subscribers;
    $self->{picture} = $picture;
    my $told = $self->status->{subscribers};
    if ($told == $truth || !$still) {
        delete $self->{wrong_since};
        return;
    }
    my $wrong = $now - ($self->{wrong_since} //= $now);
    $self->{worst} = $wrong if $wrong > $self->{worst};
}

sub status ($self) {
    return eval { $self->{server}->get('/status')->json } // { subscribers => -1, delivered => -1, workers => [], zones => {} };
}

sub compare ($self, $name, $told, $truth) {
    push @{ $self->{off} }, "$name is $told and should be $truth" if $told != $truth;
}

# Waits until the load is at rest, all subscribers are connected, and all old workers are gone; then compares.
sub calm ($self) {
    my ($server, $load) = @$self{qw(server load)};
    my $right = sub {
        my $status = $self->status;
        return $load->all_connected && !$server->leaving_workers
            && $status->{subscribers} == $load->subscribers && @{ $status->{workers} } == $server->{workers};
    };
    $load->settle;
    $load->go_on_until($right, "calm with true counts of $server->{workers} workers and " . $load->subscribers . ' subscribers');
    $self->{calms}++;
    $self->await_stragglers if $self->{zone};
    $self->compare_metrics;
    my $before = $self->status;
    $self->compare('the sum of subscribers', sum0(map { $_->{subscribers} } @{ $before->{workers} }), scalar $load->subscribers);
    $self->compare_channels;
    $self->compare_traffic($before);
}

# If a worker is killed before it has woken the others, its event arrives a second later. If its publisher had no answer, nothing else
# shows that the event is still to come.
sub await_stragglers ($self) {
    my ($load, $verdict) = ($self->{load}, $self->{load}->verdict);
    my $all_there = sub {
        $verdict->adopt($load->subscribers);
        return $verdict->distinct >= ($self->status->{zones}{events}{published} // 0);
    };
    eval { $load->go_on_until($all_there, 'all that was published', 10) };
}

# The batch that a killed worker was handing out may be missing.
sub compare_metrics ($self) {
    my $metrics = SSE::Metrics->of($self->{server});
    push @{ $self->{off} }, $metrics->does_not_add_up('events', 64 * $self->{kills}->());
    push @{ $self->{off} }, map {"went back: $_"} $metrics->gone_back($self->{metrics}) if $self->{zone} && $self->{metrics};
    $self->{metrics} = $metrics;
}

# Compares the subscribers of each channel. After the death of a worker a census corrects them.
sub compare_channels ($self) {
    my ($server, $load) = @$self{qw(server load)};
    my %listening;
    $listening{ $_->{channel} }++ for $load->subscribers;
    my $ask = sub ($channel) { return $server->get("/pub?channel=$channel")->json->{subscribers} };
    my $true = sub { return !grep { $ask->($_) != $listening{$_} } keys %listening };
    my $time = eval { $load->go_on_until($true, 'true counts of channels', 10) };
    $self->{worst} = $time if defined $time && $time > $self->{worst};
    return if defined $time;
    $self->compare("subscribers of $_", $ask->($_), $listening{$_}) for sort keys %listening;
}

# Some load without any fault: nginx must count exactly what has arrived.
sub compare_traffic ($self, $before) {
    my ($server, $load, $verdict) = (@$self{qw(server load)}, $self->{load}->verdict);
    $verdict->adopt($load->subscribers);
    my ($received, $distinct) = ($load->received, $verdict->distinct);
    $self->compare('published', $before->{zones}{events}{published}, $distinct) if $self->{zone};
    $load->order('go');
    $load->go_on_for(0.3);
    $load->settle;
    my $after = $self->status;
    my ($old, $new) = map { $_->balances('events') } $self->{metrics}, SSE::Metrics->of($server);
    $self->compare("what does not add up ($_)", $new->{$_}, $old->{$_}) for sort keys %$old;
    $verdict->adopt($load->subscribers);
    my %gain = map { $_ => $after->{zones}{events}{$_} - $before->{zones}{events}{$_} } qw(published);
    $self->compare('what was published in the calm', $gain{published}, $verdict->distinct - $distinct);
    $self->compare('what was delivered in the calm', $after->{delivered} - $before->{delivered}, $load->received - $received);
}

1;
