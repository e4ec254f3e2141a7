# The build refuses processors of 32 bits, and ./build.sh cross those that it does not know.
# needs: nothing
use v5.36;
use Cwd ();
use Test::More;

my $root = Cwd::getcwd();

# What nginx's configure learns from `config` on a processor with pointers of so many bytes.
sub configure ($bytes) {
    return qx{CC=cc SSE_WITHOUT_BUS=1 ngx_ptr_size=$bytes ngx_addon_dir='$root' sh -c '. "\$ngx_addon_dir/config"' 2>&1};
}

like configure(4),   qr/error: ngx_http_sse_module needs a processor of 64 bits/, '32 bits are refused';
like configure(8), qr{auto/module}, '64 bits are not: the next step is that of nginx';

my $output = qx{./build.sh cross z80 2>&1};
isnt $?, 0, 'an unknown processor is refused';
like $output, qr/"z80" is neither a test nor one of the processors arm64/, 'with those that are known';
like qx{./build.sh cross --help}, qr/^\Q.\E\/build\.sh cross \[ARCH\]/, 'there is help';
done_testing;
