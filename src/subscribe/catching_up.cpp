// What a subscriber sends besides the batches of its feed: the first bytes, and what it reads from the log
// for itself.
#include <algorithm>
#include <charconv>

#include "sse/json.hpp"
#include "subscribe/subscriber.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// Records that one turn looks at on the way back to the cursor.
constexpr uint32_t kTurnSteps = 8 * 1024;

// Room for the preamble and the priming event, so that it need not grow piece by piece.
constexpr size_t kFirstBytes = 256;

// A ring that moves on under a reader again and again gets him another turn, not an endless loop.
constexpr int kAttempts = 3;

// The text of an id, for as long as the object lives.
class IdText {
public:
    explicit IdText(EventId id) noexcept : length_(formatEventId(id, text_)) {}
    std::string_view view() const noexcept { return {text_, length_}; }

private:
    char text_[kMaxEventIdText];
    size_t length_;
};

template <typename... Parts>
bool appendAll(BatchRef& out, const Parts&... parts) noexcept {
    return (out.append(parts) && ...);
}

bool appendRetry(BatchRef& out, uint32_t milliseconds) noexcept {
    char digits[NGX_INT32_LEN];
    const char* end = std::to_chars(digits, digits + sizeof(digits), milliseconds).ptr;
    return appendAll(out, "retry: ", std::string_view(digits, static_cast<size_t>(end - digits)), "\n");
}

bool appendJson(BatchRef& out, std::string_view text) noexcept {
    char* place = out.room(jsonSize(text));
    if (place == nullptr) {
        return false;
    }
    out.grow(static_cast<size_t>(writeJson(text, place) - place));
    return true;
}

} // namespace

void Subscriber::closeCatchup() noexcept {
    ngx_free(catchup_);
    catchup_ = nullptr;
}

Subscriber::Reading Subscriber::readOn(BatchRef& out) noexcept {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (catchup_ == nullptr) {
            catchup_ = Catchup::make(*member_.feed, cursor_, history_);
        }
        if (catchup_ == nullptr) {
            return Reading::NoMemory;
        }

        if (!catchup_->sought()) {
            ReadStatus status = catchup_->seek(kTurnSteps);
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

        switch (catchup_->read(out)) {
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

// Who came without a cursor has missed nothing, whatever is lost.
Gap Subscriber::gap() const noexcept {
    const bool hadNone = requested_.empty() && cursor_ == Replay::kBeginning;
    return hadNone ? Gap::None : catchup_->gap();
}

// The place is found: tells about a gap, as configured. More: read on.
Subscriber::Reading Subscriber::startReading(BatchRef& out) noexcept {
    Gap gap = this->gap();
    EventId start = catchup_->start();
    Reading reading = Reading::More;

    if (gap != Gap::None) {
        Worker::self().counters().gaps.fetch_add(1, std::memory_order_relaxed);
        if (config_->gap == static_cast<ngx_uint_t>(GapMode::Close)) {
            noteReason(CloseReason::Gap);
            reading = Reading::Over;
        } else if (config_->gap == static_cast<ngx_uint_t>(GapMode::Event)) {
            reading = addGap(out, gap, start) ? Reading::More : Reading::NoMemory;
            primed_ = true;
        }
    }
    noteGiven(cursor_);
    cursor_ = start;
    requested_ = {};
    return reading;
}

// Bare lines, with no blank one behind them: several clients take a blank line for an event.
bool Subscriber::addPreamble(BatchRef& out) noexcept {
    return out.room(kFirstBytes) != nullptr && out.append(":\n") && appendRetry(out, retry_);
}

// The position as an event, so that a client that has had none can come back to it.
bool Subscriber::addPrime(BatchRef& out) noexcept {
    primed_ = true;
    IdText id(cursor_);
    switch (static_cast<Prime>(config_->prime)) {
    case Prime::Off:
        return true;
    case Prime::Id:
        return appendAll(out, "id: ", id.view(), "\n\n");
    case Prime::Message:
        return appendAll(out, "id: ", id.view(), "\ndata: \n\n");
    case Prime::Event:
        break;
    }
    return appendAll(out, "id: ", id.view(), "\nevent: ", view(config_->primeEvent), "\n") &&
           appendRetry(out, retry_) && appendAll(out, "data: {\"id\":\"", id.view(), "\"}\n\n");
}

bool Subscriber::addGap(BatchRef& out, Gap gap, EventId start) noexcept {
    IdText id(start);
    IdText cursor(cursor_);
    return appendAll(out, "id: ", id.view(),
                     "\nevent: gap\ndata: {\"reason\":", gap == Gap::Evicted ? "\"evicted\"" : "\"unknown\"",
                     ",\"requested\":") &&
           appendJson(out, requested_.empty() ? cursor.view() : requested_) &&
           appendAll(out, ",\"start\":\"", id.view(), "\"}\n\n");
}

} // namespace sse
