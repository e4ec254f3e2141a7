# The module needs nothing but libc, and exports nothing but what nginx looks for.
use v5.36;
use lib 't/lib';
use Test::More;
use SSE::Nginx;

my $module = SSE::Nginx::module();

subtest 'libraries' => sub {
    plan skip_all => 'a module with sanitizers needs theirs' if $ENV{TEST_NGINX_SANITIZE} || ($ENV{SSE_CXXFLAGS} // '') =~ /sanitize/;
    my $output = qx{ldd "$module" 2>&1};
    plan skip_all => 'no ldd' if $? == -1;
    my @library = map {/^\s*(\S+)/} split /\n/, $output;
    is_deeply [grep { !m{(?:\A|/)(?:linux-vdso|linux-gate|ld-linux[^/]*|libc)\.so} } @library], [], 'libc alone' or diag $output;
};

subtest 'what is linked statically' => sub {
    my $output = qx{nm -D --undefined-only "$module" 2>&1};
    plan skip_all => 'no nm' if $? == -1;
    is_deeply [grep {/ U (?:redis|sds|hi_)/} split /\n/, $output], [], 'hiredis is looked for nowhere else';
    like qx{nm "$module"}, qr/ t redisReaderGetReply$/m, 'and it is there, for the module alone';
};

subtest 'symbols' => sub {
    my $output = qx{nm -D --defined-only "$module" 2>&1};
    plan skip_all => 'no nm' if $? == -1;
    my @symbol = sort map { (split ' ')[-1] =~ s/\@.*//r } split /\n/, $output;
    is_deeply [grep { !/\A(?:ngx_modules|ngx_module_names|ngx_module_order|_init|_fini|_edata|_end|__bss_start)\z/ } @symbol], [],
        'only the lists of modules are visible' or diag $output;
    ok((grep { $_ eq 'ngx_modules' } @symbol), 'which nginx needs');
};

done_testing;
