# Ten thousand random events: a subscriber parses what has been published, with line ends changed to LF as in the standard.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

my $server = SSE::Nginx->start(listen => [qw(h1 h2c)], zone => '64m', publish => 'sse_event_retry $arg_retry;');
seed();

my @piece = ("\r", "\n", "\r\n", "\n\n", "\r\r", ' ', '  ', "\t", ':', 'data: ', 'data:x', 'id: 1', 'event: e', 'retry: 9',
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xc2\x85", "\x0b", "\x0c", "\0", "\xf0\x9f\x8c\x8d", "\xe2\x82\xac", "\xc3\xa9",
    "\xef\xbb\xbf", '{"a":"b"}', 'a', 'word', '0', '');

sub random_body {
    return 'x' x (1000 + int rand 30_000) if rand() < 0.003;
    my $body = join '', map { $piece[rand @piece] } 1 .. (rand() < 0.9 ? rand 8 : rand 100);
    return $body =~ s/\A(?:\xef\xbb\xbf)+//r;    # one at the start is no part of the text
}

# Never a reserved type: otherwise one of ten thousand types would be "gap" in one of 65 runs.
sub random_type {
    return '' if rand() < 0.5;
    my $type = join '', map { ('a' .. 'z', '-', '.', "\xc3\xbc", ':', ' x')[rand 30] } 1 .. 1 + rand 12;
    return $type =~ /\A(?:gap|ready|error|open)\z/ ? "$type." : $type;
}

sub escaped ($text) { return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

my @subscriber = map { $server->subscribe('/sub?channel=c', via => $_)->ready } qw(h1 h2c);
my $publisher = $server->connect;
my (@published, $refused);
for my $number (1 .. 10_000) {
    my ($body, $type) = (random_body(), random_type() =~ s/\A +//r);
    my $answer = $server->publish('/pub?channel=c&event=' . escaped($type), $body, on => $publisher);
    if ($answer->status != 201) {
        $refused = sprintf 'number %d, type "%s": %s', $number, $type, $answer->body;
        last;
    }
    push @published, { id => $answer->json->{id}, type => $type eq '' ? 'message' : $type, data => $body =~ s/\r\n?/\n/gr };
    # The subscribers read now and then.
    $_->poll for $number % 100 ? () : @subscriber;
}
is $refused, undef, 'all were accepted';

for my $subscriber (@subscriber) {
    my @got = $subscriber->events(scalar @published);
    my $wrong = (grep { my $got = $got[$_]; my $want = $published[$_];
            !$got || grep { $got->{$_} ne $want->{$_} } qw(id type data) } 0 .. $#published)[0];
    is $wrong, undef, "parsed is published, by @{[ref $subscriber]}" or is_deeply $got[$wrong], $published[$wrong];
    is scalar @got, scalar @published, 'as many';
    unlike $subscriber->body, qr/\r/, 'no CR on the wire';
    unlike $subscriber->body, qr/^(?!(?:id|event|retry|data): |:?$)/m, 'no line that does not belong there';
}

subtest 'the same out of the history' => sub {
    my $subscriber = $server->subscribe('/sub?channel=c', cursor => '0-0');
    my @got = $subscriber->events(scalar @published);
    my @wrong = grep {
        my $number = $_;
        grep { $got[$number]{$_} ne $published[$number]{$_} } qw(id type data);
    } 0 .. $#published;
    is_deeply \@wrong, [], 'event for event';
};

done_testing;
