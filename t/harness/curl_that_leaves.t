# A curl that the test closes is gone afterwards, even if the process has not become curl yet: a signal that arrives while it is
# still a copy of the test may be caught there, and is then lost.
# needs: nothing
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Client::Curl;

# Accepts connections and never responds.
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "no socket: $!";

sub ask { return SSE::Client::Curl->new(port => $silent->sockport)->send(method => 'GET', path => '/') }

# Whether that returns.
sub ends ($what) {
    local $SIG{ALRM} = sub { die "too late\n" };
    alarm 10;
    my $done = eval { $what->(); 1 };
    alarm 0;
    return $done;
}

for my $way (qw(close reset)) {
    my $client = do {
        local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3; # as if it had been caught and forgotten
        ask();
    };
    ok ends(sub { $client->$way }), "$way, to one that has missed what can be missed";
    ok ends(sub { ask()->$way for 1 .. 50 }), "$way, at once";
}

done_testing;
