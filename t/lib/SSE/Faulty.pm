package SSE::Faulty;

# The module in which a worker can be made to die in the middle of a change to the log: built with -DSSE_FAULTS.

use v5.36;
use Cwd ();

# Its path; undef if there is none.
sub module {
    my $file = $ENV{TEST_NGINX_FAULTS_MODULE} // 'build/faults/ngx_http_sse_module.so';
    return -e $file ? Cwd::abs_path($file) : undef;
}

# What to say when there is none.
sub reason { return 'there is no module with fault points, build/faults/ngx_http_sse_module.so or $TEST_NGINX_FAULTS_MODULE' }

1;
