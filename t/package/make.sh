#!/usr/bin/env bash
# Makes the package in a root directory of its own, see t/package.sh, from /root/source.tar.gz. Leaves in
#   /build/result   the packages, what dpkg wrote of them, and the source package
#   /build/next     the same package as a version that is newer by one, for the test of upgrades
# Lintian has no complaint, and a second build, at another place and time, has the same bytes.
set -Eeuo pipefail
trap 'echo "make.sh: line $LINENO failed with status $?" >&2' ERR

release=$1 version=$2 suffix=$3
name=libnginx-mod-http-sse
export DEBIAN_FRONTEND=noninteractive

as_builder() { runuser -u builder -- "$@"; }

# The sources at DIRECTORY, with debian/ where dpkg looks for it.
unpack() { # DIRECTORY
    mkdir -p "$1"
    tar -xzf /root/source.tar.gz --strip-components=1 -C "$1"
    cp -r "$1/docker/debian" "$1/debian"
    cp /root/source.tar.gz "$1/../${name}_$version.orig.tar.gz"
    [[ ! $suffix ]] || add_entry "$1" "$(dpkg-parsechangelog -l "$1/debian/changelog" -S Version)$suffix" "Build for $release."
}

# A new version, of a minute later.
add_entry() { # DIRECTORY VERSION TEXT
    local changelog=$1/debian/changelog old maintainer date
    old=$(<"$changelog")
    maintainer=$(dpkg-parsechangelog -l "$changelog" -S Maintainer)
    date=$(dpkg-parsechangelog -l "$changelog" -S Timestamp)
    date=$(date -u -R -d "@$((date + 60))")
    printf '%s (%s) %s; urgency=medium\n\n  * %s\n\n -- %s  %s\n\n%s\n' \
        "$name" "$2" "$release" "$3" "$maintainer" "$date" "$old" >"$changelog"
}

checksums() { (cd "$1" && sha256sum ./*.deb); }

apt-get update -q
apt-get install -y -q --no-install-recommends build-essential lintian
useradd --create-home builder
install -d -o builder /build /build/first /build/again

unpack /build/first/tree
apt-get build-dep -y -q --no-install-recommends /build/first/tree
chown -R builder /build
cd /build/first/tree
as_builder dpkg-buildpackage -us -uc
cd ..
as_builder lintian --fail-on error,warning --info --display-info --pedantic ./*.changes
echo "result: lintian has no complaint"

install -d -o builder /build/again/elsewhere
unpack /build/again/elsewhere/sources
chown -R builder /build/again
cd /build/again/elsewhere/sources
(
    umask 027
    as_builder env TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS="nocheck parallel=1" dpkg-buildpackage -b -us -uc
)
diff <(checksums /build/first) <(checksums ..)
echo "result: a second build has the same bytes"

# Another version of the same code: only what comes after the compiler is done again.
mkdir /build/next
cp -a /build/first/tree /build/next/tree
cd /build/next/tree
add_entry . "$(dpkg-parsechangelog -S Version | sed "s/^$version/&.1/")" "Another version."
chown -R builder /build/next
as_builder env DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -nc -b -us -uc

mkdir /build/result
cd /build/first
find . -maxdepth 1 -type f -exec mv -t /build/result {} +
