# Answers of Redis that are early, late, incomplete, too large, or errors: each event still arrives exactly once, and no worker spins
# or allocates memory for data that does not come.
# needs: module redis
use v5.36;
use lib qw(t/lib t/bus);
use Test::More;
use Time::HiRes qw(sleep time);
use Bus::One;
use SSE::Nginx;
use SSE::Process qw(peak_memory);
use SSE::Redis;
use SSE::RedisProxy;

my $redis = SSE::Redis->start;
my $proxy = SSE::RedisProxy->start(to => $redis);
my $nginx = nginx_for($proxy->address);
my $subscriber = $nginx->subscribe('/sub?channel=c')->ready;
my $number = 0;

# The next events arrive, once each, and no gap is reported.
sub goes_on ($what, %option) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @data = map { "$what " . ++$number } 1 .. 3;
    publish($nginx, $_, %option) for @data;
    is_deeply [map {"$_->{type} $_->{data}"} $subscriber->events(3)], [map {"message $_"} @data], "$what: events come";
}

# Reading, publishing, and publishing under a key, which runs a script. A worker asks for entries as soon as it is connected.
my %command = (reading => '^XREAD ', publishing => '^XADD ', 'publishing under a key' => '^EVAL');

# The events arrive although this happens to each of these commands (`only`; otherwise all of them).
sub for_commands ($what, %rule) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @names = @{ delete $rule{only} // [sort keys %command] };
    for my $name (@names) {
        $proxy->rule(match => $command{$name}, times => 1, %rule);
        $proxy->reset if $name eq 'reading' && exists $rule{answer};
        goes_on("$name, $what", key => scalar $name =~ /key/);
        wait_until(sub { $proxy->hits > 0 }, "this to happen: $name, $what");
        $proxy->clear;
    }
}

goes_on('nothing');

sub calls_in ($seconds, $name) {
    my $before = $proxy->counts->{$name} // 0;
    sleep $seconds;
    return ($proxy->counts->{$name} // 0) - $before;
}

subtest 'empty answers at once do not make a worker spin' => sub {
    $proxy->rule(match => '^XREAD ', answer => "*-1\r\n");
    $proxy->reset;
    wait_until(sub { $proxy->hits > 0 }, 'a read');
    cmp_ok calls_in(2, 'XREAD'), '<=', 40, 'about ten a second';
    $proxy->clear;
    goes_on('empty answers');
};

subtest 'errors in place of an answer' => sub {
    my @errors = (
        'LOADING Redis is loading the dataset in memory',
        "READONLY You can't write against a read only replica.",
        'NOAUTH Authentication required.',
        'MOVED 3999 127.0.0.1:6381',
        'ERR something else',
    );
    for my $error (@errors) {
        my ($name) = $error =~ /\A(\w+)/;
        for_commands($name, answer => "-$error\r\n", only => $name eq 'READONLY' ? [sort keys %command] : [qw(publishing reading)]);
    }
    # A machine that reads also asks about the stream. An error there does not mean that entries are lost.
    $proxy->rule(match => '^XINFO', answer => "-BUSY Redis is busy running a script.\r\n", times => 1);
    wait_until(sub { publish($nginx, 'meanwhile ' . ++$number); $subscriber->next_event; $proxy->hits > 0 }, 'a look at the stream');
    $proxy->clear;
    goes_on('BUSY to a look');
    for my $command (qw(ROLE GET XINFO CLIENT)) {
        $proxy->rule(match => "^$command", answer => "-LOADING Redis is loading the dataset in memory\r\n", times => 2);
        $proxy->reset;
        goes_on("LOADING to $command");
        $proxy->clear;
    }
};

# A later answer must not be taken for the one that is missing.
subtest 'an answer to something else' => sub {
    for_commands('an integer', answer => ":1\r\n", only => ['publishing', 'publishing under a key']);
};

subtest 'an answer that is cut' => sub {
    for_commands("$_ bytes of the answer", cut => $_) for 0, 5;
};

subtest 'half an answer, then silence' => sub {
    my $start = time;
    for_commands('half an answer', hang => 5, only => [qw(publishing reading)]);
    cmp_ok time - $start, '<', 30, 'within the time-outs';
};

subtest 'claims of sizes that are not meant' => sub {
    my $entry = "*1\r\n*2\r\n\$10\r\nsse:events\r\n*1\r\n*2\r\n\$15\r\n1700000000000-0\r\n*4\r\n\$7\r\nchannel\r\n\$1\r\nc\r\n\$4\r\ndata\r\n";
    my %claim = (
        'a text of 512 MB'         => "\$536870912\r\nabc",
        'a text of 512 MB, nested' => "$entry\$536870912\r\nabc",
        'a thousand million'       => "*1000000000\r\n",
        'many levels'              => "*1\r\n" x 1000,
        'no RESP at all'           => "HTTP/1.1 400 Bad Request\r\n\r\n",
    );
    my $most = sub () { return (sort { $b <=> $a } map { peak_memory($_) } $nginx->workers)[0] };
    for my $name (sort keys %claim) {
        my $before = $most->();
        for_commands($name, answer => $claim{$name}, only => $name =~ /nested/ ? ['reading'] : $name =~ /text/ ? ['publishing'] : [qw(publishing reading)]);
        cmp_ok $most->() - $before, '<', 24e6, 'no worker takes the memory for it';
    }
};

subtest 'answers that are late' => sub {
    for_commands('late answers', delay => 0.2, times => 3);
};

is_deeply [$nginx->stop], [], 'no trouble';

subtest 'every event lies in the stream once' => sub {
    my %times;
    $times{ $_->[1]{data} }++ for grep { exists $_->[1]{data} } $redis->entries('sse:events');
    is_deeply [grep { $times{$_} > 1 } keys %times], [], 'none twice';
};

done_testing;
