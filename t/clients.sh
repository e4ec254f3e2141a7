# shellcheck shell=bash disable=SC2154
# ./build.sh clients: sourced by build.sh, whose functions and variables it uses. It installs third-party clients as
# t/clients/drivers/ pins them, builds the programs that drive them, and runs t/clients/clients.pl.

drivers=t/clients/drivers
built=build/clients

drive_clients() { # ARGUMENT...
    local argument language languages=()
    for argument in "$@"; do
        [[ $argument == -* || $argument =~ ^[0-9]+$ ]] || languages+=("${argument%%/*}")
    done
    ((${#languages[@]})) || languages=(browser javascript python go rust java curl)
    for language in "${languages[@]}"; do
        [[ -d $drivers/$language ]] || die "there are no clients in \"$language\"; try ./build.sh clients --help"
    done
    need harness module "${languages[@]/#/driver-}"
    build_for_distribution gcc "$root/build/$module"
    for language in "${languages[@]}"; do
        prepare_driver "$language"
    done
    exec perl t/clients/clients.pl "$@"
}

# The libraries want newer tools than some releases of Debian have.
need_version() { # NAME VERSION COMMAND...
    local said
    said=$("${@:3}")
    [[ $said =~ [0-9]+\.[0-9]+ ]] || die "$1 does not print its version: $said"
    printf '%s\n' "$2" "${BASH_REMATCH[0]}" | sort -V -C ||
        die "$1 ${BASH_REMATCH[0]} is too old for these clients, which need $2 or later"
}

# Runs a command unless its result is newer than what it is made of.
unless_newer() { # NAME RESULT DIRECTORY COMMAND...
    local changed=yes
    if [[ -e $2 ]]; then
        changed=$(find "$3" -name node_modules -prune -o -type f -newer "$2" -print)
    fi
    [[ ! $changed ]] || run_quietly "clients-$1" "${@:4}"
}

prepare_driver() { # LANGUAGE
    mkdir -p "$built"
    case $1 in
    curl) ;;
    browser | javascript) prepare_drivers ;;
    python)
        prepare_python
        unless_newer python "$built/python/installed" "$drivers/python" install_python_clients
        ;;
    go)
        need_version Go 1.26 go version
        unless_newer go "$built/go/drivers" "$drivers/go" go build -C "$drivers/go" -o "$root/$built/go/drivers" .
        ;;
    rust)
        need_version Rust 1.95 cargo --version
        unless_newer rust "$built/rust/debug/drivers" "$drivers/rust" \
            cargo build --locked --manifest-path "$drivers/rust/Cargo.toml" --target-dir "$built/rust"
        ;;
    java) unless_newer java "$built/java/Driver.class" "$drivers/java" build_java_clients ;;
    esac
}

install_python_clients() {
    rm -rf "$built/python"
    mkdir -p "$built/python"
    python3 -m pip install --no-deps --require-hashes --target "$built/python" -r "$drivers/python/requirements.txt"
    touch "$built/python/installed"
}

build_java_clients() {
    local copy=org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies
    rm -rf "$built/java"
    mvn -q -B -f "$drivers/java/pom.xml" $copy -DoutputDirectory="$root/$built/java/jars"
    javac -cp "$built/java/jars/*" -d "$built/java" "$drivers/java/Driver.java"
}
