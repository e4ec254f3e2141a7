package SSE::Browser;

# A browser that opens a page, with its own profile, and with nothing between it and the server. The page must report by
# itself what it sees.
#
#   SSE::Browser::certify(['NAME.localhost', ...], $server->prefix);    # before nginx starts
#   my $browser = SSE::Browser->open(firefox => $url, certified => $server->prefix, http3 => ['NAME.localhost:PORT', ...]);
#   $browser->close;
#
# It trusts that certificate, and speaks nothing but HTTP/3 to those hosts, of which each name has one port.

use v5.36;
use Digest::SHA  qw(sha256_base64);
use File::Copy   qw(copy);
use File::Temp   ();
use MIME::Base64 qw(decode_base64);
use POSIX        ();
use SSE::Nginx;

# Makes one certificate for some nginxes, with names of this machine, signed by an authority. (Firefox takes none that is its
# own authority.)
sub certify ($more_names, $directory, @others) {
    my $names = join '', map {",DNS:$_"} 'localhost', @$more_names;
    my $make = 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
    for my $command (
        "$make -subj /CN=authority -keyout $directory/authority.key -out $directory/authority.pem",
        "$make -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1$names -addext basicConstraints=CA:FALSE"
        . " -CA $directory/authority.pem -CAkey $directory/authority.key"
        . " -keyout $directory/key.pem -out $directory/certificate.pem",
        )
    {
        system("$command 2>/dev/null") == 0 or die 'openssl cannot make a certificate';
    }
    for my $other (@others) {
        copy("$directory/$_", "$other/$_") or die "$_: $!" for qw(certificate.pem key.pem);
    }
}

my %command = (chromium => \&chromium, firefox => \&firefox);

sub open ($class, $name, $url, %option) {
    my $self = bless { profile => File::Temp->newdir('sse-browser-XXXXXX', TMPDIR => 1), owner => $$ }, $class;
    my @command = $command{$name}->("$self->{profile}", %option);
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        setpgrp;
        $ENV{HOME} = "$self->{profile}";
        delete @ENV{qw(DISPLAY WAYLAND_DISPLAY)};
        CORE::open STDOUT, '>', "$self->{profile}/output";
        CORE::open STDERR, '>&', \*STDOUT;
        exec @command, $url or POSIX::_exit(127);
    }
    setpgrp $self->{pid}, $self->{pid};
    return $self;
}

sub chromium ($profile, %option) {
    my @arguments = (
        qw(--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update
            --disable-sync), '--host-resolver-rules=MAP *.localhost 127.0.0.1',
    );
    push @arguments, '--ignore-certificate-errors-spki-list=' . key_hash("$option{certified}/certificate.pem")
        if $option{certified};
    my @http3 = @{ $option{http3} // [] };
    push @arguments, @http3 ? '--origin-to-force-quic-on=' . join ',', @http3 : '--disable-quic';
    return ('chromium', @arguments, "--user-data-dir=$profile");
}

# The key of a certificate, in the form that Chromium expects.
sub key_hash ($certificate) {
    my $pem = `openssl x509 -in $certificate -pubkey -noout` =~ s/^-.*\n//mgr;
    return sha256_base64(decode_base64($pem)) . '=';
}

# It sends nothing to the Internet by itself.
sub firefox ($profile, %option) {
    my %preference = (
        'app.normandy.enabled'                       => 'false',
        'browser.shell.checkDefaultBrowser'          => 'false',
        'datareporting.policy.dataSubmissionEnabled' => 'false',
        'network.captive-portal-service.enabled'     => 'false',
        'network.connectivity-service.enabled'       => 'false',
        'network.dns.disableIPv6'                    => 'true',
    );
    if (my @http3 = @{ $option{http3} // [] }) {
        my $mapping = join ',', map {s/:/;h3=:/r} @http3;
        $preference{'network.http.http3.alt-svc-mapping-for-testing'}          = qq("$mapping");
        $preference{'network.http.http3.disable_when_third_party_roots_found'} = 'false';
    }
    CORE::open my $file, '>', "$profile/user.js" or die "user.js: $!";
    print $file map {qq{user_pref("$_", $preference{$_});\n}} sort keys %preference;
    CORE::close $file or die "user.js: $!";
    trust($profile, "$option{certified}/authority.pem") if $option{certified};
    return (qw(firefox-esr --headless --no-remote --profile), $profile);
}

sub trust ($profile, $authority) {
    system("certutil -N --empty-password -d sql:$profile && certutil -A -d sql:$profile -n test -t C,, -i $authority") == 0
        or die 'certutil does not take the certificate';
}

# What it has printed, for diagnosis.
sub output ($self) {
    CORE::open my $file, '<', "$self->{profile}/output" or return '';
    return join '', readline $file;
}

# With the processes that it has started, which are its group.
sub close ($self) {
    my $pid = delete $self->{pid} or return;
    local $?;
    kill TERM => -$pid;
    eval { wait_until(sub { waitpid($pid, POSIX::WNOHANG()) != 0 }, 'the browser to end', 5) };
    kill KILL => -$pid;
    waitpid $pid, 0;
}

sub DESTROY ($self) { $self->close if $$ == $self->{owner} }

1;
