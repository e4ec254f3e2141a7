# Read by nginx's configure after it has begun the makefile.
# nginx compiles C++ with the flags of its C files. These are added for the objects of this module alone, because
# the C file that nginx generates for a dynamic module does not take them. $SSE_CXXFLAGS adds more.

sse_flags="-std=c++20 -fno-exceptions -fno-rtti -fvisibility=hidden -O2 -Wall -Wextra -Werror $SSE_CXXFLAGS"
[ -z "$SSE_WITHOUT_BUS" ] || sse_flags="$sse_flags -DSSE_WITHOUT_BUS"

for sse_directory in `find "$ngx_addon_dir/src" -name '*.cpp' -exec dirname {} \; | LC_ALL=C sort -u`; do
    echo "$NGX_OBJS/addon/`basename $sse_directory`/%.o: CFLAGS += $sse_flags"
done >> $NGX_MAKEFILE

# The page of the status is a file of its own; html.cpp includes it as a literal.
cat << END >> $NGX_MAKEFILE

$NGX_OBJS/addon/status/html.o: $NGX_OBJS/addon/status/page.inc

$NGX_OBJS/addon/status/page.inc: $ngx_addon_dir/src/status/page.html
	(printf 'R"page(' && cat $ngx_addon_dir/src/status/page.html && printf ')page"') > \$@
END
