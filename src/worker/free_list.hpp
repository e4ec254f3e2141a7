// A free list of objects of one type: memory that is reused rather than freed. Under AddressSanitizer it is
// freed, because a use of memory that has been given back would not be noticed otherwise.
#pragma once

#include "ngx.hpp"

namespace sse {

template <typename T>
class FreeList {
public:
    // Raw memory for a T; NULL without memory.
    void* take() noexcept {
        if (first_ == nullptr) {
            return ngx_memalign(alignof(T), sizeof(T), ngx_cycle->log);
        }
        Link* link = first_;
        first_ = link->next;
        return link;
    }

    void give(void* memory) noexcept {
#ifdef __SANITIZE_ADDRESS__
        ngx_free(memory);
#else
        auto* link = static_cast<Link*>(memory);
        link->next = first_;
        first_ = link;
#endif
    }

private:
    struct Link {
        Link* next;
    };
    static_assert(sizeof(T) >= sizeof(Link));

    Link* first_ = nullptr;
};

} // namespace sse
