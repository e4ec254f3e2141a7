package SSE::Nghttp;

# A POST over HTTP/2 whose response is not lost when it comes before the body has been read. nginx then resets the stream, and
# curl often drops the response with it; nghttp does not.
#
#   my $answer = post_framed($server, '/pub?channel=a', 'body', headers => [Name => 'value'], length => 0);
#   $answer->{status}, $answer->{wire}

use v5.36;
use Exporter 'import';
our @EXPORT = qw(post_framed);

# All that nghttp has printed, headers and body among it, is in {wire}.
sub post_framed ($server, $path, $body, %option) {
    my @command = ('nghttp', '-v');
    push @command, '--no-content-length' unless $option{length} // 1;
    my @headers = @{ $option{headers} // [] };
    push @headers, 'Content-Type' => $option{type} if defined $option{type};
    while (my ($name, $value) = splice @headers, 0, 2) {
        push @command, '-H', "$name: $value";
    }
    $server->write_file('body', $body);
    push @command, '-d', $server->prefix . '/body', 'http://127.0.0.1:' . $server->port('h2c') . $path;
    open my $output, '-|', @command or die "nghttp: $!";
    my $wire = join '', readline $output;
    my ($status) = $wire =~ /:status: (\d+)/;
    return { status => $status // 0, wire => $wire };
}

1;
