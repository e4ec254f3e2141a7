// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): hashes channel names with a secret
// key, which keeps clients from choosing names that collide.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sse {

using SipKey = std::array<uint64_t, 2>;

uint64_t sipHash(const SipKey& key, std::string_view text) noexcept;

} // namespace sse
