#!/usr/bin/env bash
# Builds, runs, tests and installs ngx_http_sse_module on Debian; see `./build.sh help`.
set -Eeuo pipefail
shopt -s inherit_errexit

caller=$PWD
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
root=$PWD
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps nginx, and not in the path of a normal user

module=ngx_http_sse_module.so
snippet=/usr/share/nginx/modules-available/mod-http-sse.conf
enabled=/etc/nginx/modules-enabled/50-mod-http-sse.conf

say() { printf '%s\n' "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

# --- failures ---------------------------------------------------------------------------------------------------

# Nothing fails silently. The trap names the command that ends this script, and noisy commands run with run_quietly.
# Bash loses a status in three places, so commands that can fail must not stand there: in $(...) among the words of a
# command (assign it to a variable first, and declare that variable before), in <(...), and in a function that is called
# in a condition.

name_what_fails() {
    trap 'complain "${PIPESTATUS[*]}" "${BASH_SOURCE[0]##*/}:$LINENO" "${BASH_COMMAND//\"\$@\"/$*}"' ERR
}

complain() { # STATUS-OF-EACH-IN-A-PIPELINE PLACE COMMAND
    local command=${3%%$'\n'*} # of a subshell the start is enough
    printf 'build.sh: %s failed with status %s: %.200s\n' "$2" "$1" "$command" >&2
}

# Runs a command in a subshell that ends with the first failure in it, and sets `status`. Not for conditions, in which
# bash goes on after a failure.
attempt() { # COMMAND...
    trap - ERR
    set +e
    (
        set -e
        name_what_fails
        "$@"
    )
    status=$?
    set -e
    name_what_fails
}

# Runs a command, function or not, whose output nobody wants to see unless it fails. Not for conditions, either.
run_quietly() { # NAME COMMAND...
    local status log=build/log/$1.log
    mkdir -p "$root/build/log"
    attempt "${@:2}" >"$root/$log" 2>&1
    ((status == 0)) || {
        show_end_of "$root/$log"
        die "$1 failed with status $status; that was the end of $log"
    }
}

show_end_of() { tail -n 20 "$1" | sed 's/^/    /' >&2; }

# Sets an array to the lines that a command prints.
read_lines() { # ARRAY COMMAND...
    local text
    text=$("${@:2}")
    eval "$1=()"
    [[ ! $text ]] || mapfile -t "$1" <<<"$text"
}

# True if that is what the file holds.
has_content() { [[ -e $1 && $2 == "$(<"$1")" ]]; } # FILE TEXT

name_what_fails
jobs=$(nproc)

# --- help -------------------------------------------------------------------------------------------------------

help_text() {
    case ${1:-all} in
    deps) cat <<'TEXT' ;;
./build.sh deps [COMMAND | WORD]
    Installs the missing Debian packages that COMMAND needs (default: test), or that a test with WORD in its line
    "# needs:" needs. Needs root or sudo if something is missing. A newly installed nginx is not started.
TEXT
    build) cat <<'TEXT' ;;
./build.sh build [--compiler gcc|clang] [--nginx-src DIR] [--without-bus]
    Builds the module. Files that are up to date are not built again.
      (no option)         for the nginx of the installed Debian release, into build/ngx_http_sse_module.so
      --compiler clang    the same with clang, into build/clang/
      --nginx-src DIR     for the nginx of the source tree DIR, into build/nginx-VERSION/. The configure options are
                          those of DIR/objs/nginx, or of the installed nginx if it has the same version, or only
                          --with-compat. Distributions patch their nginx: a module that is built from the original
                          source of the same version loads there but does not work.
      --without-bus       without sse_bus, which needs hiredis, into a directory whose name ends with -without-bus
    The environment variable SSE_CXXFLAGS adds compiler flags; with SSE_WITHOUT_BUS=1 all commands build without
    sse_bus.
TEXT
    run) cat <<'TEXT' ;;
./build.sh run
    Builds the module and starts the demo (docker/nginx.conf, two workers) in the foreground on 127.0.0.1:8080.
    Ctrl-C stops it and cleans up. The environment variable SSE_PORT sets another port. Browsers speak HTTP/2 over TLS
    only: that is on port 8443, or SSE_TLS_PORT, with a self-signed certificate.
TEXT
    test) cat <<'TEXT' ;;
./build.sh test [--sanitize | --matrix [RELEASE]... | --nginx-src DIR] [TEST | FOLDER | OPTION OF prove]...
    Builds the module with gcc, with clang and with fault points (build/faults/), the unit tests, the simulation of the
    log and the fuzz targets, and runs all tests. If tests or folders are named, it builds what they need and runs only
    these:
      ./build.sh test t/publish
      ./build.sh test -v t/publish/every_transport.t
    One more test runs at a time than there are processors; with an option of prove, and if they measure times, one at a
    time. The fuzz targets run for 3 seconds each, or for 10 if CI is set in the environment.
      --sanitize          the same with AddressSanitizer and UBSan, in an nginx that is built with them from the
                          distribution's source package, in build/sanitize/; the unit tests also run under valgrind
      --matrix            the same in clean root directories of the named Debian releases, or of all: bookworm
                          (nginx 1.22), trixie (1.26) and forky (1.30), the latter two with HTTP/3. debootstrap makes
                          them in build/matrix/, which needs root, and about 10 minutes and 3 GB each. If a test fails,
                          its root directory is kept. The command fails if there is a release that it cannot test.
      --nginx-src DIR     the same with the nginx of the source tree DIR, which is built in build/test-nginx-VERSION/
TEXT
    fuzz) cat <<'TEXT' ;;
./build.sh fuzz [NAME]... [--seconds N] [--corpus DIR] [--no-build]
    Builds the fuzz targets t/fuzz/NAME.cpp, all or those that are named, with clang, libFuzzer, AddressSanitizer and
    UBSan, and runs them, two at a time. For each it says how much was executed and what was found.
      --seconds N         how long each runs (default: 60)
      --corpus DIR        new inputs go to DIR/NAME, and the next run begins with them (default: build/fuzz/corpus)
      --no-build          runs the targets as they were built before
    Each run also begins with the inputs in t/fuzz/corpus/NAME. Failing inputs go to build/fuzz/findings/.
TEXT
    cross) cat <<'TEXT' ;;
./build.sh cross [ARCH] [TEST | FOLDER | OPTION OF prove]...
    Compiles the module, the unit tests and the simulation of the log for another processor, and runs tests with them in
    qemu's user-mode emulation, with the nginx that this Debian release has for that processor. ARCH is arm64 (the
    default), ppc64el, riscv64 or s390x. The packages for it are unpacked in build/cross/ARCH, not installed. The module
    goes to build/cross/ARCH/module/. If no tests are named, it runs t/unit, t/sim, and the tests of the module that
    depend on the processor, on memory, or on nginx's processes.
TEXT
    chaos) cat <<'TEXT' ;;
./build.sh chaos [ARGUMENT]...
    Builds the module, with and without fault points, and runs t/chaos/chaos.pl, which kills workers, reloads and
    upgrades nginx under load, and counts lost events. The head of that file lists its arguments, such as --seconds N.
TEXT
    bench) cat <<'TEXT' ;;
./build.sh bench [--only NAME[,NAME]...] [--rounds N] [--quick] [--save] [--list] [--subscribers N] [--before MODULE]
    Measures the module, similar modules in Debian (nchan; push-stream from Debian 13 on), and a program that only
    writes, in turn, and checks that every event arrives once and in order.
      --only NAME         only these works
      --rounds N          how often each is repeated (default: 5); some start five processes per round
      --quick             a tenth of the work, one round: to check that everything runs; the figures mean little
      --save              writes the tables to t/bench/RESULTS.md, too
      --list              lists the works
      --subscribers N     number of subscribers in the work "many" (default: 100000)
      --before MODULE     compares with that older build of the module, and with nothing else
    Run nothing else on the machine meanwhile.
TEXT
    clients) cat <<'TEXT' ;;
./build.sh clients [--save] [--jobs N] [LANGUAGE | LANGUAGE/CLIENT]...
    Installs client libraries for JavaScript, Python, Go, Rust and Java, in the versions that t/clients/drivers/ pins,
    and takes each of them, two browsers and curl through everything that can happen to a stream: events of all kinds,
    heartbeats, cuts, reloads, gaps, refusals, ends. Fails if the results differ from the table in docs/clients.md.
    All clients together take about ten minutes, and another five to install. Needs Go 1.26, Rust 1.95 and Java 17, or
    later.
      LANGUAGE, LANGUAGE/CLIENT  only these, of browser, javascript, python, go, rust, java, curl: javascript/undici go
      --save                     writes the results to the table, and does not compare
      --jobs N                   how many run at a time (default: 4)
TEXT
    install) cat <<'TEXT' ;;
./build.sh install
    Builds the module, copies it to nginx's modules, enables it in nginx's configuration, and checks that with
    `nginx -t`. Needs root or sudo. nginx is not reloaded.
TEXT
    uninstall) cat <<'TEXT' ;;
./build.sh uninstall
    Removes what `./build.sh install` has made, and checks the configuration with `nginx -t`, which reports directives
    of the module that are left in it. Needs root or sudo. nginx is not reloaded, and installed packages stay.
TEXT
    dist) cat <<'TEXT' ;;
./build.sh dist
    Packs the sources into build/dist/ngx_http_sse_module-VERSION.tar.gz, from which packages and images are built.
    VERSION is the newest in CHANGES. The same sources give the same bytes, both from a checkout and from an unpacked
    release. The files have the time of the last commit, or SOURCE_DATE_EPOCH.
TEXT
    image) cat <<'TEXT' ;;
./build.sh image [--base IMAGE | --make-base | --test]
    Builds the images sse:VERSION (nginx and the module) and sse-demo:VERSION from the archive of `./build.sh dist`,
    with docker or podman, whichever works; the environment variable SSE_ENGINE selects one.
      --base IMAGE        uses that Debian image as base (default: debian:12-slim)
      --make-base         packs a root directory of the installed Debian release into build/image/base.tar, which an
                          engine without access to a registry can import: podman import build/image/base.tar NAME.
                          It uses debootstrap, so this needs root
      --test              builds both on such a base, in an engine of its own (podman with runc), and tests them. Needs
                          root, and some minutes
TEXT
    package) cat <<'TEXT' ;;
./build.sh package [--release RELEASE]... [--test]
    Makes the Debian package libnginx-mod-http-sse from the archive of `dist`, in build/package/RELEASE/, for the named
    releases or for all: bookworm, trixie and forky. Each is built in a clean root directory from debootstrap, so this
    needs root. Lintian must not complain, and a second build must give the same bytes.
      --test              also installs it in a fresh root directory, upgrades it under load and removes it
TEXT
    lint) cat <<'TEXT' ;;
./build.sh lint
    Checks that no part of src includes a higher layer (t/layers.sh), and runs clang-format, clang-tidy, cppcheck and
    shellcheck on the sources. Changes nothing.
TEXT
    clean) cat <<'TEXT' ;;
./build.sh clean
    Removes everything that the other commands have made in this tree.
TEXT
    all) cat <<'TEXT' ;;
./build.sh COMMAND [ARGUMENT]...

    deps       installs the Debian packages that are missing
    build      builds build/ngx_http_sse_module.so
    run        builds, then runs the demo on http://127.0.0.1:8080/ until Ctrl-C
    test       builds, then runs all tests
    cross      builds for arm64 or another processor, then runs tests in an emulation
    fuzz       builds, then runs the fuzz targets
    chaos      builds, then injects faults under load
    bench      builds, then measures the module and its peers
    clients    builds, then tests client libraries of other projects
    install    builds, then installs the module for Debian's nginx
    uninstall  removes the installed module
    dist       packs the sources for a release
    image      builds the container images
    package    makes the Debian package
    lint       checks the style of the sources
    clean      removes what was built
    help       shows this text; `./build.sh COMMAND --help` says more

Every command installs what it needs, so you can begin with any of them on a fresh Debian 12 or 13.
TEXT
    *) die "there is no command \"$1\"; try ./build.sh help" ;;
    esac
}

# --- packages ---------------------------------------------------------------------------------------------------

packages_of() {
    local bus=libhiredis-dev
    [[ ! ${SSE_WITHOUT_BUS:-} ]] || bus=""
    case $1 in
    build | install | module | faults) say nginx nginx-dev g++ make "$bus" ;;
    without-bus) say nginx nginx-dev g++ make ;;
    run | demo) say nginx nginx-dev g++ make "$bus" python3 openssl ;;
    clang) say clang ;;
    source) say g++ make libpcre2-dev libssl-dev zlib1g-dev "$bus" ;;
    harness) say perl libio-socket-ssl-perl curl openssl ;;
    unit) say g++ make libcmocka-dev libhiredis-dev ;;
    sim) say g++ make libcmocka-dev ;;
    fuzz) say make clang libclang-rt-dev llvm libcmocka-dev libhiredis-dev ;;
    browser) say chromium nodejs npm ca-certificates ;;
    browsers) say chromium firefox-esr libnss3-tools ;;
    node) say nodejs ;;
    clients | schemas | drivers | driver-javascript) say nodejs npm ca-certificates ;;
    driver-browser) packages_of_each browsers drivers ;;
    driver-python) packages_of python ;;
    driver-go) say golang-go ;;
    driver-rust) say cargo ;;
    driver-java) say default-jdk-headless maven ;;
    driver-curl) ;;
    nghttp) say nghttp2-client ;;
    haproxy | lighttpd | squid) say "$1" ;;
    varnish) # in the coming release under another name, with the same programs
        if grep -qx 'VERSION_CODENAME=forky' /etc/os-release; then say vinyl-cache; else say varnish; fi
        ;;
    apache) say apache2 ;;
    nghttpx) say nghttp2-proxy ;;
    caddy) say caddy python3 python3-pip ca-certificates ;;
    envoy | traefik) say python3 python3-pip ca-certificates ;;
    express) say nodejs npm ca-certificates ;;
    flask) say python3-flask ;;
    spring) say maven default-jdk-headless ca-certificates ;;
    njs) say libnginx-mod-http-js ;;
    python) say python3 python3-pip ca-certificates ;;
    redis)
        if grep -qx 'VERSION_ID="12"' /etc/os-release; then say redis-server; else say valkey-server; fi
        ;;
    netns) say iproute2 iptables ;;
    mqtt) say mosquitto mosquitto-clients jq ;;
    git) say git ;;
    prometheus) say prometheus ;;
    package) say build-essential debhelper dpkg-dev lintian ;;
    nothing) ;;
    chaos) packages_of_each harness module ;;
    bench)
        say nginx nginx-dev g++ make perl libio-socket-ssl-perl openssl libcmocka-dev libhiredis-dev libnginx-mod-nchan
        grep -qx 'VERSION_ID="12"' /etc/os-release || say libnginx-mod-http-push-stream
        ;;
    matrix | image-base) say debootstrap ;;
    image) say podman runc debootstrap ;;
    cross) say nginx nginx-dev g++ make qemu-user ;;
    g++-*) say "$1" ;;
    sanitize) say dpkg-dev libpcre2-dev libssl-dev zlib1g-dev valgrind ;;
    lint) say nginx nginx-dev g++ make libhiredis-dev clang clang-format clang-tidy cppcheck shellcheck ;;
    *) die "there is nothing to install for \"$1\"" ;;
    esac
}

packages_of_each() { # WHAT...
    local what
    for what in "$@"; do
        packages_of "$what"
    done
}

# Asks for what a package brings, not for the package: it may have come another way.
has() {
    case $1 in
    nginx-dev) [[ -x /usr/share/nginx/src/configure ]] ;;
    libpcre2-dev) [[ -e /usr/include/pcre2.h ]] ;;
    libssl-dev) [[ -e /usr/include/openssl/ssl.h ]] ;;
    zlib1g-dev) [[ -e /usr/include/zlib.h ]] ;;
    libclang-rt-dev) compgen -G "$(clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*.a" >/dev/null ;;
    llvm) command -v llvm-symbolizer >/dev/null ;; # names the lines of a finding
    libcmocka-dev) [[ -e /usr/include/cmocka.h ]] ;;
    libhiredis-dev) [[ -e /usr/include/hiredis/read.h ]] ;;
    libnginx-mod-nchan) [[ -e /usr/lib/nginx/modules/ngx_nchan_module.so ]] ;;
    libnginx-mod-http-push-stream) [[ -e /usr/lib/nginx/modules/ngx_http_push_stream_module.so ]] ;;
    libnginx-mod-http-js) [[ -e /usr/lib/nginx/modules/ngx_http_js_module.so ]] ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    libio-socket-ssl-perl) perl -MIO::Socket::SSL -e 1 2>/dev/null ;;
    ca-certificates) [[ -e /etc/ssl/certs/ca-certificates.crt ]] ;;
    build-essential) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed' ;; # so asks dpkg
    debhelper) command -v dh >/dev/null ;;
    dpkg-dev) command -v dpkg-source >/dev/null ;;
    perl) command -v prove >/dev/null ;; # the interpreter alone is in perl-base
    iproute2) command -v ip >/dev/null ;;
    libnss3-tools) command -v certutil >/dev/null ;;
    mosquitto) [[ -x /usr/sbin/mosquitto ]] ;; # not in the path of a normal user
    mosquitto-clients) command -v mosquitto_sub >/dev/null ;;
    g++-*) command -v "${1#g++-}-g++" >/dev/null ;;
    qemu-user) command -v qemu-aarch64 >/dev/null ;;
    golang-go) command -v go >/dev/null ;;
    default-jdk-headless) command -v javac >/dev/null ;;
    maven) command -v mvn >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    nghttp2-client) command -v nghttp >/dev/null ;;
    nghttp2-proxy) command -v nghttpx >/dev/null ;;
    varnish | vinyl-cache) command -v varnishd >/dev/null ;;
    python3-flask) python3 -c 'import flask' 2>/dev/null || /usr/bin/python3 -c 'import flask' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        command -v sudo >/dev/null || die "only root can do this: $*"
        sudo "$@"
    fi
}

# Debian starts a service when it installs one, unless this file says no.
install_packages() {
    as_root bash -s -- "$@" <<'SCRIPT'
set -euo pipefail
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q </dev/null
apt-get install -y -q --no-install-recommends "$@" </dev/null
SCRIPT
}

need() { # WHAT...
    local what package packages missing=()
    for what in "$@"; do
        packages=$(packages_of "$what")
        for package in $packages; do
            has "$package" || [[ " ${missing[*]} " == *" $package "* ]] || missing+=("$package")
        done
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "missing, and this is no Debian to install them on: ${missing[*]}"
    ((EUID == 0)) || command -v sudo >/dev/null || die "only root can install what is missing: ${missing[*]}"
    say "installing ${missing[*]}"
    run_quietly apt-get install_packages "${missing[@]}"
}

# --- the module -------------------------------------------------------------------------------------------------

# What a nginx says about itself, which it does on its standard error.
answer_of() { # BINARY OPTION
    local text
    text=$("$1" "$2" 2>&1) || die "$1 $2 failed with status $?: $text"
    say "$text"
}

# The options that a nginx was configured with, one a line, without the modules that are built beside it and without
# the flag that a C++ compiler warns about.
options_of() {
    local text
    text=$(answer_of "$1" -V)
    sed -n 's/^configure arguments: //p' <<<"$text" | xargs -r printf '%s\n' |
        sed -E '/=dynamic$|^--add-(dynamic-)?module=|^--builddir=/d; s/ -Werror=implicit-function-declaration//'
}

version_of_source() { sed -n 's/^#define NGINX_VERSION  *"\(.*\)".*/\1/p' "$1/src/core/nginx.h"; }
version_of_binary() {
    local text
    text=$(answer_of "$1" -v)
    sed -n 's|.*nginx/\([0-9.]*\).*|\1|p' <<<"$text"
}

options_for_source() {
    local wanted installed=""
    if [[ -x $1/objs/nginx ]]; then
        options_of "$1/objs/nginx"
        return
    fi
    wanted=$(version_of_source "$1")
    ! command -v nginx >/dev/null || installed=$(version_of_binary nginx)
    if [[ $installed == "$wanted" ]]; then
        options_of nginx
    else
        say --with-compat
    fi
}

# nginx's configure writes into the tree it is started in: give it one of links to the real one.
link_tree() { # SOURCE LINKS
    local entry
    rm -rf "$2"
    mkdir -p "$2"
    for entry in "$1"/*; do
        case ${entry##*/} in
        Makefile | objs) ;;
        *) ln -s "$entry" "$2" ;;
        esac
    done
}

# Everything that the makefile of the module follows from.
fingerprint() { # OPTION...
    printf '%s\n' "$root" "$@" "${SSE_CXXFLAGS:-}" "${SSE_WITHOUT_BUS:-}"
    find src -name '*.[ch]pp' | LC_ALL=C sort
    cat config config.make
}

run_configure() { # NGINX-SOURCE DIRECTORY OPTION...
    local source=$1 directory=$2 script=./configure
    shift 2
    link_tree "$source" "$directory/nginx"
    rm -rf "$directory/objs"
    cd "$directory/nginx"
    [[ -x $script ]] || script=auto/configure # a checkout has it there
    "$script" "$@" --builddir="$directory/objs"
}

configure() { # NGINX-SOURCE DIRECTORY COMPILER OPTION...
    run_configure "$1" "$2" --with-cc="$3" "${@:4}" --add-dynamic-module="$root"
}

# Builds for one nginx with one compiler and leaves the module at OUTPUT.
build_module() ( # NGINX-SOURCE DIRECTORY COMPILER OUTPUT OPTION...
    source=$1 directory=$2 compiler=$3 output=$4
    shift 4
    mkdir -p "$directory" "${output%/*}"
    exec 9<"$directory"
    flock 9 # two builds at once take turns
    version=$(version_of_source "$source")
    wanted=$(fingerprint "$source" "$version" "$compiler" "$@")
    if [[ ! -e $directory/objs/Makefile ]] || ! has_content "$directory/fingerprint" "$wanted"; then
        rm -f "$directory/fingerprint"
        run_quietly "configure-${directory##*/}" configure "$source" "$directory" "$compiler" "$@"
        say "$wanted" >"$directory/fingerprint"
    fi
    make -s -j"$jobs" -C "$directory/nginx" -f "$directory/objs/Makefile" modules
    # The linker lets a shared object miss anything; nginx could not load one that misses something of C++ or hiredis.
    undefined=$(nm -Du "$directory/objs/$module")
    if foreign=$(grep -E ' U (_Z|__cxa|__gxx|redis|sds|hi_)' <<<"$undefined"); then
        c++filt <<<"$foreign" >&2
        die "that is used and nowhere defined; nginx has no C++ library, and no hiredis"
    fi
    if ! cmp -s "$directory/objs/$module" "$output"; then
        # A new file, for a nginx may have the old one mapped.
        cp "$directory/objs/$module" "$output.new"
        mv "$output.new" "$output"
    fi
)

build_for_distribution() { # COMPILER OUTPUT [DIRECTORY]
    local options
    read_lines options options_of nginx
    build_module /usr/share/nginx/src "${3:-$root/build/$1}" "$1" "$2" "${options[@]}"
}

# A module that can be made to kill its worker at any step of a change, for tests.
build_with_faults() {
    SSE_CXXFLAGS="-DSSE_FAULTS ${SSE_CXXFLAGS:-}" \
        build_for_distribution gcc "$root/build/faults/$module" "$root/build/faults"
}

build_for_source() { # DIRECTORY COMPILER SUFFIX
    local options source=$1 directory version
    [[ -e $source/src/core/nginx.h ]] || die "$source is no nginx source tree"
    version=$(version_of_source "$source")
    directory=$root/build/nginx-$version
    [[ $2 == gcc ]] || directory+=-$2
    directory+=$3
    read_lines options options_for_source "$source"
    build_module "$source" "$directory" "$2" "$directory/$module" "${options[@]}"
    say "built ${directory#"$root"/}/$module"
}

# --- commands ---------------------------------------------------------------------------------------------------

# Some commands need the packages of several words, or of another word than their name.
verb_deps() {
    case ${1:-test} in
    test)
        source t/suite.sh
        need_for_all_tests
        ;;
    clients) need harness module driver-{browser,javascript,python,go,rust,java} ;;
    package) need matrix ;;
    dist | uninstall | clean) ;;
    *) need "$1" ;;
    esac
}

verb_build() {
    local compiler=gcc source="" suffix="" directory output
    while (($#)); do
        case $1 in
        --compiler)
            compiler=${2:?which compiler?}
            shift
            ;;
        --nginx-src)
            source=$(cd "$caller" && realpath -e "${2:?which directory?}")
            shift
            ;;
        --without-bus)
            suffix=-without-bus
            export SSE_WITHOUT_BUS=1
            ;;
        *) die "unknown argument \"$1\"; try ./build.sh build --help" ;;
        esac
        shift
    done
    [[ $compiler == gcc || $compiler == clang ]] || die "the compiler is gcc or clang, not \"$compiler\""

    if [[ $source ]]; then need source; else need build; fi
    [[ $compiler == gcc ]] || need clang
    if [[ $source ]]; then
        build_for_source "$source" "$compiler" "$suffix"
    else
        directory=$root/build/$compiler$suffix
        output=$directory/$module
        [[ $compiler$suffix != gcc ]] || output=$root/build/$module
        build_for_distribution "$compiler" "$output" "$directory"
        say "built ${output#"$root"/}"
    fi
}

verb_run() {
    source docker/run.sh
    run_demo
}

verb_test() {
    source t/suite.sh
    case ${1:-} in
    --sanitize)
        source t/sanitize.sh
        test_sanitized "${@:2}"
        ;;
    --matrix)
        source t/matrix.sh
        test_matrix "${@:2}"
        ;;
    --nginx-src)
        source t/source.sh
        test_source "${@:2}"
        ;;
    *) test_here "$@" ;;
    esac
}

verb_cross() {
    source t/suite.sh
    source t/matrix.sh
    source t/cross.sh
    test_cross "$@"
}

verb_fuzz() {
    source t/fuzz.sh
    fuzz "$@"
}

verb_chaos() {
    need chaos
    build_for_distribution gcc "$root/build/$module"
    build_with_faults
    export TEST_NGINX_MODULE=$root/build/$module TEST_NGINX_FAULTS_MODULE=$root/build/faults/$module
    exec perl t/chaos/chaos.pl "$@"
}

verb_bench() {
    need bench
    build_for_distribution gcc "$root/build/$module"
    build_with_faults
    make -s -j"$jobs" -f t/unit/Makefile build/unit/index_work
    make -s -j"$jobs" -f t/bench/Makefile
    exec perl t/bench/bench "$@"
}

verb_clients() {
    source t/suite.sh
    source t/clients.sh
    drive_clients "$@"
}

modules_directory() {
    local directory
    directory=$(options_of nginx | sed -n 's/^--modules-path=//p')
    [[ $directory ]] || die "this nginx has no --modules-path"
    say "$directory"
}

# The package brings the same files.
refuse_beside_package() {
    ! dpkg-query -S "$snippet" >/dev/null 2>&1 || die "the package libnginx-mod-http-sse is installed; remove that first"
}

verb_install() {
    local modules
    need install
    refuse_beside_package
    build_for_distribution gcc "$root/build/$module"
    modules=$(modules_directory)
    as_root install -D -m 644 "build/$module" "$modules/$module.new"
    as_root mv "$modules/$module.new" "$modules/$module"
    as_root install -D -m 644 /dev/stdin "$snippet" <<<"load_module modules/$module;"
    as_root mkdir -p "${enabled%/*}"
    as_root ln -sf "$snippet" "$enabled"
    as_root nginx -t || die "nginx does not take it; to have it as before: rm $enabled"
    say "installed $modules/$module, loaded by $enabled"
}

# Of the directories those go that install has had to make, and that nothing else is in.
verb_uninstall() {
    local modules directory
    command -v nginx >/dev/null || die "there is no nginx to remove it from"
    refuse_beside_package
    modules=$(modules_directory)
    [[ -e $modules/$module || -e $snippet || -L $enabled ]] || die "it is not installed"
    as_root rm -f "$enabled" "$snippet" "$modules/$module"
    for directory in "$modules" "${modules%/*}" "${snippet%/*}"; do
        [[ ! -d $directory ]] || dpkg-query -S "$directory" >/dev/null 2>&1 ||
            as_root rmdir --ignore-fail-on-non-empty "$directory"
    done
    as_root nginx -t || die "removed, but nginx does not take its configuration without it"
    say "removed $modules/$module, $snippet and $enabled"
}

version() { sed -n 's/^Changes with ngx_http_sse_module //p' CHANGES | head -n 1; }

# The source files: those that git knows, or, without a repository, all that no command has made.
source_files() {
    if [[ -e .git ]]; then
        git ls-files
    else
        find . \( -path ./build -o -name node_modules \) -prune -o -type f -printf '%P\n'
    fi | LC_ALL=C sort
}

verb_dist() {
    local name epoch=${SOURCE_DATE_EPOCH:-} directory=build/dist
    name=ngx_http_sse_module-$(version)
    if [[ ! $epoch && -e .git ]]; then epoch=$(git log -1 --format=%ct); fi
    [[ $epoch ]] || epoch=$(stat -c %Y CHANGES)
    mkdir -p "$directory"
    source_files | tar --create --no-recursion --format=ustar --transform="s|^|$name/|" \
        --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r-w,a+X --files-from=- |
        gzip -n9 >"$directory/$name.tar.gz.new"
    mv "$directory/$name.tar.gz.new" "$directory/$name.tar.gz"
    say "packed $directory/$name.tar.gz"
}

verb_image() {
    source t/image.sh
    image "$@"
}

verb_package() {
    source t/package.sh
    make_packages "$@"
}

verb_lint() {
    local failed=() check status
    need lint
    build_for_distribution gcc "$root/build/$module" # its configure makes headers that nginx's need
    for check in lint_layers lint_format lint_tidy lint_cppcheck lint_shell; do
        attempt "$check"
        ((status == 0)) || failed+=("${check#lint_}")
    done
    ((${#failed[@]} == 0)) || die "complaints of: ${failed[*]}"
    say "nothing to complain about"
}

lint_layers() { t/layers.sh; }

sources_in() { find "$@" -name node_modules -prune -o -name '*.[ch]pp' -print | LC_ALL=C sort; }

lint_format() { sources_in src t | xargs clang-format --dry-run -Werror; }

lint_tidy() {
    local tree=$root/build/gcc part
    {
        printf '%s\n' -std=c++20 -fno-exceptions -fno-rtti "-I$root/src" "-isystem$tree/objs"
        for part in core event event/modules event/quic os/unix http http/modules http/v2 http/v3; do
            say "-isystem$tree/nginx/src/$part"
        done
    } >"$tree/compile_flags.txt"
    sources_in src | grep 'cpp$' | xargs -n 4 -P "$jobs" clang-tidy --quiet -p "$tree"
}

lint_cppcheck() {
    cppcheck --quiet --std=c++20 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppress=legacyUninitvar \
        --suppress=uninitMemberVar -j "$jobs" -Isrc src
}

lint_shell() { shellcheck -x build.sh .ci/run docker/run.sh t/*.sh t/package/*.sh docker/debian/tests/smoke; }

verb_clean() {
    rm -rf build t/{browser,clients,clients/drivers/javascript,image}/node_modules
}

# --- main -------------------------------------------------------------------------------------------------------

verb=${1:-help}
shift || true
case $verb in
help | -h | --help) help_text "$@" ;;
deps | build | run | test | cross | fuzz | chaos | bench | clients | install | uninstall | dist | image | package | lint | clean)
    case ${1:-} in
    -h | --help) help_text "$verb" ;;
    *) "verb_$verb" "$@" ;;
    esac
    ;;
*) die "there is no command \"$verb\"; try ./build.sh help" ;;
esac
