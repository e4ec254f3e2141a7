# With ?encode=base64 a body may be any bytes, and they arrive as base64.
use v5.36;
use lib 't/lib';
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;
use SSE::App;
use SSE::Nginx;

my $app = SSE::App->start(sub { return (200, ['X-Accel-Redirect' => '/inside'], 'taken') });
my $server = SSE::Nginx->start(
    listen    => [qw(h1 h2c)],
    publish   => 'sse_max_event_size 4k;',
    locations => <<"END",
location = /fixed { sse_publish \$arg_channel; sse_event_encoding base64; }
        location = /header { sse_publish \$arg_channel; sse_event_encoding \$http_x_encoding; }
        location = /lines { sse_publish \$arg_channel; sse_framing lines; }
        location = /app { proxy_pass http://127.0.0.1:@{[$app->port]}; }
        location = /inside { internal; sse_publish inside; }
END
);
my $all = join '', map {chr} 0 .. 255;

sub publish ($path, $body, %option) { return $server->publish($path, $body, %option) }
sub events ($channel) { return $server->subscribe("/sub?channel=$channel", cursor => '0-0') }

for my $via (qw(h1 h1.0 h2c)) {
    subtest "over $via" => sub {
        my @body = ($all, '', "\0", "\xff\xfe", "\xef\xbb\xbfmark", "a\r\nb\n", map { substr $all x 12, $_, 3000 + $_ } 0 .. 5);
        my $channel = "c$via";
        is publish("/pub?channel=$channel&encode=base64", $_, via => $via)->status, 201, length($_) . ' bytes' for @body;
        my $stream = events($channel);
        my @data   = $stream->data(scalar @body);
        is_deeply [map { decode_base64($_) } @data], \@body, 'arrive as they were';
        is_deeply \@data, [map { encode_base64($_, '') } @body], 'in one line each';
    };
}

subtest 'limits' => sub {
    is publish('/pub?channel=l&encode=base64', 'x' x 3072)->status, 201, '3072 bytes are 4096 of text';
    is publish('/pub?channel=l&encode=base64', 'x' x 3073)->status, 413, 'one more is too large';
    is publish('/pub?channel=l', 'x' x 4096)->status, 201, 'text of that length is not';
};

subtest 'what says so' => sub {
    is publish('/pub?channel=w&encode=', 'plain')->status, 201, 'an empty value is none';
    for my $wrong (qw(BASE64 base64url hex base64%20 %00)) {
        my $answer = publish("/pub?channel=w&encode=$wrong", 'x');
        is $answer->status, 400, "$wrong is unknown";
        like $answer->json->{error}, qr/encoding/, 'and that is said';
    }
    is publish('/lines?channel=w&encode=base64', "x\n")->status, 400, 'not for many events';
    is publish('/fixed?channel=w', "\xff")->status, 201, 'by the configuration';
    is publish('/header?channel=w', "\xff", headers => ['X-Encoding' => 'base64'])->status, 201, 'by a header';
    is publish('/header?channel=w&encode=base64', "\xff")->status, 400, 'then the argument does not count';
    is_deeply [events('w')->data(3)], ['plain', '/w==', '/w=='], 'all of them';
    publish('/app?encode=base64', 'text');
    is events('inside')->next_event->{data}, 'text', 'not by the client of an application';
};

is_deeply [$server->stop], [], 'no trouble';
done_testing;
