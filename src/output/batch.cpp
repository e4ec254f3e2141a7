#include "output/batch.hpp"

#include <algorithm>
#include <new>

namespace sse {

std::string_view Batch::chunk() noexcept {
    if (chunkHead == 0) {
        char* head = bytes();
        *--head = '\n';
        *--head = '\r';
        for (size_t rest = size; rest != 0; rest >>= 4) {
            *--head = "0123456789abcdef"[rest & 0xf];
        }
        std::memcpy(bytes() + size, "\r\n", kAfterBytes);
        chunkHead = static_cast<uint32_t>(bytes() - head);
    }
    return {bytes() - chunkHead, chunkHead + size + kAfterBytes};
}

Batch* Batch::allocate(size_t capacity) noexcept {
    void* memory = ngx_alloc(sizeof(Batch) + kBeforeBytes + capacity + kAfterBytes, ngx_cycle->log);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* batch = new (memory) Batch{};
    batch->capacity = capacity;
    allocated += capacity;
    return batch;
}

void Batch::release(Batch* batch) noexcept {
    allocated -= batch->capacity;
    ngx_free(batch);
}

char* BatchRef::room(size_t length) noexcept {
    size_t used = size();
    if (batch_ != nullptr && batch_->capacity - used >= length) {
        return batch_->bytes() + used;
    }

    // The first event gets just what it needs, because most batches hold only one.
    size_t ample = batch_ == nullptr ? 0 : std::min(2 * batch_->capacity, Batch::most());
    size_t capacity = std::max(used + length, ample);
    Batch* larger = Batch::allocate(capacity);
    if (larger == nullptr) {
        return nullptr;
    }
    if (batch_ != nullptr) {
        larger->size = used;
        larger->notices = batch_->notices;
        larger->events = batch_->events;
        larger->first = batch_->first;
        larger->last = batch_->last;
        larger->time = batch_->time;
        std::memcpy(larger->bytes(), batch_->bytes(), used);
        Batch::release(batch_);
    }
    batch_ = larger;
    return larger->bytes() + used;
}

} // namespace sse
