# shellcheck shell=bash disable=SC2034,SC2154
# ./build.sh cross: sourced by build.sh, whose functions and variables it uses.
#
# The module, the unit tests and the simulation for another processor, compiled on this machine and run in qemu's
# user-mode emulation. The libraries and the nginx that loads the module are Debian's for that processor: their packages
# are downloaded and unpacked in build/cross/ARCH/root, not installed.

cross=$root/build/cross
architectures=(arm64 ppc64el riscv64 s390x)

# What compilers call a processor.
triplet_of() { # ARCH
    case $1 in
    arm64) say aarch64-linux-gnu ;;
    ppc64el) say powerpc64le-linux-gnu ;;
    *) say "$1-linux-gnu" ;;
    esac
}

# The name that the kernel, and mostly also qemu, has for it.
machine_of() { triplet_of "$1" | sed 's/-.*//; s/powerpc64/ppc64/'; } # ARCH

# Downloads the packages and their dependencies, as if nothing were installed, and unpacks them.
make_cross_root() { # ARCH DIRECTORY PACKAGE...
    local arch=$1 directory=$2 apt=$2.apt package packages security release
    shift 2
    rm -rf "$directory" "$apt"
    mkdir -p "$apt"/{lists/partial,cache/archives/partial} "$directory/usr"
    packages=$(archive Debian)
    security=$(archive Debian-Security)
    [[ $packages ]] || die "apt knows no archive of Debian, perhaps before apt-get update"
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    sources_of "$release" "$packages" "$security" |
        sed 's|^deb |&[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |' >"$apt/sources.list"
    : >"$apt/status"
    local options=(-q -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch" -o APT::Install-Recommends=false
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::status=$apt/status" -o "Dir::State::extended_states=$apt/extended"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Debug::NoLocking=true)
    ((EUID != 0)) || options+=(-o APT::Sandbox::User=root) # apt's own user may not read everywhere
    apt-get "${options[@]}" update
    apt-get "${options[@]}" --download-only --yes install "$@"
    # As in an installed system, so that what one package has in /lib is where another looks for it.
    for package in bin lib sbin; do
        mkdir -p "$directory/usr/$package"
        ln -s "usr/$package" "$directory/$package"
    done
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$directory"
    done
    rm -rf "$apt"
}

write_script() { # FILE TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod 755 "$1"
}

# What nginx's configure and the tests call: a C compiler; what runs a program; and nginx, which is named as itself so
# that it starts itself again when it is upgraded.
#
# configure asks the machine what it is, and measures the processor with programs that it makes and runs, each called
# "autotest". So there is a uname that answers for the other processor, and the compiler puts a script in the place of
# such a program, which has qemu run it. (--crossbuild would do neither: nginx takes the other processor for an i386
# then, and tries to run the programs all the same.)
write_cross_commands() { # ARCH
    local triplet machine emulator
    triplet=$(triplet_of "$1")
    machine=$(machine_of "$1")
    emulator="exec qemu-$machine -L '$directory/root'"
    mkdir -p "$directory/bin"
    write_script "$directory/run" "$emulator \"\$@\""
    write_script "$directory/nginx" "$emulator -0 \"\$0\" '$directory/root/usr/sbin/nginx' \"\$@\""
    write_script "$directory/bin/uname" "[ \"\$*\" != -m ] || exec echo $machine
exec /bin/uname \"\$@\""
    write_script "$directory/c++" "exec $triplet-g++ --sysroot='$directory/root' \"\$@\""
    write_script "$directory/cc" "$triplet-gcc --sysroot='$directory/root' \"\$@\" || exit
for word; do
    case \$word in
    */autotest)
        mv \"\$word\" \"\$word.program\"
        printf '#!/bin/sh\\nexec %s %s.program\\n' '$directory/run' \"\$word\" >\"\$word\"
        chmod 755 \"\$word\"
        ;;
    esac
done"
}

# What a processor needs: the compiler, its part of Debian, the commands.
prepare_cross() { # ARCH
    local triplet version theirs packages=(nginx libcmocka-dev libhiredis-dev libpcre2-dev libssl-dev zlib1g-dev
        libc6-dev libstdc++6 libgcc-s1)
    triplet=$(triplet_of "$1")
    need cross "g++-$triplet"
    mkdir -p "$directory"
    if ! has_content "$directory/packages" "${packages[*]}"; then
        say "unpacking Debian's packages for $1"
        run_quietly "cross-$1" make_cross_root "$1" "$directory/root" "${packages[@]}"
        say "${packages[*]}" >"$directory/packages"
    fi
    write_cross_commands "$1"
    version=$(version_of_source /usr/share/nginx/src)
    theirs=$(version_of_binary "$directory/nginx")
    [[ $version == "$theirs" ]] || die "nginx-dev is of nginx $version, and the nginx for $1 is $theirs"
}

build_cross_module() { # DIRECTORY
    local settings
    read_lines settings options_of "$directory/nginx"
    PATH=$directory/bin:$PATH \
        build_module /usr/share/nginx/src "$1" "$directory/cc" "$1/$module" "${settings[@]}"
}

make_cross() { # MAKEFILE OUT
    make -s -j"$jobs" -f "$1" out="$2" CXX="$directory/c++"
}

# These replace those of suite.sh.
prepare_module() { build_cross_module "$directory/module"; }
prepare_faults() { SSE_CXXFLAGS="-DSSE_FAULTS ${SSE_CXXFLAGS:-}" build_cross_module "$directory/faults"; }
prepare_unit() { make_cross t/unit/Makefile "$relative/unit"; }
prepare_sim() { make_cross t/sim/Makefile "$relative/sim"; }

# What is tested unless something is named: the log and all that knows no nginx, and of the module what depends on the
# processor, on its memory, or on nginx's processes.
cross_tests=(t/unit t/sim t/publish/every_transport.t t/subscribe t/reload t/zone
    t/crash/{chaos,every_step_of_a_change,kicks_and_limits,killed_workers}.t)

test_cross() { # [ARCH] [ARGUMENT]...
    local arch=arm64 directory relative tests options whole together alone
    if [[ " ${architectures[*]} " == *" ${1:-} "* ]]; then
        arch=$1
        shift
    elif [[ ${1:--} != -* && ! -e $1 ]]; then
        die "\"$1\" is neither a test nor one of the processors ${architectures[*]}"
    fi
    directory=$cross/$arch relative=build/cross/$arch
    (($#)) || set -- "${cross_tests[@]}"
    select_tests "$@"
    prepare_cross "$arch"
    prepare_tests
    export TEST_NGINX_BINARY=$directory/nginx TEST_NGINX_EMULATED=1
    export TEST_NGINX_MODULE=$directory/module/$module TEST_NGINX_FAULTS_MODULE=$directory/faults/$module
    export TEST_UNIT_DIRECTORY=$relative/unit TEST_SIM_DIRECTORY=$relative/sim TEST_UNIT_RUNNER=$directory/run
    run_tests
}
