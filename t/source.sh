# shellcheck shell=bash disable=SC2031,SC2034,SC2154
# ./build.sh test --nginx-src: sourced by build.sh, whose functions and variables it uses.
#
# A nginx that no release of Debian has is built from its source, and the module for it, both with the options of the
# installed nginx and all that tests ask for besides.

source t/nginx.sh

options_with_source() {
    options_of nginx
    say "--with-poll_module" # which no distribution has, and t/delivery/poll.t and t/subscribe/request_with_body.t need
    say "--with-select_module"
    [[ ! -e $source/src/http/v3 ]] || say "--with-http_v3_module"
}

# In place of those of suite.sh. `source` is the tree, and `directory` where all of it is built.
prepare_module() {
    local settings
    need module source
    read_lines settings options_with_source
    build_nginx "$source" "$directory" "${settings[@]}"
    build_module "$source" "$directory/module" gcc "$directory/module/$module" "${settings[@]}"
}

prepare_faults() {
    local settings
    read_lines settings options_with_source
    SSE_CXXFLAGS="-DSSE_FAULTS ${SSE_CXXFLAGS:-}" \
        build_module "$source" "$directory/faults" gcc "$directory/faults/$module" "${settings[@]}"
}

test_source() { # DIRECTORY [ARGUMENT]...
    local source directory version tests options whole together alone
    source=$(cd "$caller" && realpath -e "${1:?which directory?}")
    [[ -e $source/src/core/nginx.h ]] || die "$source is no nginx source tree"
    shift
    version=$(version_of_source "$source")
    directory=$root/build/test-nginx-$version
    select_tests "$@"
    prepare_tests ${whole:+source}
    export TEST_NGINX_BINARY=$directory/objs/nginx
    export TEST_NGINX_MODULE=$directory/module/$module TEST_NGINX_FAULTS_MODULE=$directory/faults/$module
    run_tests
}
