package SSE::Certificate;

# A self-signed certificate for one test, and its key.

use v5.36;
use Exporter 'import';
our @EXPORT = qw(make_certificate);

# Makes key.pem and certificate.pem in a directory, unless they are there, for localhost, 127.0.0.1 and further addresses.
sub make_certificate ($directory, @addresses) {
    my ($key, $certificate) = map {"$directory/$_.pem"} qw(key certificate);
    return if -e $certificate;
    my $names = join ',', 'DNS:localhost', map {"IP:$_"} '127.0.0.1', grep { $_ ne '127.0.0.1' } @addresses;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
            . " -addext subjectAltName=$names -keyout $key -out $certificate 2>/dev/null") == 0
        or die 'openssl cannot make a certificate';
}

1;
