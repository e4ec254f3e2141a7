# shellcheck shell=bash disable=SC2154
# ./build.sh package: sourced by build.sh, whose functions and variables it uses.
#
# For each release of Debian there is a clean root directory, in which t/package/make.sh makes the package from the
# tarball, and, if it is to be tested, a second one, in which t/package/try.sh installs, upgrades and removes it.

source t/matrix.sh

package_usage="try ./build.sh package --help"

package_releases() {
    local release
    releases=() try=""
    while (($#)); do
        case $1 in
        --test) try=yes ;;
        --release)
            release=${2:-}
            [[ $release =~ ^(bookworm|trixie|forky)$ ]] || die "there is no release \"$release\"; $package_usage"
            releases+=("$release")
            shift
            ;;
        *) die "unknown argument \"$1\"; $package_usage" ;;
        esac
        shift
    done
    ((${#releases[@]})) || releases=(bookworm trixie forky)
}

# The suffix of the version in that release: it sorts before that of the next one, as upgrades of Debian require.
suffix_of() {
    case $1 in
    bookworm) say '~deb12u1' ;;
    trixie) say '~deb13u1' ;;
    *) say '' ;;
    esac
}

# Leaves the results in build/package/RELEASE.
make_package() { # RELEASE
    local directory=$packages/roots/$1 suffix
    suffix=$(suffix_of "$1")
    make_root "$1" "$directory"
    rm -rf --one-file-system "$directory.fresh" "${packages:?}/$1"
    [[ ! $try ]] || cp -a "$directory" "$directory.fresh"
    cp "build/dist/ngx_http_sse_module-$(version).tar.gz" "$directory/root/source.tar.gz"
    enter_root "$directory" t/package/make.sh "$1" "$(version)" "$suffix"
    cp -r "$directory/build/result" "$packages/$1"
}

# In a root directory that has never seen a compiler.
try_package() { # RELEASE
    local directory=$packages/roots/$1.fresh
    mkdir -p "$directory"/root/{old,new}
    cp "$packages/roots/$1"/build/result/*.deb "$directory/root/old"
    cp "$packages/roots/$1"/build/next/*.deb "$directory/root/new"
    enter_root "$directory" t/package/try.sh
}

# For one release; says how it went, and adds to `bad`. If it fails, the root directories stay.
package_release() { # RELEASE
    local step status log=$packages/$1.log
    : >"$log"
    for step in make try; do
        [[ $step == make || $try ]] || continue
        say "$1: ${step}_package; see ${log#"$root"/}"
        attempt "${step}_package" "$1" >>"$log" 2>&1
        ((status == 0)) || {
            show_end_of "$log"
            bad+=("$1: ${step}_package failed; see ${log#"$root"/} and ${packages#"$root"/}/roots")
            return 0
        }
        sed -n 's/^result: /    /p' "$log"
    done
    rm -rf --one-file-system "$packages/roots/$1" "$packages/roots/$1.fresh"
}

make_packages() { # ARGUMENT...
    local packages=$root/build/package releases release try bad=()
    package_releases "$@"
    ((EUID == 0)) || die "only root can make root directories"
    unshare --mount --pid --net --fork true || die "not even root can make namespaces here"
    need matrix
    verb_dist
    mkdir -p "$packages/roots"
    for release in "${releases[@]}"; do
        package_release "$release"
    done
    ((${#bad[@]} == 0)) || die "$(printf '%s\n' "${bad[@]}")"
    find "$packages" -maxdepth 2 -name '*.deb' -printf 'made build/package/%P\n' | LC_ALL=C sort
}
