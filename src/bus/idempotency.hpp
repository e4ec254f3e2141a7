// Requests that are published as a whole, or that may come again. Redis runs one script for each: it checks
// what is known of the request, appends its entries, and remembers it. Any number of machines therefore act
// like one, and either all of a request is done or nothing.
//
// What is remembered of a request is kept in keys beside the stream, which expire:
//
//   <stream>:key:<length of the channel>:<channel>:<key>            the outcome
//   <stream>:producer:<length of the channel>:<channel>:<producer>  epoch, sequence, and the outcomes of the
//                                                                   last requests by <epoch>:<sequence>
//
// An outcome is "<id of the last entry> <1 if the channel has ended with it, or 0> <publisher id>".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bus/reply.hpp"
#include "bus/request_record.hpp"
#include "log/stamp.hpp"
#include "sse/buffer.hpp"
#include "sse/staged_events.hpp"

namespace sse {

// The script. Redis keeps it once it has been given it (SCRIPT LOAD), and knows it by a name from then on.
extern const std::string_view kPublishScript;
inline constexpr size_t kScriptName = 40; // bytes

// A request for one channel.
struct WholeRequest {
    std::string_view channel;
    std::string_view stamp;     // Stamp::bytes(); empty: it is not remembered
    const StagedEvents* events; // NULL: none
    bool ends;                  // the channel ends with the last event, or without any
    bool checksOnly = false;    // nothing is appended
    bool reopens = true;        // a channel that has ended begins again; see EntryFlags
};

// Adds the command that runs the script. `keep`: milliseconds for which the request is remembered. False
// without memory; then nothing has been added.
bool addPublishCommand(Buffer& out, std::string_view script, std::string_view stream,
                       const WholeRequest& request, uint64_t keep, std::string_view token) noexcept;

// Adds the command that asks the script for the newest entry of the stream: its id is short, however large
// the entry is. False without memory; then nothing has been added.
bool addNewestCommand(Buffer& out, std::string_view script, std::string_view stream) noexcept;

// The answer of the script; its kind is None if it cannot be read.
RequestRecord readRequestRecord(const Reply& reply) noexcept;

} // namespace sse
