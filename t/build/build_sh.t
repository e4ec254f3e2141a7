# build.sh never fails silently: if any command in it fails, it says so, shows the output of the command, and exits with a status
# other than 0.
#
# A copy of the tree is built in a world of fakes: every program that build.sh may call is a link to one script, which
# does the least that the next step needs, and writes down how it was called. Then each of these calls is made to fail
# in turn.
# needs: nothing
use v5.36;
use Cwd        ();
use File::Temp ();
use Test::More;

my $world = File::Temp->newdir('sse-build-XXXXXX', TMPDIR => 1);
my $tree  = "$world/tree";

# The script behind all of them. A program that is made to fail prints more lines than build.sh shows of a log, and then its reason.
my $fake = <<'SCRIPT';
#!/bin/sh
case $0 in */build/fuzz/*) name=target ;; *) name=${0##*/} ;; esac
printf '%s\0' "$name $*" >>"$WORLD/calls"
if [ "$name $*" = "$BREAK" ]; then
    [ ! -e "$WORLD/says" ] || PATH=/usr/bin:/bin cat "$WORLD/says"
    seq -f "$name says %g" 50
    echo "$name has a reason" >&2
    exit 9
fi
case $name in
nginx)
    case $1 in
    -v) echo 'nginx version: nginx/1.2.3' >&2 ;;
    -V) printf 'nginx version: nginx/1.2.3\nconfigure arguments: --modules-path=%s/modules\n' "$WORLD" >&2 ;;
    esac
    exit
    ;;
sudo) exec "$@" ;;
esac
[ $name = xargs ] || PATH=/usr/bin:/bin
case $name in
configure) # its makefile, and what that would make
    for i; do
        case $i in --builddir=*) mkdir -p "${i#*=}" && cd "${i#*=}" && touch Makefile ngx_http_sse_module.so nginx ;; esac
    done
    ;;
make)
    for i; do case $i in build/fuzz/*) mkdir -p build/fuzz && ln -sf "$WORLD/bin/fake" "$i" ;; esac; done
    ;;
target) echo 'stat::number_of_executed_units: 1' ;;
clang) echo "$WORLD/clang" ;; # -print-resource-dir
nproc) echo 1 ;;
dpkg-query)
    [ "$1" != -S ] || exit 1
    echo 1.2.3-1
    ;;
apt-cache) echo 'Version: 1.2.3-1' ;;
apt-get) [ "$1" != indextargets ] || echo archive ;;
apt-config) echo 'Acquire::http::Proxy "";' ;;
dpkg-source) mkdir -p unfinished/src/core && cp "$WORLD/bin/fake" unfinished/configure &&
    cp "$WORLD/usr/share/nginx/src/src/core/nginx.h" unfinished/src/core ;;
debootstrap) mkdir -p "$4/etc/apt/apt.conf.d" "$4/etc/dpkg/dpkg.cfg.d" "$4/root" "$4/build/result" ;;
chroot) echo 'nginx version: nginx/1.2.3' ;;
nm | npm | prove | perl | gcc | g++ | clang++ | clang-format | clang-tidy | cppcheck | shellcheck | unshare | node | chromium | \
    firefox-esr | certutil | python3 | curl | openssl | nghttp | haproxy | llvm-symbolizer | valgrind | \
    redis-server | valkey-server | ip | iptables | mosquitto_sub | jq | docker | podman | runc | mvn | javac) ;;
go | cargo) echo "$name 1.99" ;;
*) exec "/usr/bin/$name" "$@" ;;
esac
SCRIPT

my @programs = qw(
    nginx configure make clang dpkg-query apt-cache apt-get apt-config dpkg-source debootstrap chroot sudo nm npm prove perl gcc
    g++ clang++ clang-format clang-tidy cppcheck shellcheck unshare node chromium firefox-esr certutil python3 curl openssl nghttp haproxy
    llvm-symbolizer valgrind redis-server valkey-server ip iptables mosquitto_sub jq docker podman runc go cargo mvn javac
    awk cat chmod cmp cp c++filt cut find flock grep install ln mkdir mv nproc rm rmdir sed sort tar tee touch tr xargs
);

# The files by which build.sh sees that a package is installed. One is always missing, libcmocka-dev.
my @signs = qw(
    usr/include/pcre2.h usr/include/openssl/ssl.h usr/include/zlib.h usr/include/hiredis/read.h etc/ssl/certs/ca-certificates.crt
    clang/lib/linux/libclang_rt.fuzzer.a usr/lib/nginx/modules/ngx_nchan_module.so
    usr/lib/nginx/modules/ngx_http_push_stream_module.so usr/lib/nginx/modules/ngx_http_js_module.so
    usr/sbin/mosquitto
);

sub write_file ($name, $text) {
    system mkdir => '-p', $name =~ s{/[^/]*\z}{}r;
    open my $file, '>', $name or die "$name: $!";
    print $file $text;
    close $file or die "$name: $!";
}

sub make_world {
    mkdir $tree or die "$tree: $!";
    system("tar -c --exclude=./build --exclude=./.git --exclude=node_modules . | tar -x -C $tree") == 0 or die 'no copy of the tree';
    # No path outside of this world is looked at or written to.
    for my $script ("$tree/build.sh", glob "$tree/t/*.sh") {
        my $text = do { local (@ARGV, $/) = $script; readline };
        write_file($script, $text =~ s{(?<!directory)/(?:usr/(?:share|include|lib|sbin/policy)|etc/(?:nginx|apt|ssl))\b}{$world$&}gr);
    }
    write_file("$world/bin/fake", $fake);
    chmod 0755, "$world/bin/fake", "$tree/build.sh";
    symlink 'fake', "$world/bin/$_" for @programs;
    write_file("$world/$_", '') for @signs;
    system mkdir => '-p', "$world/usr/sbin";
    write_file("$world/etc/apt/sources.list", "deb archive release main\n");
    write_file("$world/usr/share/nginx/src/src/core/nginx.h", qq{#define NGINX_VERSION "1.2.3"\n});
    symlink "$world/bin/fake", "$world/usr/share/nginx/src/configure";
}

# (status, output); the command named $break fails. Nothing has been built before, and something is installed.
sub build_sh ($arguments, $break = '') {
    system rm => '-rf', "$tree/build", "$tree/t/browser/node_modules", "$tree/t/clients/node_modules",
        "$tree/t/clients/drivers/javascript/node_modules", "$tree/t/image/node_modules", "$world/calls";
    write_file("$world/$_", '') for qw(usr/share/nginx/modules-available/mod-http-sse.conf modules/ngx_http_sse_module.so);
    local %ENV = (PATH => "$world/bin:/usr/bin:/bin", HOME => "$world", LC_ALL => 'C', WORLD => "$world", BREAK => $break);
    my $output = qx{exec 2>&1 </dev/null; $tree/build.sh $arguments};
    return ($?, $output);
}

# How programs were called since then.
sub calls {
    local ($/, @ARGV) = ("\0", "$world/calls");
    my %seen;
    return grep { !$seen{$_}++ } map { s/\0\z//r } readline;
}

# Not failures: commands that build.sh asks a question, which may be answered with no; and programs that replace build.sh.
my $no_failure = qr{\A(?:cmp\ |grep\ -|perl\ -MIO|python3\ -m\ pip\ --version\z|python3\ -c\ import\ flask\z|clang\ -print-resource-dir\z|dpkg-query\ -[SW]|chroot\ |docker\ info\z|perl\ t/)}x;

make_world();
my %tried;
for my $arguments (
    'build', 'build --without-bus', "build --nginx-src $world/usr/share/nginx/src", 'test', 'lint', 'fuzz --seconds 1', 'chaos', 'bench', 'clients', 'dist', 'image', 'install',
    'uninstall', 'test --sanitize', "test --nginx-src $world/usr/share/nginx/src t/http/methods.t", $> == 0 ? ('image --make-base', 'test --matrix bookworm', 'package --release bookworm') : (),
) {
    subtest $arguments => sub {
        my ($status, $output) = build_sh($arguments);
        is $status, 0, 'succeeds' or return diag $output;
        # What is done for each of several modules is the same each time.
        for my $call (grep { !$tried{s{build/(?:clang|faults|gcc(?:-without-bus)?|nginx-1.2.3|test-nginx-1.2.3(?:/\w+)?|sanitize/\w+|fuzz/(?:corpus/)?\w+)\b}{build/*}gr}++ } calls()) {
            next if $call =~ $no_failure;
            my ($status, $output) = build_sh($arguments, $call);
            my ($name) = split / /, $call;
            ok $status != 0 && $output =~ /\b\Q$name\E has a reason$/m && $output =~ /^build\.sh: /m, "tells that this fails: $call"
                or diag "status $status:\n$output";
        }
    };
}

# A makefile of nginx names the sources of the module by their whole path.
subtest 'a copy of a tree that has been built' => sub {
    build_sh('build');
    system cp => '-r', $tree, "$world/copy";
    my $before = () = calls();
    local %ENV = (PATH => "$world/bin:/usr/bin:/bin", HOME => "$world", LC_ALL => 'C', WORLD => "$world", BREAK => '');
    qx{exec 2>&1 </dev/null; $world/copy/build.sh build};
    is $?, 0, 'is built';
    my @calls = calls();
    is scalar(grep {m{^configure .*--builddir=$world/copy/}} @calls[$before .. $#calls]), 1, 'for itself';
};

subtest 'what is shown' => sub {
    my ($status, $output) = build_sh('test', 'npm ci --no-audit --no-fund --prefix t/browser');
    like $output, qr{^    npm says 50\n    npm has a reason\n.*^build\.sh: npm-browser failed with status 9; [^\n]* build/log/npm-browser\.log$}ms,
        'the end of a log, and where it is';
    unlike $output, qr{npm says 1$}m, 'and no more of it';

    ($status, $output) = build_sh('test', 'make -s -j1 -f t/unit/Makefile');
    like $output, qr{^build\.sh: suite\.sh:\d+ failed with status 9: make -s -j"\$jobs" -f t/unit/Makefile$}m,
        'the command that has failed, and its line';

    my $prove = 'prove -j1 t/build/dist.t';
    write_file("$world/says", join "\n", "#   Failed test 'the one'", "#   at t/build/dist.t line 1.", ("strange at t/build/dist.t line 2.") x 1000,
        'Test Summary Report', 't/build/dist.t (Tests: 2 Failed: 1)', '  Failed test:  1', 'Result: FAIL', '');
    ($status, $output) = build_sh('test -j1 t/build/dist.t', $prove);
    my $end = substr $output, -2000;
    like $end, qr{^what failed:\n#   Failed test 'the one'\n#   at t/build/dist\.t}m, 'the end of a long run has what has failed';
    like $end, qr{^t/build/dist\.t \(Tests: 2 Failed: 1\)\n  Failed test:  1\nResult: FAIL\n(?:build\.sh: [^\n]+\n)*\z}m, 'and where';
    system rm => "$world/says";

    ($status, $output) = build_sh('deps moon');
    isnt $status, 0, 'who asks for what there is not';
    like $output, qr{^build\.sh: there is nothing to install for "moon"$}m, 'is told so';
};
done_testing;
