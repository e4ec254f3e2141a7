# A real log through an open publisher to two subscribers on different workers, one of which is cut off three times.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;
use SSE::Util;

# A log of some thousand lines, or another text of lines that every Debian has.
sub real_text {
    for my $files ('/var/log/dpkg.log', '/var/lib/dpkg/status', '/var/lib/dpkg/info/*.list') {
        my $text = join '', map { open my $file, '<:raw', $_ or next; local $/; readline($file) // '' } sort glob $files;
        $text = join '', map {"$_\n"} (split /\n/, $text, -1)[0 .. 19_999] if $text =~ tr/\n// > 20_000;
        return ($files, $text) if $text =~ tr/\n// >= 3000;
    }
    return;
}

my ($name, $text) = real_text();
plan skip_all => 'no text of 3000 lines on this machine' unless defined $text;
seed();
my @line = split /\n/, $text;
note "$name: ", scalar @line, ' lines, ', length $text, ' bytes';

for my $via (qw(h1 tls h2c h2)) {
    subtest $via => sub {
        my $server = SSE::Nginx->start(
            workers => 2,
            zone    => '64m',
            listen  => [qw(h1 tls h2c h2)],
            publish => 'sse_framing lines;',
        );
        my ($one, $other) = $server->workers;
        my $steady = $server->subscribe_on($one,   '/sub?channel=log', via => $via)->ready;
        my $shaky  = $server->subscribe_on($other, '/sub?channel=log', via => $via)->ready;

        my $publisher = $server->stream('/pub?channel=log', via => $via);
        my $rest = $text;
        while (length $rest) {
            $publisher->feed(substr $rest, 0, 1 + int rand 60_000, '');
        }
        $publisher->end;

        # Cut at a random byte: an event of which only a part has arrived does not count.
        my (@id, @data);
        my $keep = sub { push @id, map { $_->{id} } @_; push @data, map { $_->{data} } @_ };
        my $quarter = int length($text) / 4;
        for my $cut (1 .. 3) {
            my $length = 1000 + int rand $quarter;
            ok $shaky->read_body($length), "cut $cut after $length bytes";
            rand() < 0.5 ? $shaky->reset : $shaky->close;
            $keep->(splice @{ $shaky->{events} });
            $shaky = $server->subscribe_on(rand() < 0.5 ? $one : $other, '/sub?channel=log', via => $via,
                cursor => $shaky->last_event_id);
        }
        $keep->($shaky->events(@line - @data));

        is $publisher->finish->json->{events}, scalar @line, 'every line was published';
        my @steady = $steady->events(scalar @line);
        ok join('', map {"$_->{data}\n"} @steady) eq $text, 'the steady one has the file, byte for byte';
        ok join('', map {"$_\n"} @data) eq $text, 'and so has the one that was cut off' or diag scalar(@data), ' of ', scalar @line;
        is_deeply \@id, [map { $_->{id} } @steady], 'under the same ids, each once';
        is_deeply [$server->stop], [], 'no trouble';
    };
}

done_testing;
