# Foreign ids in a body of type text/event-stream: whatever they are, no event is lost, and a subscriber can resume with the id that it
# was sent, with the id that the source assigned, or with the form of that on the wire.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $server = SSE::Nginx->start(listen => [qw(h1 h2c)]);
my $count  = 0;

sub encoded ($text) { return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }

# Makes a channel of three events, of which the first has this id. Returns its name, and the id as subscribers see it.
sub publish_foreign ($id) {
    my $channel = 'c' . ++$count;
    my $body    = "id: $id\ndata: 1\n\ndata: 2\n\ndata: 3\n\n";
    my $answer  = $server->publish("/pub?channel=$channel", $body, type => 'text/event-stream');
    is $answer->status, 201, 'published';
    is $answer->json->{events}, 3, 'all of it';
    my $event = $server->subscribe("/sub?channel=$channel", cursor => '0-0')->next_event;
    is $event->{data}, '1', 'and read';
    return ($channel, $event->{id});
}

# What a subscriber to the channel that starts there is sent, up to the first "end" in it.
sub replayed ($channel, %where) {
    my $query = delete $where{query};
    my $subscriber = $server->subscribe("/sub?channel=$channel" . (defined $query ? "&$query" : ''), %where);
    $server->publish("/pub?channel=$channel", 'end');
    my @seen;
    while (my $event = $subscriber->next_event) {
        last if $event->{data} eq 'end';
        push @seen, $event->{type} eq 'message' ? $event->{data} : $event->{type};
    }
    $subscriber->close;
    return "@seen";
}

my %form = ( # of each id, as it is on the wire
    'urn:uuid:1'               => 'urn%3Auuid%3A1',
    'plain.1'                  => 'plain.1',
    '{"offset": [1, "a"]}'     => '%7B%22offset%22%3A%20%5B1%2C%20%22a%22%5D%7D',
    '2024-05-01T12:30:00.000Z' => '2024-05-01T12%3A30%3A00.000Z',
    '1:2'                      => '1%3A2',
    "\xf0\x9f\x98\x80"         => '%F0%9F%98%80',
    '100%'                     => '100%25',
    '50%41'                    => '50%2541',
    'x' x 86                   => 'x' x 86,
    "tab\there"                => 'tab%09here',
    "\xff"                     => '%FF',
);

for my $id (sort keys %form) {
    my $form = $form{$id};
    subtest $form => sub {
        my ($channel, $full) = publish_foreign($id);
        like $full, qr/\A[0-9]+-[0-9]+~\Q$form\E\z/, 'escaped on the wire';
        for my $via (qw(h1 h2c)) {
            is replayed($channel, cursor => $full, via => $via), '2 3', "$via: the full id";
            is replayed($channel, cursor => $id,   via => $via), '2 3', "$via: the id as it was given";
            is replayed($channel, cursor => $form, via => $via), '2 3', "$via: as it is on the wire";
        }
        is replayed($channel, query => 'last_event_id=' . encoded($_)), '2 3', 'as argument: ' . encoded($_) for $full, $id, $form;
        is replayed($channel, query => "last_event_id=$_"), '2 3', "as argument that nobody encoded: $_" for $full, $form;
    };
}

subtest 'an id like those of the log' => sub {
    my ($channel, $full) = publish_foreign('1526919030474-55');
    like $full, qr/\A[0-9]+-[0-9]+~1526919030474%2D55\z/, 'never looks like one';
    is replayed($channel, cursor => $full), '2 3', 'the full id';
    is replayed((publish_foreign('1526919030474-55'))[0], cursor => '1526919030474%2D55'), '2 3', 'as it is on the wire';
    is replayed((publish_foreign('1-2~x'))[0], cursor => '1%2D2~x'), '2 3', 'also with more to it';
    my $beyond = '9' x 30 . '-1';
    is replayed((publish_foreign($beyond))[0], cursor => $beyond), '2 3', 'as given, if its numbers are too large for the log';
};

subtest 'no id at all' => sub {
    my %why = ('x' x 87 => 'too long', 'x' x 300 => 'far too long', ':' x 29 => 'too long once escaped', "a\0b" => 'a NUL');
    for my $id (sort keys %why) {
        my ($channel, $full) = publish_foreign($id);
        like $full, qr/\A[0-9]+-[0-9]+\z/, "$why{$id}: only ours";
        is replayed($channel, cursor => $full), '2 3', 'which is good to come back with';
    }
    my $channel = (publish_foreign('x' x 300))[0];
    is replayed($channel, cursor => 'x' x 300), 'gap 1 2 3', 'what is too long is unknown';
};

done_testing;
