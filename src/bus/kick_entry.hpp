// A kick on its way to the other machines: an entry of the control stream.
//
//   kick     1
//   key      the key whose streams end,
//   channel  of which channel; at least one of the two
//   for      for how many seconds their subscribers are refused
//   by       the machine that sent the kick, and has already kicked; none if another program sent it
//
// Other fields are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bus/reply.hpp"

namespace sse {

// The longest that a kick holds. A client that is to be kept away for longer must be refused by what checks
// its access.
inline constexpr uint64_t kMostKickSeconds = 30 * 24 * 3600;

struct KickEntry {
    std::string_view key = {};     // empty: not by key
    std::string_view channel = {}; // empty: not by channel
    uint64_t seconds = 0;
    std::string_view by = {};
};

// `fields` is the second element of an entry; the kick has views of it. Nothing if the entry is not a kick,
// or not a valid one.
std::optional<KickEntry> readKick(const Reply& fields) noexcept;

// The fields of a kick as words, names and values in turn: what XADD takes after the id. They refer to the
// kick and to this object.
class KickWords {
public:
    explicit KickWords(const KickEntry& kick) noexcept;
    KickWords(const KickWords&) = delete;
    KickWords& operator=(const KickWords&) = delete;

    std::span<const std::string_view> view() const noexcept { return {words_, count_}; }

    static constexpr size_t kMost = 10; // words

private:
    void add(std::string_view name, std::string_view value) noexcept;

    std::string_view words_[kMost];
    size_t count_ = 0;
    char seconds_[20];
};

} // namespace sse
