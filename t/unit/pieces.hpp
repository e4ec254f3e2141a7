// Feeds text in pieces, and says which case failed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cmocka.hpp"

using namespace std::string_view_literals;

using Pieces = std::vector<std::string_view>;

// A copy in a heap block of exactly its size, so that the address sanitizer sees any byte read beyond it.
class Exact {
public:
    explicit Exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
        text.copy(bytes_.get(), size_);
    }
    std::string_view view() const { return {bytes_.get(), size_}; }

private:
    std::unique_ptr<char[]> bytes_;
    size_t size_;
};

// Calls `check` with the text whole, cut in two and in three at every position, and byte by byte; among the
// cuts are those that make an empty piece.
template <typename Check>
void everyCut(std::string_view text, Check&& check) {
    check(Pieces{text});
    for (size_t first = 0; first <= text.size(); ++first) {
        check(Pieces{text.substr(0, first), text.substr(first)});
        for (size_t second = first; second <= text.size(); ++second) {
            check(Pieces{text.substr(0, first), text.substr(first, second - first), text.substr(second)});
        }
    }
    Pieces bytes;
    for (size_t at = 0; at < text.size(); ++at) {
        bytes.push_back(text.substr(at, 1));
    }
    check(bytes);
}

// The text as one can read it in a message.
inline std::string readable(std::string_view text) {
    std::string out;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '\\') {
            out += c;
            continue;
        }
        char escape[5];
        snprintf(escape, sizeof(escape), "\\x%02x", byte);
        out += escape;
    }
    return out;
}

inline std::string readable(const Pieces& pieces) {
    std::string out;
    for (std::string_view piece : pieces) {
        out += (out.empty() ? "" : "|") + readable(piece);
    }
    return out;
}

inline void assertText(std::string_view actual, std::string_view expected, const std::string& where) {
    if (actual != expected) {
        fail_msg("%s: \"%s\" instead of \"%s\"", where.c_str(), readable(actual).c_str(),
                 readable(expected).c_str());
    }
}
