# The package, made with the module that is built already: what is in it, what it depends on, that lintian has no
# complaint, and that nginx works with what was unpacked from it. `./build.sh package --test` does all of it.
# needs: module package
use v5.36;
use lib 't/lib';
use File::Temp ();
use Test::More;
use SSE::Nginx;

plan skip_all => 'no package is made of a module with sanitizers' if $ENV{TEST_NGINX_SANITIZE};

my $directory = File::Temp->newdir('sse-XXXXXX', TMPDIR => 1);
my $tree      = "$directory/tree";
my $name      = 'libnginx-mod-http-sse';

# The output of a command, which must succeed.
sub output ($command) {
    my $text = qx{exec 2>&1; $command};
    $? == 0 or die "$command failed with status $?:\n$text";
    return $text;
}

my ($version) = output('cat CHANGES') =~ /^Changes with ngx_http_sse_module (\S+)$/m or die 'there is no version';

# Makes the tree look as if dpkg had built it already, so that dpkg continues with the next step.
sub lay_out {
    output('./build.sh dist');
    mkdir $tree or die "$tree: $!";
    output("tar -xzf build/dist/ngx_http_sse_module-$version.tar.gz --strip-components=1 -C $tree && cp -r $tree/docker/debian $tree/debian");
    my $objects = "$tree/obj-" . output('dpkg-architecture -qDEB_HOST_GNU_TYPE') =~ s/\n//r;
    mkdir $objects or die "$objects: $!";
    output("cp @{[SSE::Nginx::module()]} $objects/ngx_http_sse_module.so && echo $name >$tree/debian/debhelper-build-stamp");
}

lay_out();
my $full = output("dpkg-parsechangelog -l $tree/debian/changelog -S Version") =~ s/\n//r;
like $full, qr/\A\Q$version\E-\d+\z/, 'the version of the package is the newest in CHANGES';
output("cd $tree && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -nc -b -us -uc");
my ($package) = glob "$directory/${name}_*.deb" or die 'there is no package';
is output("lintian --allow-root --fail-on error,warning $directory/*.changes"), '', 'lintian has nothing to say';

my ($abi) = output('dpkg-query -W -f \'${Provides}\' nginx') =~ /\b(nginx-abi-[\w.-]+)/ or die 'nginx provides no ABI';
my $depends = output("dpkg-deb -f $package Depends");
like $depends, qr/(?:\A|, )\Q$abi\E(?:,|$)/m, 'it depends on what nginx provides';
is join(' ', sort map {s/ .*//r} split /,\s*/, $depends =~ s/\n//r), "libc6 $abi", 'and on libc alone';

my $unpacked = "$directory/unpacked";
output("dpkg-deb -x $package $unpacked");
my $modules = "$unpacked/usr/lib/nginx/modules";
my $file    = "ngx_http_sse_module-$full.so";
is output("cat $unpacked/usr/share/nginx/modules-available/mod-http-sse.conf"), "load_module modules/$file;\n",
    'nginx loads the module from a path of that version alone';
is readlink "$modules/ngx_http_sse_module.so", $file, 'and it is there by its plain name, too';
ok -s "$unpacked/usr/share/doc/$name/$_", "there is $_" for qw(copyright copyright.hiredis README.md docs/guide.md examples/sse.js examples/alerts.yml examples/kubernetes/sse.yaml changelog.gz);

my $control = "$directory/control";
output("dpkg-deb -e $package $control");
like output("cat $control/postinst"), qr/mod-http-sse\.conf:50-mod-http-sse\.conf\b.*\bdpkg-trigger --no-await nginx-reload$/ms,
    'it is enabled when it is installed, and nginx is reloaded';

my $server = SSE::Nginx->start(module => "$modules/$file");
my $subscriber = $server->subscribe('/sub?channel=a')->ready;
is $server->publish('/pub?channel=a', 'hello')->status, 201, 'nginx takes an event with it';
is $subscriber->next_event->{data}, 'hello', 'and hands it out';
is_deeply [$server->stop], [], 'no trouble';
done_testing;
