# ./build.sh dist: the same sources give the same bytes, wherever they are and whichever user packs them, and the archive
# contains nothing else.
# needs: git
use v5.36;
use Digest::SHA ();
use File::Copy  qw(copy);
use File::Temp  ();
use Test::More;

my $world = File::Temp->newdir('sse-build-XXXXXX', TMPDIR => 1);
my ($version) = read_file('CHANGES') =~ /^Changes with ngx_http_sse_module (\S+)$/m;
my $name = "ngx_http_sse_module-$version";

sub read_file ($path) {
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    return readline $file;
}

sub run (@command) { system(@command) == 0 or die "@command: status $?" }

# Packs the tree there, and returns the packed bytes.
sub pack_in ($directory, $how = '') {
    my $output = `cd $directory && $how ./build.sh dist 2>&1`;
    is $?, 0, "packed: $output";
    return read_file("$directory/build/dist/$name.tar.gz");
}

sub entries ($file) { return sort split /\n/, `tar --list --file $file` }

# A copy of this tree without its repository, and with files that must not be packed.
run("mkdir $world/copy && tar -c --exclude=./build --exclude=./.git --exclude=node_modules . | tar -x -C $world/copy");
run('mkdir', '-p', "$world/copy/build/gcc", "$world/copy/t/browser/node_modules/x");
run('touch', "$world/copy/build/gcc/objects", "$world/copy/t/browser/node_modules/x/y");

my $packed = pack_in("$world/copy");
run('tar', '-x', '-C', "$world", '-f', "$world/copy/build/dist/$name.tar.gz");
my @entries = entries("$world/copy/build/dist/$name.tar.gz");
is_deeply [grep { !m{\A\Q$name\E/} } @entries], [], 'all is below one directory';
is_deeply [grep {m{/node_modules/|\A[^/]+/build/}} @entries], [], 'nothing that was built';
for my $file (qw(build.sh config src/module.cpp .ci/run docker/Dockerfile CHANGES LICENSE)) {
    is read_file("$world/$name/$file"), read_file($file), "$file is in it";
}
ok -x "$world/$name/build.sh", 'and can be run';

is Digest::SHA::sha256_hex(pack_in("$world/$name")), Digest::SHA::sha256_hex($packed), 'what was unpacked gives the same bytes';
run('touch', '-d', '2020-01-01', "$world/$name/LICENSE");
run('chmod', 'g+w', "$world/$name/LICENSE");
is pack_in("$world/$name", 'umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8'), $packed, 'whatever times, rights and zone there are';
isnt pack_in("$world/$name", 'SOURCE_DATE_EPOCH=1'), $packed, 'another SOURCE_DATE_EPOCH is another file';

# With a repository: what git does not know is not in it, what has been changed is.
run("cd $world/copy && rm -rf build && git init -q && git add -A && git -c user.name=x -c user.email=x\@y.example commit -qm x");
run("echo secret >$world/copy/notes.txt; echo changed >>$world/copy/README.md");
pack_in("$world/copy");
@entries = entries("$world/copy/build/dist/$name.tar.gz");
is_deeply [grep {/notes/} @entries], [], 'what git does not know is not in it';
is scalar(grep {m{/src/module\.cpp\z}} @entries), 1, 'what it knows is';
run('rm', "$world/copy/README.md");
isnt system("cd $world/copy && ./build.sh dist >/dev/null 2>&1"), 0, 'a file that is missing is a failure';
done_testing;
