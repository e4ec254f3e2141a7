// The ring: the headers of the records at their offsets. Private to src/log.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "log/assert.hpp"
#include "log/layout.hpp"

namespace sse {

class Ring {
public:
    // `end`: records up to there count as if they were in the log, although readers do not see them yet. For
    // writers.
    Ring(LogHeader* header, std::byte* bytes, uint64_t end = 0) noexcept
        : header_(header), bytes_(bytes), capacity_(header->capacity), end_(end) {}

    // Bytes from there to the end of the ring.
    uint64_t rest(uint64_t offset) const noexcept { return restFrom(offset, capacity_); }
    char* at(uint64_t offset) const noexcept {
        return reinterpret_cast<char*>(bytes_ + placeOf(offset, capacity_));
    }

    // A reader's copy may be torn, and is then discarded; only each word must be whole.
    RecordHeader header(uint64_t offset) const noexcept {
        std::array<uint64_t, sizeof(RecordHeader) / 8> words;
        uint64_t* const shared = reinterpret_cast<uint64_t*>(at(offset));
        for (size_t i = 0; i < words.size(); ++i) {
            words[i] = std::atomic_ref(shared[i]).load(std::memory_order_relaxed);
        }
        return std::bit_cast<RecordHeader>(words);
    }

    // The header where it lies, for writers: no other process changes it meanwhile. NULL if there is none.
    const RecordHeader* find(uint64_t offset) const noexcept {
        if (!isInLog(offset)) {
            return nullptr;
        }
        const uint64_t place = placeOf(offset, capacity_);
        const bool isInRing = capacity_ - place >= sizeof(RecordHeader);
        return isInRing ? reinterpret_cast<const RecordHeader*>(bytes_ + place) : nullptr;
    }

    // Whether that is the name in the record whose header lies there.
    bool isNamed(const RecordHeader& header, std::string_view name) const noexcept {
        const std::byte* const place = reinterpret_cast<const std::byte*>(&header + 1);
        return header.nameLength == name.size() &&
               static_cast<uint64_t>(bytes_ + capacity_ - place) >= name.size() &&
               std::memcmp(place, name.data(), name.size()) == 0;
    }

    void write(uint64_t offset, const RecordHeader& header) const noexcept {
        SSE_ASSERT(holdsHeader(offset));
        std::memcpy(at(offset), &header, sizeof(header));
    }

    // RecordHeader::previous alone.
    uint64_t previous(uint64_t offset) const noexcept {
        char* const word = at(offset) + offsetof(RecordHeader, previous);
        return std::atomic_ref(*reinterpret_cast<uint64_t*>(word)).load(std::memory_order_relaxed);
    }

    // The one word of a record that changes after it was published.
    void link(uint64_t offset, uint64_t next) const noexcept {
        SSE_ASSERT(isInLog(offset) && (next == kNoOffset || next > offset));
        char* const word = at(offset) + offsetof(RecordHeader, next);
        std::atomic_ref(*reinterpret_cast<uint64_t*>(word)).store(next, std::memory_order_relaxed);
    }

    // Whether a header can be there; an offset from a damaged record need not be the start of a record.
    bool holdsHeader(uint64_t offset) const noexcept {
        return offset % 8 == 0 && rest(offset) >= sizeof(RecordHeader);
    }

    // Whether a record that can be read may begin there, for writers.
    bool isInLog(uint64_t offset) const noexcept {
        return offset % 8 == 0 && offset >= header_->tail.load(std::memory_order_relaxed) &&
               offset < std::max(header_->head.load(std::memory_order_relaxed), end_);
    }

    // Whether a header read at `offset` can be one. A copy that is not torn always is; this keeps damaged
    // memory from leading out of the ring or into an endless loop.
    bool plausible(uint64_t offset, const RecordHeader& header) const noexcept {
        return header.length >= sizeof(RecordHeader) && header.length % 8 == 0 &&
               header.length <= rest(offset) &&
               sizeof(RecordHeader) + uint64_t{header.nameLength} + header.payloadLength +
                       header.stampLength <=
                   header.length &&
               header.idLineLength <= header.payloadLength;
    }

    // Whether it can belong to a record before the head, for writers.
    bool isPublished(uint64_t offset, const RecordHeader& header) const noexcept {
        return plausible(offset, header) &&
               header.length <= header_->head.load(std::memory_order_relaxed) - offset;
    }

    // The start of the record after this one, for writers; never past the head.
    uint64_t after(uint64_t offset, const RecordHeader& header) const noexcept {
        return isPublished(offset, header) ? offset + header.length
                                           : header_->head.load(std::memory_order_relaxed);
    }

private:
    LogHeader* header_;
    std::byte* bytes_;
    uint64_t capacity_; // a copy: divisions by it are slow, and the compiler makes them once
    uint64_t end_;
};

} // namespace sse
