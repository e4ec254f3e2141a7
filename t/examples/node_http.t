# docker/examples/node-http: what the program that keeps its clients loses and leaks, and how the one that publishes does not.
# needs: module node
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Example;
use SSE::Nginx;
use SSE::Process qw(descriptors);

my $server = SSE::Example::nginx();

# The next notices, in their order.
sub notices ($subscriber, $count) {
    my @data;
    while (@data < $count && (my $event = $subscriber->next_event)) {
        push @data, $event->{data} if $event->{type} eq 'message' && $event->{data} !~ /connected/;
    }
    return @data;
}

# On SIGUSR2, node prints how many timers are running.
my $timers = <<'END';
process.on('SIGUSR2', () => console.log('timers:', process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length));
END

subtest 'before' => sub {
    my $program = SSE::Example->new(
        name    => 'node-http/before.mjs',
        program => 'node',
        files   => { 'before.mjs' => SSE::Example::text('node-http/before.mjs'), 'timers.cjs' => $timers },
        command => sub ($self) { return qw(node --require ./timers.cjs before.mjs) },
    )->start($server);
    my $notify  = sub ($message) { return $program->ask(POST => '/notify', body => $message)->json };

    my $subscriber = $program->ask(GET => '/events');
    is $subscriber->next_event->{data}, '{"type":"connected"}', 'a client is told that it is connected';
    is_deeply $notify->('one'), { success => JSON::PP::true, clients => 1 }, 'a notice';
    is_deeply [notices($subscriber, 1)], ['one'], 'arrives';
    $notify->("two\nlines");
    is_deeply [notices($subscriber, 1)], ['two'], 'of one with two lines, the first';

    my $open = descriptors($program->{pid});
    $subscriber->close;
    wait_until(sub { descriptors($program->{pid}) < $open }, 'the connection to be closed');
    $notify->('missed');
    $subscriber = $program->ask(GET => '/events', headers => ['Last-Event-ID' => $subscriber->last_event_id]);
    $subscriber->next_event; # connected
    is $notify->('later')->{clients}, 2, 'the client that has left is still there';
    kill USR2 => $program->{pid};
    wait_until(sub { $program->log =~ /^timers: (\d+)/m }, 'node to count');
    like $program->log, qr/^timers: 2$/m, 'with its timer';
    is_deeply [notices($subscriber, 1)], ['later'], 'and has missed a notice when it is back';
    is +(grep { $_->{type} eq 'tick' } $subscriber->events(2))[0]{data}, 1, 'with a count that begins anew';
    $program->stop;
};

subtest 'after' => sub {
    my $program = SSE::Example->new(name => 'node-http/after.mjs', program => 'node')->start($server);
    my $notify  = sub ($message) { return $program->ask(POST => '/notify', body => $message)->json };

    my $subscriber = $server->subscribe('/events?channel=news')->ready;
    is_deeply $notify->('one'), { success => JSON::PP::true, clients => 1 }, 'a notice';
    is_deeply [notices($subscriber, 1)], ['one'], 'arrives';
    $notify->("two\nlines");
    is_deeply [notices($subscriber, 1)], ["two\nlines"], 'also one with two lines';
    my $tick;
    do { $tick = $subscriber->next_event } until $tick->{type} eq 'tick';

    my $cursor = $subscriber->last_event_id;
    $subscriber->close;
    wait_until(sub { $notify->('missed')->{clients} == 0 }, 'the client to have left');
    $subscriber = $server->subscribe('/events?channel=news', cursor => $cursor);
    is_deeply [notices($subscriber, 1)], ['missed'], 'a client that comes back has missed nothing';
    my $next;
    do { $next = $subscriber->next_event } until $next->{type} eq 'tick';
    is $next->{data}, $tick->{data} + 1, 'and the count goes on';

    $server->stop;
    is $program->ask(POST => '/notify', body => 'nobody')->status, 502, 'without nginx a notice is refused';
    $server->launch;
    is $notify->('again')->{success}, JSON::PP::true, 'and taken when nginx is back';
    $program->stop;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
