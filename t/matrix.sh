# shellcheck shell=bash disable=SC2154
# ./build.sh test --matrix: sourced by build.sh, whose functions and variables it uses.
#
# Each Debian release gets a new root directory, which debootstrap makes from the package sources of this machine, with
# a copy of this tree in it and nothing else installed. Programs run there in mount and process namespaces of their own,
# so nothing is left when they end.

matrix=$root/build/matrix

# The package sources of this machine with the label Debian, or Debian-Security.
archive() {
    # shellcheck disable=SC2016
    apt-get indextargets "Created-By: Packages" "Label: $1" --format '$(REPO_URI)' | sed -n 1p
}

sources_of() { # RELEASE ARCHIVE SECURITY
    say "deb $2 $1 main"
    say "deb $2 $1-updates main"
    [[ ! $3 ]] || say "deb $3 $1-security main"
}

# A release as debootstrap makes it, with the package sources of this machine.
make_base() { # RELEASE DIRECTORY
    local release=$1 directory=$2 script=/usr/share/debootstrap/scripts/$1 packages security
    packages=$(archive Debian)
    security=$(archive Debian-Security)
    [[ $packages ]] || die "apt knows no archive of Debian, perhaps before apt-get update"
    rm -rf --one-file-system "$directory"
    [[ -e $script ]] || script=${script%/*}/sid # does for releases that this debootstrap does not know yet
    debootstrap --variant=minbase --include=ca-certificates "$release" "$directory" "$packages" "$script"
    sources_of "$release" "$packages" "$security" >"$directory/etc/apt/sources.list"
    apt-config dump | sed -nE '/^Acquire::(https?::Proxy|Check-)/p' >"$directory/etc/apt/apt.conf.d/90outside"
    say force-unsafe-io >"$directory/etc/dpkg/dpkg.cfg.d/unsafe" # the directory is temporary: no need to wait for disks
}

# Java, which comes later, takes over what the system trusts then.
trust_as_here() { # DIRECTORY
    local extra=/usr/local/share/ca-certificates
    if [[ -d $extra ]]; then
        mkdir -p "$1$extra"
        cp -r "$extra/." "$1$extra"
        chroot "$1" update-ca-certificates
    fi
    [[ ! ${NODE_EXTRA_CA_CERTS:-} ]] || install -D -m 644 "$NODE_EXTRA_CA_CERTS" "$1/etc/ssl/outside.crt"
}

make_root() { # RELEASE DIRECTORY
    local directory=$2
    make_base "$@"
    cp /etc/resolv.conf /etc/hosts "$directory/etc"
    trust_as_here "$directory"
    mkdir "$directory/root/tree"
    tar -c --exclude=./build --exclude=./.git --exclude=node_modules . |
        tar -x --no-same-owner -C "$directory/root/tree"
}

# Runs a command in the copy of this tree in a root directory.
enter_root() { # DIRECTORY VARIABLE=VALUE... COMMAND...
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        root=$1
        shift
        mount --bind "$root" "$root" # what is no mount cannot be the root of namespaces that tests make in it
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/dev/shm"
        mount --rbind /sys "$root/sys"
        env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/etc/ssl/outside.crt PIP_CERT=/etc/ssl/outside.crt} \
            chroot "$root" sh -c "cd /root/tree && exec env \"\$@\"" sh "$@"' bash "$@"
}

nginx_in() {
    local text
    text=$(chroot "$1" nginx -v 2>&1) || text=nginx/none
    say "nginx ${text##*nginx/}"
}

# Makes the root directory of a release and tests in it; sets verdict, and adds to bad. The directory stays when that
# fails.
test_release() { # RELEASE [ARGUMENT]...
    local release=$1 directory=$matrix/$1 log=$matrix/$1.log settings=(TEST_NGINX_REQUIRE_NETNS=1) status
    shift
    say "making $directory"
    attempt make_root "$release" "$directory" >"$log" 2>&1
    if ((status != 0)); then
        show_end_of "$log"
        bad+=("$release")
        verdict="NOT TESTED, there is no root directory; see $log"
        return
    fi
    # From Debian 13 on nginx and curl have HTTP/3, so its tests must not be skipped.
    [[ $release == bookworm ]] || settings+=(TEST_NGINX_REQUIRE_H3=1)
    if ! enter_root "$directory" "${settings[@]}" ./build.sh test "$@" 2>&1 | tee -a "$log"; then
        bad+=("$release")
        verdict="$(nginx_in "$directory"), FAILED; see $log and $directory"
        return
    fi
    verdict="$(nginx_in "$directory"), passed"
    rm -rf --one-file-system "$directory"
}

# Ends with a table; fails unless every release has been tested and has passed.
test_matrix() { # [RELEASE]... [ARGUMENT]...
    local releases=() release verdict table=() bad=()
    while [[ ${1:-} =~ ^(bookworm|trixie|forky)$ ]]; do
        releases+=("$1")
        shift
    done
    ((${#releases[@]})) || releases=(bookworm trixie forky)
    ((EUID == 0)) || die "NOT TESTED: only root can make root directories"
    unshare --mount --pid --net --fork true || die "NOT TESTED: not even root can make namespaces here"
    need matrix
    mkdir -p "$matrix"
    for release in "${releases[@]}"; do
        test_release "$release" "$@"
        table+=("$release: $verdict")
    done
    printf '%s\n' "" "${table[@]}"
    ((${#bad[@]} == 0)) || die "not passed: ${bad[*]}"
}
