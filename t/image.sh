# shellcheck shell=bash disable=SC2154
# ./build.sh image: sourced by build.sh, whose functions and variables it uses.

images=$root/build/image

# The first of the engines that works here.
find_engine() {
    local engine
    for engine in ${SSE_ENGINE:-docker podman}; do
        ! "$engine" info >/dev/null 2>&1 || break
        engine=""
    done
    [[ $engine ]] || die "no container engine works here: ${SSE_ENGINE:-docker or podman}"
    say "$engine"
}

# The context is exactly what `./build.sh dist` packs, so an image contains nothing that a release does not.
unpack_context() { # DIRECTORY
    rm -rf "$1"
    mkdir -p "$1"
    (verb_dist >/dev/null)
    tar -xz --strip-components=1 -C "$1" -f "build/dist/ngx_http_sse_module-$(version).tar.gz"
}

build_image() { # TARGET NAME ENGINE OPTION...
    local format=()
    [[ $3 == docker ]] || format=(--format docker) # the other one has no health check
    "$3" build "${format[@]}" "${@:4}" --file "$images/context/docker/Dockerfile" --target "$1" \
        --label "org.opencontainers.image.version=$(version)" --tag "$2:$(version)" "$images/context"
    say "built $2:$(version)"
}

# A root directory of the installed Debian release, in place of an image from a registry.
make_image_base() {
    local release directory=$images/base
    need image-base
    source t/matrix.sh
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && say "$VERSION_CODENAME")
    mkdir -p "$images"
    run_quietly image-base make_base "$release" "$directory"
    tar -C "$directory" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' -cf "$directory.tar.new" .
    mv "$directory.tar.new" "$directory.tar"
    rm -rf --one-file-system "$directory"
    say "packed ${directory#"$root"/}.tar"
}

image() { # ARGUMENT...
    local engine options=()
    while (($#)); do
        case $1 in
        --base)
            options+=(--build-arg "BASE=${2:?which image?}")
            shift
            ;;
        --make-base)
            make_image_base
            return
            ;;
        --test)
            test_image
            return
            ;;
        *) die "unknown argument \"$1\"; try ./build.sh image --help" ;;
        esac
        shift
    done
    engine=$(find_engine)
    unpack_context "$images/context"
    build_image server sse "$engine" "${options[@]}"
    build_image demo sse-demo "$engine" "${options[@]}"
}

# Everything of the Dockerfile, on a base that debootstrap makes, in an engine of its own.
test_image() {
    source t/suite.sh
    TEST_IMAGE_WHOLE=1 test_here -v t/image/image.t
}
