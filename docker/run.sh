# shellcheck shell=bash disable=SC2154
# ./build.sh run: sourced by build.sh, whose functions and variables it uses. The demo, with two workers, the programs that
# publish what its pages show, and nothing left of it at the end.

producers="producers/service_log producers/ticks producers/sensors producers/notifications producers/deploys"

# True if something answers on the port of this machine.
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Lays out the demo below PREFIX as its nginx.conf wants it. Without a TLS-PORT it is without HTTP/2.
lay_out_demo() { # PREFIX PORT TLS-PORT
    mkdir -p "$1/modules" "$1/logs" "$1/temp"
    chmod 755 "$1" # the workers of a root's nginx are nobody
    cp "build/$module" "$1/modules"
    cp -r docker/html "$1"
    sed "s/127\.0\.0\.1:8080/127.0.0.1:$2/" docker/nginx.conf >"$1/nginx.conf"
    sed "s|PREFIX|$1|" docker/control/control.conf >"$1/control.conf"
    [[ ! $3 ]] || lay_out_tls "$1" "$3"
}

# The page Limits finds the port in a file. Until 1.25.1 HTTP/2 was an option of "listen", which later ones warn about.
lay_out_tls() { # PREFIX TLS-PORT
    local version adapt=()
    version=$(version_of_binary nginx)
    printf '%s\n' 1.25.1 "$version" | sort -V -C || adapt=(-e '/^http2 on;$/d' -e 's/ ssl;$/ ssl http2;/')
    run_quietly certificate openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$1/tls.key" -out "$1/tls.crt"
    sed "${adapt[@]}" -e "s/127\.0\.0\.1:8443/127.0.0.1:$2/" docker/control/tls.conf >"$1/tls.conf"
    say "{\"port\":$2}" >"$1/html/http2.json"
}

# A program of the demo, which is started again if it is killed.
keep_running() { # PROGRAM ARGUMENT...
    local program=""
    trap 'kill "$program" 2>/dev/null || true; exit 0' TERM
    while :; do
        PYTHONDONTWRITEBYTECODE=1 python3 "$@" &
        program=$!
        wait "$program" || sleep 1
    done
}

# The programs that publish what the pages show, and the one that does to nginx what the page On the wire asks for.
start_programs() { # URL PREFIX
    local name
    for name in chat/producer $producers; do
        keep_running "docker/$name.py" "$1" &
        programs+=($!)
    done
    keep_running docker/control/control.py "$2/control.sock" "$2/logs/nginx.pid" &
    programs+=($!)
}

# Ends what run_demo has started and removes what it has made.
end_demo() {
    local process
    for process in "${programs[@]}" "$nginx"; do
        [[ ! $process ]] || kill "$process" 2>/dev/null || true
    done
    for process in "${programs[@]}" "$nginx"; do
        [[ ! $process ]] || wait "$process" || true
    done
    rm -rf "$prefix"
}

run_demo() {
    local port=${SSE_PORT:-8080} tls_port
    [[ $port =~ ^[0-9]+$ ]] || die "SSE_PORT is no port: \"$port\""
    tls_port=${SSE_TLS_PORT:-$((port + 363))}
    [[ $tls_port =~ ^[0-9]+$ ]] || die "SSE_TLS_PORT is no port: \"$tls_port\""
    need run
    build_for_distribution gcc "$root/build/$module"
    ! listening "$port" || die "port $port of 127.0.0.1 is in use; try SSE_PORT=8081 ./build.sh run"

    nginx="" programs=() prefix=$(mktemp -d)
    trap end_demo EXIT
    trap 'exit 0' INT TERM HUP
    if listening "$tls_port"; then
        say "port $tls_port is in use, so there is no HTTP/2; SSE_TLS_PORT names another one"
        tls_port=""
    fi
    lay_out_demo "$prefix" "$port" "$tls_port"
    nginx -p "$prefix" -c "$prefix/nginx.conf" -e stderr -g "daemon off;" &
    nginx=$!

    until [[ -s $prefix/logs/nginx.pid ]]; do # it listens on all of its ports
        kill -0 "$nginx" 2>/dev/null || die "nginx did not start"
        sleep 0.05
    done
    start_programs "http://127.0.0.1:$port" "$prefix"
    say "http://127.0.0.1:$port/"
    wait "$nginx"
}
