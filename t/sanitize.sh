# shellcheck shell=bash disable=SC2034,SC2154,SC2164
# ./build.sh test --sanitize: sourced by build.sh, whose functions and variables it uses.
#
# Only nginx as a whole can be checked for what its pools hide, so it is built anew: every allocation of a pool becomes
# one of malloc (NGX_DEBUG_PALLOC), all of it under AddressSanitizer. UBSan looks at the module alone, because nginx
# itself does what is undefined and harmless.

sanitized=$root/build/sanitize

source t/nginx.sh

# Fetches the source package of the installed nginx; prints the directory of the unpacked tree. The system's list of
# sources stays as it is: a copy has the same places, but for source packages.
nginx_source() {
    local version tree apt=$sanitized/apt
    version=$(version_of_binary nginx)
    tree=$sanitized/source/nginx-$version
    if [[ ! -e $tree ]]; then
        rm -rf "$apt" "$sanitized/source"
        mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial} "$sanitized/source"
        copy_sources "$apt/parts"
        local options=(-q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$apt/parts"
            -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
        ((EUID != 0)) || options+=(-o APT::Sandbox::User=root) # apt's own user may not read everywhere
        run_quietly source-package unpack_source "$tree" "${options[@]}"
    fi
    say "$tree"
}

unpack_source() { # TREE OPTION-OF-APT...
    local tree=$1 version versions
    shift
    cd "${tree%/*}"
    apt-get "$@" update
    versions=$(source_versions "$@")
    for version in $versions; do
        if apt-get "$@" --download-only source "nginx=$version"; then
            dpkg-source -x "nginx_$version.dsc" unfinished
            mv unfinished "$tree"
            return
        fi
    done
    die "there is no source package of this nginx to be had"
}

# The versions of the same release of nginx, the installed one first and then from new to old: an archive drops the
# version that a newer one has replaced, and may not have the newer one yet.
source_versions() { # OPTION-OF-APT...
    local installed
    installed=$(dpkg-query -W -f '${source:Version}' nginx)
    apt-cache "$@" showsrc nginx | sed -n 's/^Version: //p' | sort -Vr |
        awk -v installed="$installed" -v release="${installed%%-*}-" '
            $0 == installed { first = $0 "\n" }
            $0 != installed && index($0, release) == 1 { rest = rest $0 "\n" }
            END { printf "%s%s", first, rest }'
}

copy_sources() { # DIRECTORY
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ ! -s $file ]] || sed 's/^deb /deb-src /' "$file" >"$1/${file##*/}.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ ! -s $file ]] || sed 's/^Types: *deb *$/Types: deb-src/' "$file" >"$1/${file##*/}"
    done
}

# The options of the distribution, with other flags.
sanitized_options() { # OBJECT-WITH-SETTINGS
    options_of nginx | sed '/^--with-\(cc\|ld\)-opt=/d'
    local debug="-DNGX_DEBUG_PALLOC=1 -DNGX_DEBUG_MALLOC=1 -DNGX_SUPPRESS_WARN=1"
    say "--with-cc-opt=-O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=address $debug"
    # The object has the settings of the sanitizers, for a nginx that upgrades itself starts without an environment.
    say "--with-ld-opt=-fPIC -fsanitize=address,undefined $1"
    say "--with-debug"
    say "--with-poll_module" # which no distribution has, and t/delivery/poll.t and t/subscribe/request_with_body.t need
    say "--with-select_module"
}

# UBSan for the objects of the module alone, AddressSanitizer for all by the options of nginx.
build_sanitized_module() { # SOURCE DIRECTORY FLAGS OPTION...
    local source=$1 directory=$2 flags=$3
    shift 3
    SSE_CXXFLAGS="-fsanitize=undefined $flags" \
        build_module "$source" "$directory" gcc "$directory/$module" "$@"
}

# Sets `source` and `options`, and builds nginx.
prepare_sanitized_nginx() {
    local settings
    need sanitize
    mkdir -p "$sanitized"
    settings=$sanitized/$(cksum <t/sanitize.c | tr -d ' ').o # another name makes another nginx
    gcc -c -fPIC -o "$settings" t/sanitize.c
    source=$(nginx_source)
    read_lines options sanitized_options "$settings"
    build_nginx "$source" "$sanitized/nginx" "${options[@]}"
}

# In place of those of suite.sh.
prepare_module() {
    local source options
    prepare_sanitized_nginx
    build_sanitized_module "$source" "$sanitized/module" -DSSE_ASSERTIONS "${options[@]}"
    build_for_distribution gcc "$root/build/$module" # some tests look at that one
}

prepare_faults() {
    local source options
    prepare_sanitized_nginx
    build_sanitized_module "$source" "$sanitized/faults" -DSSE_FAULTS "${options[@]}"
}

prepare_unit() {
    make -s -j"$jobs" -f t/unit/Makefile out=build/sanitize/unit FLAGS="-fsanitize=address,undefined -DSSE_ASSERTIONS"
}

prepare_sim() {
    make -s -j"$jobs" -f t/sim/Makefile out=build/sanitize/sim steps= FLAGS="-fsanitize=address,undefined"
}

# The unit tests under valgrind, without the sanitizers, which it does not go with.
valgrind_unit_tests() {
    make -s -j"$jobs" -f t/unit/Makefile
    TEST_UNIT_RUNNER="valgrind -q --error-exitcode=99 --leak-check=full --fair-sched=yes" prove t/unit/run.t
}

test_sanitized() { # ARGUMENT...
    local tests options whole together alone
    select_tests "$@"
    prepare_tests ${whole:+sanitize}
    [[ ! $whole ]] || valgrind_unit_tests
    export TEST_NGINX_BINARY=$sanitized/nginx/objs/nginx
    export TEST_NGINX_MODULE=$sanitized/module/$module TEST_NGINX_FAULTS_MODULE=$sanitized/faults/$module
    export TEST_UNIT_DIRECTORY=build/sanitize/unit TEST_SIM_DIRECTORY=build/sanitize/sim
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    export TEST_NGINX_SANITIZE=1 # for tests that cannot find what they look for then
    run_tests
}
