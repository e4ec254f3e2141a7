#include "kick/announcement.hpp"

#ifndef SSE_WITHOUT_BUS

#include <algorithm>
#include <iterator>
#include <new>

#include "bus/bus.hpp"
#include "bus/kicks.hpp"
#include "bus/pipeline.hpp"
#include "http/request_life.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Outlives its request, because Redis answers in any case. The request does not outlive its worker.
class Announcement {
public:
    static Announcement* make(ngx_http_request_t* r, uint64_t seconds, KickAnswer answer) noexcept;

    bool send(Bus& bus, const KickEntry& kick) noexcept;
    // Makes the request wait.
    void hold() noexcept;
    // After this nothing is left of the object.
    void drop() noexcept;

private:
    Announcement(ngx_http_request_t* r, uint64_t seconds, KickAnswer answer) noexcept
        : request_(r), seconds_(seconds), answer_(answer) {}

    void onAnswer(bool isTaken) noexcept;
    void onRequestEnd() noexcept;
    void answer(bool isTaken) noexcept;

    ngx_http_request_t* request_; // NULL: it is gone
    ngx_http_cleanup_t* end_ = nullptr;
    Drainable drainable_{};
    bool isHeld_ = false;
    uint64_t seconds_;
    KickAnswer answer_;
    Question question_{.self = this, .onAnswer = [](void* self, const Reply* reply) noexcept {
                           static_cast<Announcement*>(self)->onAnswer(reply != nullptr &&
                                                                      reply->is(Reply::Type::Text));
                       }};
};

// NULL without memory.
Announcement* Announcement::make(ngx_http_request_t* r, uint64_t seconds, KickAnswer answer) noexcept {
    ngx_http_cleanup_t* end = ngx_http_cleanup_add(r, 0);
    void* memory = end == nullptr ? nullptr : ngx_alloc(sizeof(Announcement), r->connection->log);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* announcement = new (memory) Announcement(r, seconds, answer);
    announcement->end_ = end;
    end->handler = [](void* data) noexcept { static_cast<Announcement*>(data)->onRequestEnd(); };
    end->data = announcement;
    announcement->drainable_.owner = announcement;
    announcement->drainable_.drain = [](Drainable& drainable, bool force) noexcept {
        if (force) {
            static_cast<Announcement*>(drainable.owner)->answer(false);
        }
    };
    return announcement;
}

void Announcement::drop() noexcept {
    if (request_ != nullptr) {
        end_->handler = nullptr;
    }
    this->~Announcement();
    ngx_free(this);
}

bool Announcement::send(Bus& bus, const KickEntry& kick) noexcept {
    const KickWords fields(kick);
    const std::string_view command[] = {
        "XADD", toView(bus.config().controlKey), "MAXLEN", "~", kControlLength, "*"};
    std::string_view words[std::size(command) + KickWords::kMost];
    auto* end = std::copy(std::begin(command), std::end(command), words);
    end = std::ranges::copy(fields.view(), end).out;
    return bus.pipeline().ask(question_, {words, end});
}

// Until Redis answers, nothing can be done for the request, and the answer does not take long.
void Announcement::hold() noexcept {
    request_->read_event_handler = ngx_http_block_reading;
    request_->write_event_handler = ngx_http_request_empty_handler;
    request_->main->count++;
    Worker::self().add(drainable_);
    isHeld_ = true;
}

void Announcement::onRequestEnd() noexcept {
    if (isHeld_) {
        isHeld_ = false;
        Worker::self().remove(drainable_, request_);
    }
    request_ = nullptr;
}

void Announcement::onAnswer(bool isTaken) noexcept {
    if (request_ != nullptr) {
        answer(isTaken);
    }
    drop();
}

// After this the request is gone.
void Announcement::answer(bool isTaken) noexcept {
    ngx_http_request_t* r = request_;
    end_->handler = nullptr;
    onRequestEnd();
    finalizeFromOutside(r, answer_(r, seconds_, !isTaken));
}

} // namespace

ngx_int_t announce(ngx_http_request_t* r, const KickEntry& kick, KickAnswer answer) noexcept {
    const Zone& zone = *locationConfig(r)->zone;
    if (zone.bus == nullptr) {
        return answer(r, kick.seconds, false);
    }
    Bus* bus = Bus::of(zone);
    Announcement* announcement = bus == nullptr ? nullptr : Announcement::make(r, kick.seconds, answer);
    if (announcement == nullptr) {
        return answer(r, kick.seconds, true);
    }
    const ShortText<16> tag = machineTag(bus->state());
    KickEntry signedKick = kick;
    signedKick.by = tag.view();
    if (!announcement->send(*bus, signedKick)) {
        announcement->drop();
        return answer(r, kick.seconds, true);
    }
    announcement->hold();
    return NGX_DONE;
}

} // namespace sse

#endif
