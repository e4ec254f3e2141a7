#include "bus/continuity.hpp"

namespace sse {

void Continuity::begin(StreamId position) noexcept {
    position_ = position;
    reached_.reset();
    ahead_.reset();
    count_ = 0;
}

// A stream that has been deleted may have had entries that were never read.
void Continuity::onLook(StreamId last, std::optional<uint64_t> added) noexcept {
    if (!added || ahead_) {
        return;
    }
    if (last < position_ || (reached_ && *added < reached_->added)) {
        hasMissed_ = hasMissed_ || reached_;
        begin(position_);
        return;
    }
    ahead_ = Look{last, *added};
    if (last == position_) {
        reach();
    }
}

void Continuity::onEntry(StreamId id) noexcept {
    if (ahead_ && id > ahead_->last) {
        reach();
    }
    position_ = id;
    ++count_;
    if (ahead_ && id == ahead_->last) {
        reach();
    }
}

void Continuity::onNothing() noexcept {
    if (ahead_) {
        hasMissed_ = hasMissed_ || !reached_; // what should have come is not known
        reach();
        position_ = reached_->last;
    }
}

void Continuity::reach() noexcept {
    hasMissed_ = hasMissed_ || (reached_ && count_ + reached_->added < ahead_->added);
    reached_ = ahead_;
    ahead_.reset();
    count_ = 0;
}

} // namespace sse
