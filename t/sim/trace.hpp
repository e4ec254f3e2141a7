// The last steps before a failure, for debugging.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>

namespace sse::sim {

class Trace {
public:
    // `format` is for printf(), and outlives the trace. It is only rendered if something fails.
    void note(const char* format, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) noexcept {
        notes_[count_++ % notes_.size()] = {format, a, b, c};
    }

    void clear() noexcept { count_ = 0; }

    void print() const noexcept {
        for (uint64_t i = count_ < notes_.size() ? 0 : count_ - notes_.size(); i < count_; ++i) {
            const Note& note = notes_[i % notes_.size()];
            std::printf("#   ");
            std::printf(note.format, note.a, note.b, note.c);
            std::printf("\n");
        }
    }

private:
    struct Note {
        const char* format;
        uint64_t a, b, c;
    };

    std::array<Note, 40> notes_{};
    uint64_t count_ = 0;
};

inline Trace trace;

} // namespace sse::sim
