// SipHash-2-4 against its authors' test vectors.
#include <set>
#include <string>

#include "cmocka.hpp"
#include "log/siphash.hpp"

using namespace sse;

namespace {

// Key 00 01 … 0f; the text of n bytes is 00 01 … n-1.
constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string text(size_t length) {
    std::string bytes;
    for (size_t i = 0; i < length; ++i) {
        bytes.push_back(static_cast<char>(i));
    }
    return bytes;
}

void knownAnswers(void**) {
    const struct {
        size_t length;
        uint64_t hash;
    } answers[] = {
        {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a}, {3, 0x85676696d7fb7e2d},
        {4, 0xcf2794e0277187b7}, {5, 0x18765564cd99a68d},  {6, 0xcbc9466e58fee3ce}, {7, 0xab0200f58b01d137},
        {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
    };
    for (const auto& answer : answers) {
        assert_true(sipHash(kKey, text(answer.length)) == answer.hash);
    }
}

void everyBitCounts(void**) {
    std::set<uint64_t> hashes;
    size_t inputs = 0;
    for (size_t length = 0; length <= 40; ++length) {
        hashes.insert(sipHash(kKey, text(length)));
        ++inputs;
        for (size_t bit = 0; bit < 8 * length; ++bit) {
            std::string changed = text(length);
            changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
            hashes.insert(sipHash(kKey, changed));
            ++inputs;
        }
    }
    for (size_t bit = 0; bit < 128; ++bit) {
        SipKey key = kKey;
        key[bit / 64] ^= uint64_t{1} << bit % 64;
        hashes.insert(sipHash(key, "channel"));
        ++inputs;
    }
    assert_int_equal(hashes.size(), inputs);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(knownAnswers), cmocka_unit_test(everyBitCounts)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
