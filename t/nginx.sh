# shellcheck shell=bash disable=SC2154,SC2164
# nginx itself from its source: sourced by what tests with another nginx than the one that is installed.

# Builds nginx into DIRECTORY/objs/nginx.
build_nginx() ( # SOURCE DIRECTORY OPTION...
    source=$1 directory=$2
    shift 2
    mkdir -p "$directory"
    exec 9<"$directory"
    flock 9 # two builds at once take turns
    version=$(version_of_source "$source")
    wanted=$(printf '%s\n' "$source" "$version" "$@")
    if [[ ! -x $directory/objs/nginx ]] || ! has_content "$directory/fingerprint" "$wanted"; then
        rm -f "$directory/fingerprint"
        say "building nginx $version in ${directory#"$root"/}"
        run_quietly "nginx-$version" make_nginx "$source" "$directory" "$@"
        say "$wanted" >"$directory/fingerprint"
    fi
)

make_nginx() { # SOURCE DIRECTORY OPTION...
    run_configure "$@"
    make -s -j"$jobs" -f "$2/objs/Makefile" binary
}
