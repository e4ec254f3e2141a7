# shellcheck shell=bash disable=SC2154
# ./build.sh fuzz: sourced by build.sh, whose functions and variables it uses.
#
# A target is one t/fuzz/NAME.cpp. A line "// build: FLAGS" among its first lines adds flags of the compiler, a line
# "// run: OPTIONS" adds options of libFuzzer.

fuzzers=build/fuzz

fuzz_targets() { find t/fuzz -maxdepth 1 -name '*.cpp' -printf '%f\n' | sed 's/\.cpp$//' | LC_ALL=C sort; }

build_fuzz_targets() { # [NAME]...
    make -s -j"$jobs" -f t/unit/Makefile in=t/fuzz out="$fuzzers" CXX=clang++ \
        FLAGS="-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DSSE_ASSERTIONS" "${@/#/$fuzzers/}"
}

# Becomes the target. New inputs go to the first of the two directories; the second is only read.
exec_target() { # NAME SECONDS
    local text options
    text=$(sed -n '1,10s|^// run: *||p' "t/fuzz/$1.cpp")
    read -ra options <<<"$text"
    exec "$fuzzers/$1" -max_total_time="$2" -timeout=60 -report_slow_units=60 -print_final_stats=1 \
        -artifact_prefix="$fuzzers/findings/$1-" "${options[@]}" "$corpus/$1" "t/fuzz/corpus/$1"
}

# Says in a line how it went, and how to reproduce a finding; exits with 1 if there is one, or if nothing was executed.
tell_target() { # NAME EXIT-STATUS
    local log=$corpus/$1.log executions rate coverage findings finding
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    coverage=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    read_lines findings sed -n 's/.*Test unit written to //p' "$log"
    say "$1: ${executions:-0} executions, ${rate:-0} a second, coverage ${coverage:-unknown}, findings ${#findings[@]}"
    for finding in "${findings[@]}"; do
        say "    to reproduce it: $fuzzers/$1 $finding"
    done
    if (($2 != 0 || ${executions:-0} == 0 || ${#findings[@]})); then
        say "    exit status $2; what it said:"
        grep -v '^#[0-9]' "$log" | cut -c 1-200 | sed 's/^/    /' || true
        exit 1
    fi
}

# Runs the targets two at a time; a signal ends the running ones, and their results so far are printed.
run_fuzz_targets() { # SECONDS NAME...
    local seconds=$1 name pid status targets=("${@:2}")
    local -A running=() ended=()
    trap 'targets=(); kill "${!running[@]}" 2>/dev/null || true' INT TERM HUP
    while ((${#targets[@]} + ${#running[@]})); do
        if ((${#targets[@]} && ${#running[@]} < 2)); then
            name=${targets[0]} targets=("${targets[@]:1}")
            mkdir -p "$corpus/$name" "$fuzzers/findings"
            (exec_target "$name" "$seconds") >"$corpus/$name.log" 2>&1 &
            running[$!]=$name
            continue
        fi
        status=0
        wait -n -p pid "${!running[@]}" || status=$?
        if [[ ${pid:-} ]]; then # else it was a signal
            ended[${running[$pid]}]=$status
            unset "running[$pid]"
        fi
    done
    trap - INT TERM HUP

    local failed=()
    for name in "${@:2}"; do
        if [[ ! ${ended[$name]:-} ]]; then
            say "$name: 0 executions"
            failed+=("$name")
        else
            attempt tell_target "$name" "${ended[$name]}"
            ((status == 0)) || failed+=("$name")
        fi
    done
    ((${#failed[@]} == 0)) || die "findings, or targets that did not run to the end: ${failed[*]}"
}

fuzz() {
    local seconds=60 build=yes corpus=$fuzzers/corpus names=()
    while (($#)); do
        case $1 in
        --seconds)
            seconds=${2:?how many seconds?}
            shift
            ;;
        --corpus)
            corpus=$(cd "$caller" && realpath "${2:?which directory?}")
            shift
            ;;
        --no-build) build="" ;;
        *)
            [[ -e t/fuzz/$1.cpp ]] || die "there is no fuzz target \"$1\"; there are: $(fuzz_targets | xargs)"
            names+=("$1")
            ;;
        esac
        shift
    done
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "not a number of seconds: \"$seconds\""
    ((${#names[@]})) || read_lines names fuzz_targets
    if [[ $build ]]; then
        need fuzz
        build_fuzz_targets "${names[@]}"
    fi
    run_fuzz_targets "$seconds" "${names[@]}"
}
