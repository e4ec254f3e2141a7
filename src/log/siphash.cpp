#include "log/siphash.hpp"

#include <bit>
#include <cstddef>

namespace sse {

namespace {

struct State {
    uint64_t v0, v1, v2, v3;

    void rounds(int count) noexcept {
        while (count-- > 0) {
            v0 += v1;
            v1 = std::rotl(v1, 13) ^ v0;
            v0 = std::rotl(v0, 32);
            v2 += v3;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1;
            v1 = std::rotl(v1, 17) ^ v2;
            v2 = std::rotl(v2, 32);
        }
    }

    void absorb(uint64_t word) noexcept {
        v3 ^= word;
        rounds(2);
        v0 ^= word;
    }
};

// The bytes (at most 8) as a little-endian number.
uint64_t word(std::string_view bytes) noexcept {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return value;
}

} // namespace

uint64_t sipHash(const SipKey& key, std::string_view text) noexcept {
    // The four constants spell "somepseudorandomlygeneratedbytes".
    State state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                key[1] ^ 0x7465646279746573};
    const uint64_t length = text.size();

    while (text.size() >= 8) {
        state.absorb(word({text.data(), 8}));
        text.remove_prefix(8);
    }
    state.absorb(word(text) | length << 56);

    state.v2 ^= 0xff;
    state.rounds(4);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

} // namespace sse
