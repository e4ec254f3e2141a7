// A batch: a private, reference-counted piece of rendered bytes, with all events of a feed since the last
// batch.
//
// Subscribers send from it directly, so it lives until the last of them is done. It never points into shared
// memory: a slow reader would pin the ring, and a killed worker would leak the pin.
//
//   Batch | ... hexadecimal size CR LF | bytes | CR LF
//
// Around the bytes there is room for the framing of a chunk (RFC 9112, section 7.1), made once for all
// subscribers that get the batch in one piece.
#pragma once

#include <cstring>
#include <string_view>
#include <utility>

#include "log/event_id.hpp"
#include "ngx.hpp"

namespace sse {

struct Batch {
    static constexpr size_t kBeforeBytes = 24; // 16 digits, CR LF, and alignment
    static constexpr size_t kAfterBytes = 2;
    // The most bytes of a batch, unless one event is larger: enough to be worth a system call, and few enough
    // to be kept for each client that does not read. Once the batches of this process together take kMany
    // bytes, the limit is lower; then many clients that do not read take no more than they must.
    static constexpr size_t kMost = 64 * 1024;
    static constexpr size_t kMostWhenMany = 8 * 1024;
    static constexpr size_t kMany = 32 * 1024 * 1024;
    static size_t most() noexcept { return allocated < kMany ? kMost : kMostWhenMany; }

    uint32_t references = 1;
    uint32_t chunkHead = 0; // length of the line before the bytes; 0: not made yet
    size_t size = 0;
    size_t capacity = 0;
    size_t notices = 0; // bytes of it that are not events
    uint64_t events = 0;
    EventId first; // of the events in it; meaningless without any
    EventId last;
    uint64_t time = 0; // of the first one: when it was published, in milliseconds since 1970

    char* bytes() noexcept { return reinterpret_cast<char*>(this + 1) + kBeforeBytes; }
    std::string_view content() noexcept { return {bytes(), size}; }
    // The same as a chunk, after which nothing may be added. Not for an empty batch: a chunk of no bytes
    // would end the response.
    std::string_view chunk() noexcept;

    // Room for so many bytes; NULL without memory.
    static Batch* allocate(size_t capacity) noexcept;
    static void release(Batch* batch) noexcept;

private:
    static inline size_t allocated = 0; // bytes, by this process
};

class BatchRef {
public:
    BatchRef() = default;
    BatchRef(const BatchRef& other) noexcept : batch_(other.batch_) {
        if (batch_ != nullptr) {
            ++batch_->references;
        }
    }
    BatchRef(BatchRef&& other) noexcept : batch_(std::exchange(other.batch_, nullptr)) {}
    BatchRef& operator=(BatchRef other) noexcept {
        std::swap(batch_, other.batch_);
        return *this;
    }
    ~BatchRef() { reset(); }

    explicit operator bool() const noexcept { return batch_ != nullptr; }
    Batch* operator->() const noexcept { return batch_; }
    Batch& operator*() const noexcept { return *batch_; }

    void reset() noexcept {
        if (batch_ != nullptr && --batch_->references == 0) {
            Batch::release(batch_);
        }
        batch_ = nullptr;
    }

    // Room for `length` more bytes at the end of the batch, which has no other reference, and which is made
    // if there is none; nullptr without memory. The bytes count once `grow` is called.
    char* room(size_t length) noexcept;
    void grow(size_t length) noexcept { batch_->size += length; }
    // Drops bytes at the end.
    void shrink(size_t length) noexcept { batch_->size -= length; }

    // Appends something that is not an event.
    bool append(std::string_view text) noexcept {
        if (text.empty()) {
            return true;
        }
        char* place = room(text.size());
        if (place == nullptr) {
            return false;
        }
        std::memcpy(place, text.data(), text.size());
        grow(text.size());
        batch_->notices += text.size();
        return true;
    }

    // Records that what was appended last is an event.
    void addEvent(EventId id, uint64_t time) noexcept {
        if (batch_->events++ == 0) {
            batch_->first = id;
            batch_->time = time;
        }
        batch_->last = id;
    }

    size_t size() const noexcept { return batch_ == nullptr ? 0 : batch_->size; }

private:
    Batch* batch_ = nullptr;
};

} // namespace sse
