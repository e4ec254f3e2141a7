# post_action: nginx goes on with the request after its stream, which must have left its channel by then.
use v5.36;
use lib 't/lib';
use IO::Socket::INET;
use Test::More;
use SSE::Nginx;

# Accepts connections and never responds, so that the action goes on.
my $silent = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "no socket: $!";

# Over HTTP/3, nginx notices that a client is gone only after keepalive_timeout.
my @via    = (qw(h1 tls h2c), SSE::Nginx::lacks_http3() ? () : 'h3');
my $server = SSE::Nginx->start(
    listen    => \@via,
    servers   => 'keepalive_timeout 2s;',
    locations => <<"END",
location = /acts {
            sse_channel \$arg_channel;
            post_action /action;
        }
        location = /chain {
            sse_channel \$arg_channel;
            sse_direct off;
            post_action /action;
        }
        location = /stream_again {
            sse_channel \$arg_channel;
            post_action /sub;
        }
        location = /publish_then {
            sse_channel \$arg_channel;
            post_action /pub;
        }
        location = /action {
            internal;
            proxy_pass http://127.0.0.1:@{[ $silent->sockport ]};
        }
END
);

sub subscribers { return $server->get('/status')->json->{subscribers} }

for my $via (@via) {
    for my $path (qw(/acts /chain /stream_again /publish_then)) {
        subtest "$path, $via" => sub {
            my $witness = $server->subscribe('/sub?channel=a')->ready;
            $server->subscribe("$path?channel=a", via => $via)->ready->close;
            ok eval { wait_until(sub { subscribers() == 1 }, 'the end of the stream') }, 'a client that has gone is no subscriber';
            for my $text (qw(one two three)) {
                is $server->publish('/pub?channel=a', $text)->status, 201, 'its channel goes on';
                is $witness->next_event->{data}, $text, 'for others';
            }
            $witness->close;
            wait_until(sub { subscribers() == 0 }, 'the end of the witness');
        };
    }
}

$silent->close;
is_deeply [$server->stop], [], 'no trouble';
done_testing;
