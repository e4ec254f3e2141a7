// Cuts the input of a fuzz target into pieces: its first byte says how long they are.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Ends the run at a finding, also where assert is compiled out.
inline void require(bool truth) {
    if (!truth) {
        std::abort();
    }
}

// Calls `take` with the pieces of `text`, each in a heap block of exactly its size, until it returns false.
template <typename Take>
void eachPiece(std::string_view text, size_t length, Take&& take) {
    for (size_t at = 0; at < text.size(); at += length) {
        const std::string_view piece = text.substr(at, length);
        char* exact = new char[piece.size()];
        piece.copy(exact, piece.size());
        const bool goOn = take(std::string_view(exact, piece.size()));
        delete[] exact;
        if (!goOn) {
            return;
        }
    }
}
