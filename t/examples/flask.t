# docker/examples/flask: notifications with a queue and a thread for each page, which are lost and left behind; and without.
# needs: module flask
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Example;
use SSE::Nginx;

my ($python) = grep { system("$_ -c 'import flask' 2>/dev/null") == 0 } qw(python3 /usr/bin/python3);
plan skip_all => 'there is no Flask; `./build.sh test` installs it' if !$python && !$ENV{CI};

my $server = SSE::Example::nginx();

sub example ($name) { return SSE::Example->new(name => $name, program => $python)->start($server) }

sub cookie ($program, $user) {
    my ($cookie) = $program->ask(POST => "/login/$user", body => '')->header('set-cookie') =~ /\A([^;]+)/;
    return [Cookie => $cookie];
}

sub threads ($program) { return scalar map { glob "/proc/$program->{pid}/task/*" } 1 }

subtest 'before' => sub {
    my $program = example('flask/before.py');
    my $headers = cookie($program, 'ann');
    my $notify  = sub ($message) { return $program->ask(POST => '/notify/ann', body => $message)->json->{pages} };

    my @pages = map { $program->ask(GET => '/events', headers => $headers) } 1 .. 5;
    is $_->next_event->{data}, '{"type":"connected"}', 'a page is connected' for @pages;
    is $notify->('one'), 5, 'a notification';
    is_deeply [map { $_->next_event->{data} } @pages], [('one') x 5], 'arrives';
    my $threads = threads($program);
    cmp_ok $threads, '>', 5, 'there is a thread for each';

    $_->close for @pages;
    is $notify->('missed'), 5, 'pages that have left are still there';
    my $page = $program->ask(GET => '/events', headers => $headers);
    $page->next_event; # connected
    is $notify->('later'), 6, 'with their queues';
    is $page->next_event->{data}, 'later', 'and have missed a notification when they are back';
    $program->stop;
};

subtest 'after' => sub {
    my $program = example('flask/after.py');
    my $headers = cookie($program, 'ann');
    my $notify  = sub ($message) { return $program->ask(POST => '/notify/ann', body => $message)->json->{pages} };

    is $server->get('/me')->status, 401, 'nobody who has not logged in';
    my $other = $server->subscribe('/me', headers => cookie($program, 'bob'))->ready;
    my @pages = map { $server->subscribe('/me', headers => $headers)->ready } 1 .. 5;
    is $notify->('one'), 5, 'a notification';
    is_deeply [map { $_->next_event->{data} } @pages], [('one') x 5], 'arrives';
    # A thread that has answered a request ends a moment later.
    ok eval { wait_until(sub { threads($program) < 5 }, 'threads to end') }, 'there is no thread for each' or diag threads($program);

    my $cursor = $pages[0]->last_event_id;
    $_->close for @pages;
    wait_until(sub { $notify->('missed') == 0 }, 'the pages to have left');
    my $page = $server->subscribe('/me', headers => $headers, cursor => $cursor);
    is $page->next_event->{data}, 'missed', 'a page that comes back has missed nothing';

    $program->stop;
    $program->start($server);
    $program->ask(POST => '/notify/bob', body => 'for bob')->status;
    is $other->next_event->{data}, 'for bob', 'another user gets what is his, alone, also when the program has been restarted';
    $program->stop;
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
