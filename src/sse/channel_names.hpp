// Names of channels in one run of bytes, each after a byte with its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sse/buffer.hpp"
#include "sse/event.hpp"

namespace sse {

// What a name takes: its length is in a byte.
static_assert(kMaxChannelName <= UINT8_MAX);
inline constexpr size_t kMaxPackedName = 1 + kMaxChannelName;

// Calls visit(std::string_view name) with each of them in order, until it returns false; returns whether none
// did.
template <typename Visit>
bool eachName(std::string_view names, Visit&& visit) noexcept {
    while (!names.empty()) {
        const auto length = static_cast<uint8_t>(names.front());
        if (!visit(std::string_view(names.data() + 1, length))) {
            return false;
        }
        names.remove_prefix(size_t{1} + length);
    }
    return true;
}

inline size_t countNames(std::string_view names) noexcept {
    size_t count = 0;
    eachName(names, [&count](std::string_view) noexcept { return ++count != 0; });
    return count;
}

inline bool hasName(std::string_view names, std::string_view name) noexcept {
    return !eachName(names, [name](std::string_view one) noexcept { return one != name; });
}

// Adds a channel's name after the others; false without memory.
inline bool addName(Buffer& names, std::string_view name) noexcept {
    const char length = static_cast<char>(name.size());
    return names.append({&length, 1}) && names.append(name);
}

} // namespace sse
