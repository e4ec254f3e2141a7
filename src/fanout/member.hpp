// What a feed knows of a subscriber: where it stands in the feed, and how to deliver a batch to it.
//
// Each subscriber has one; the layers below it need to know nothing more.
#pragma once

#include "ngx.hpp"
#include "output/batch.hpp"

namespace sse {

struct Feed;

struct Member {
    ngx_queue_t link;     // in Feed::ready or Feed::waiting
    Feed* feed = nullptr; // while it is in one

    // Delivers a batch, if there is one, or reports that one was lost: then the subscriber has to read the
    // log by itself. May end the subscriber, and any other.
    void (*deliver)(Member& member, const BatchRef& batch, bool isLost) noexcept = nullptr;
    // What deliver() reads first; it is prefetched.
    const void* firstRead = nullptr;

    static Member& fromLink(ngx_queue_t* link) noexcept {
        return *queueItem<Member>(link, offsetof(Member, link));
    }
};

} // namespace sse
