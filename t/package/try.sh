#!/usr/bin/env bash
# What a user does with the package, in a root directory of its own, see t/package.sh: installs it, publishes, upgrades
# it under load, and removes it. The versions are in /root/old and /root/new. nginx runs in a network of its own.
set -Eeuo pipefail
trap 'echo "try.sh: line $LINENO failed with status $?" >&2' ERR

name=libnginx-mod-http-sse
enabled=/etc/nginx/modules-enabled/50-mod-http-sse.conf
export DEBIAN_FRONTEND=noninteractive

fetch() {
    apt-get update -q
    apt-get install -q -y --no-install-recommends perl libio-socket-ssl-perl curl iproute2
    apt-get install -q -y --no-install-recommends --download-only nginx
}

# All files of this system, except transient ones and the records of apt and dpkg.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root -o -path /var/log \
        -o -path /var/cache -o -path /var/lib/apt \) -prune -o -print | LC_ALL=C sort
}

version_of() { dpkg-deb -f "$1" Version; }
page() { curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/; }
fail() { echo "try.sh: $*" >&2; exit 1; }

# Tries until it succeeds, for at most ten seconds.
until_it_is() { # COMMAND...
    local tries=0
    until "$@"; do
        ((++tries < 100)) || fail "in vain: $*"
        sleep 0.1
    done
}
module_is_gone() {
    local pid master
    master=$(</run/nginx.pid)
    for pid in "$master" $(<"/proc/$master/task/$master/children"); do
        ! grep -qs ngx_http_sse_module "/proc/$pid/maps" || return 1
    done
}

if [[ ${1:-} != offline ]]; then
    fetch
    exec unshare --net "$0" offline
fi

ip link set lo up
old=$(echo /root/old/"$name"_*.deb)
new=$(echo /root/new/"$name"_*.deb)

# Without an init system nothing is started unless this says so.
printf '#!/bin/sh\nexit 0\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install -q -y --no-install-recommends --no-download nginx
service nginx status
files >/tmp/before

apt-get install -q -y "$old"
[[ $(<"$enabled") == "load_module modules/ngx_http_sse_module-$(version_of "$old").so;" ]] || fail "$enabled is wrong"
nginx -t
docker/debian/tests/smoke
echo "result: installed $(version_of "$old"), published and received"

perl t/package/upgrade.pl "$new" "$(version_of "$new")"
echo "result: upgraded to $(version_of "$new") under load"

apt-get remove -q -y "$name"
[[ $(page) == 200 ]] || fail "nginx does not serve after the removal"
! nginx -t || fail "there is no directive left that nginx does not know"
rm /etc/nginx/conf.d/sse.conf
nginx -t
service nginx reload
until_it_is module_is_gone
[[ $(page) == 200 ]] || fail "nginx does not serve after the removal"
apt-get purge -q -y "$name"
diff /tmp/before <(files)
echo "result: removed and purged, nothing is left and nginx serves"
