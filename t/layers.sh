#!/usr/bin/env bash
# Which part of src may include which: `./build.sh lint` fails if a part includes a higher one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# From the bottom up. An include leads to a lower line, or stays within its folder; parts on one line do not include
# each other.
layers='
sse
log
bus-plain
version.hpp
ngx.hpp
zone.hpp
roster
counters
keys
conf
http
output
fanout
worker
bus
listing
publish subscribe status health kick
module.cpp
'
# These do not depend on nginx, so they can be tested and fuzzed on plain memory.
without_nginx='src/sse/* src/log/* src/roster/roster.* src/roster/counter.hpp src/counters/counts.* src/keys/key_table.* src/keys/slots.hpp src/publish/intake.*
    src/bus/stream_id.* src/bus/redis_url.* src/bus/reply.* src/bus/command.* src/bus/entry.* src/bus/sync.*
    src/bus/decimal.hpp src/bus/kick_entry.* src/bus/bus_state.* src/bus/bus_fault.* src/bus/request_record.*
    src/bus/order.* src/bus/flight.* src/bus/idempotency.*'

# Prints what each header includes.
headers=$(grep -roE --include='*.[ch]pp' '^#include "[^"]+"' src | sort | awk -v layers="$layers" '
    BEGIN {
        rows = split(layers, row, "\n")
        for (i = 1; i <= rows; ++i) {
            parts = split(row[i], part, " ")
            for (j = 1; j <= parts; ++j) rank[part[j]] = i
        }
    }
    # The folder of a file, or the file itself (as a header) if it lies in src. A zone and its lock are one
    # part; of the bus, what knows nothing of nginx lies lower than the rest.
    function part_of(path) {
        sub(/^zone_lock\./, "zone.", path)
        sub(/^bus\/(sync|decimal|stream_id|redis_url|reply|command|entry|kick_entry|bus_state|bus_fault)\./, "bus-plain/", path)
        if (!sub(/\/.*/, "", path) && path != "module.cpp") sub(/\.cpp$/, ".hpp", path)
        return path
    }
    {
        split($0, field, ":#include ")
        from = substr(field[1], 5)
        to = substr(field[2], 2, length(field[2]) - 2)
        here = part_of(from)
        there = part_of(to)
        if (!(here in rank) || !(there in rank)) { print from ": \"" (here in rank ? there : here) "\" is in no layer" > "/dev/stderr"; bad = 1 }
        else if (here != there && rank[there] >= rank[here]) { print from " includes " to ", which does not lie below it" > "/dev/stderr"; bad = 1 }
        if (from ~ /\.hpp$/) print from, to
    }
    END { exit bad }')
tsort <<<"$headers" >/dev/null || { echo "headers include each other in a circle" >&2; exit 1; }

# Nor do the headers that they include.
# shellcheck disable=SC2086 # patterns
included=$(g++ -std=c++20 -Isrc -x c++ -MM -MG $without_nginx)
# shellcheck disable=SC2086
if grep -n ngx <<<"$included" || grep -nE 'ngx_[a-z]+_[a-z]' $without_nginx; then
    echo "these files must not know nginx: $without_nginx" >&2
    exit 1
fi
if grep -rn '#include <ngx' src --exclude=ngx.hpp; then
    echo "headers of nginx are included by src/ngx.hpp alone" >&2
    exit 1
fi
twice=$(find src -mindepth 1 -type d -printf '%f\n' | sort | uniq -d)
if [[ $twice ]]; then
    echo "nginx names objects after their last folder, so there cannot be two of: $twice" >&2
    exit 1
fi
