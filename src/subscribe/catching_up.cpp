// What a subscriber sends besides the batches of its feed: the first bytes, and what it reads from the log by
// itself.
#include <algorithm>

#include "sse/notices.hpp"
#include "subscribe/append_notice.hpp"
#include "subscribe/subscriber.hpp"

namespace sse {

namespace {

// Room for the preamble and the priming event, so that the batch need not grow piece by piece.
constexpr size_t kFirstBytes = 256;

// If the ring laps a reader again and again, it gets another turn, not an endless loop.
constexpr int kAttempts = 3;

} // namespace

Subscriber::Reading Subscriber::readOn(BatchRef& out) noexcept {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (catchup_ == nullptr) {
            const Admission stock = takeStock();
            if (stock != Admission::Ok) {
                return stock == Admission::NoMemory ? Reading::NoMemory : Reading::Later;
            }
        }

        if (!catchup_->sought()) {
            ReadStatus status = catchup_->seek(Catchup::kTurnSteps);
            if (status == ReadStatus::End) {
                return Reading::More;
            }
            if (status == ReadStatus::Lapped) {
                closeCatchup();
                continue;
            }
        }
        if (catchup_->begins()) {
            Reading start = startReading(out);
            if (start != Reading::More) {
                return start;
            }
        }

        switch (catchup_->read(out, config_->mergeMode())) {
        case Catchup::Progress::More:
            return Reading::More;
        case Catchup::Progress::NoMemory:
            return Reading::NoMemory;
        case Catchup::Progress::AtTip:
            closeCatchup();
            history_ = {};
            return Reading::AtTip;
        case Catchup::Progress::Outdated:
            closeCatchup();
            if (out && out->events != 0) {
                cursor_ = std::max(cursor_, out->last);
                history_ = {};
            }
            break;
        }
    }
    return Reading::More;
}

// The start is found: reports a gap, as configured. More: read on.
Subscriber::Reading Subscriber::startReading(BatchRef& out) noexcept {
    Gap gap = catchup_->gapFor(requested_);
    EventId start = catchup_->start();
    Reading reading = Reading::More;

    if (gap != Gap::None) {
        countGap(*config_->zone, *catchup_);
        if (config_->gapMode() == GapMode::Close) {
            noteReason(CloseReason::Gap);
            cut();
            reading = Reading::Over;
        } else if (config_->gapMode() == GapMode::Event) {
            reading = addGap(out) ? Reading::More : Reading::NoMemory;
            primed_ = true;
        }
    }
    noteGiven(cursor_);
    cursor_ = start;
    isPlaced_ = true;
    requested_ = {};
    return reading;
}

bool Subscriber::addPreamble(BatchRef& out) noexcept {
    return out.room(kFirstBytes) != nullptr && appendNotice(out, [this](Buffer& text) noexcept {
               return sse::addPreamble(text, retry_, padded_);
           });
}

// The position, so that a client without one can come back to it.
bool Subscriber::addPrime(BatchRef& out) noexcept {
    primed_ = true;
    const Prime prime = config_->primeMode();
    return prime == Prime::Off || appendNotice(out, [this, prime](Buffer& text) noexcept {
               const EventIdText id(cursor_);
               switch (prime) {
               case Prime::Message:
                   return addPrimingMessage(text, id.view());
               default:
                   return addReady(text, id.view(), toView(config_->primeEvent), retry_);
               }
           });
}

bool Subscriber::addGap(BatchRef& out) noexcept {
    return appendNotice(out, [this](Buffer& text) noexcept {
        return catchup_->tellGap(requested_, [&](const GapFacts& facts) noexcept {
            return sse::addGap(text, toView(config_->gapEvent), facts);
        });
    });
}

// Comes after the part of the replay that `out` has.
bool Subscriber::addCaughtUp(BatchRef& out) noexcept {
    caughtUp_ = true;
    if (config_->caughtUpEvent.len == 0) {
        return true;
    }
    const bool hasEvents = out && out->events != 0;
    const EventIdText id(hasEvents ? std::max(cursor_, out->last) : cursor_);
    return appendNotice(out, [&](Buffer& text) noexcept {
        return sse::addCaughtUp(text, id.view(), toView(config_->caughtUpEvent));
    });
}

} // namespace sse
