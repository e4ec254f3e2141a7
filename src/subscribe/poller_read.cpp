// What a poll reads from the log, in slices, and how it becomes its answer.
#include <algorithm>

#include "subscribe/poller.hpp"

namespace sse {

namespace {

// The largest answer, in sizes of a batch: large, because each answer costs a request, and small enough to be
// kept for each client that does not read. Like batches, answers become smaller when there are many.
constexpr size_t kBatches = 4;

} // namespace

// Does a slice of the work.
Poller::Step Poller::goOn() noexcept {
    if (!rest_.empty() || answer_.isWriting()) {
        return render();
    }
    if (catchup_ == nullptr) {
        isWoken_ = false;
        const Admission stock = takeStock();
        if (stock != Admission::Ok) {
            return stock == Admission::NoMemory ? refuseWith(stock) : onLater(stock);
        }
    }
    if (!catchup_->sought()) {
        const ReadStatus status = catchup_->seek(Catchup::kTurnSteps);
        if (status == ReadStatus::Lapped) {
            closeCatchup();
        }
        if (status != ReadStatus::Ok) {
            return Step::More;
        }
    }
    return catchup_->begins() && !startReading() ? Step::Over : readStock();
}

// The poll is woken as soon as it can read. What it already has need not wait for that.
Poller::Step Poller::onLater(Admission why) noexcept {
    if (!hasNews() && wait_ != 0) {
        member_.feed->tail->readWhenPossible(*member_.feed);
        return Step::Wait;
    }
    more_ = true;
    return isPlaced_ ? Step::Over : refuseWith(why);
}

// The start is found. What has been missed comes first in the answer, or is a reason to refuse. Returns
// whether to read on.
bool Poller::startReading() noexcept {
    const Gap gap = catchup_->gapFor(requested_);
    const bool missed = gap != Gap::None;
    if (missed && hasNews()) { // the next answer begins with it
        more_ = true;
        return false;
    }
    if (missed || !isPlaced_) {
        refused_ = admitFromStart(*config_, *catchup_, gap);
    }
    if (missed && refused_ == Admission::Ok) {
        countGap(*config_->zone, *catchup_);
        const bool told = config_->gapMode() != GapMode::Event || append([this](Buffer& out) noexcept {
                              return catchup_->tellGap(requested_, [&](const GapFacts& facts) noexcept {
                                  return answer_.addGap(out, facts);
                              });
                          });
        refused_ = told ? Admission::Ok : Admission::NoMemory;
    }
    isPlaced_ = true;
    cursor_ = catchup_->start();
    requested_ = {};
    return refused_ == Admission::Ok;
}

Poller::Step Poller::readStock() noexcept {
    const Catchup::Progress progress = catchup_->readStock(batch_, PollAnswer::kPart);
    if (progress == Catchup::Progress::NoMemory) {
        return refuseWith(Admission::NoMemory);
    }
    atEnd_ = progress == Catchup::Progress::AtTip;
    if (progress == Catchup::Progress::Outdated) {
        closeCatchup();
    }
    if (batch_.size() == 0) {
        return onRendered();
    }
    rest_ = batch_->content();
    return render();
}

Poller::Step Poller::render() noexcept {
    const bool isWriting = answer_.isWriting();
    const std::string_view part(rest_.data(), isWriting ? 0 : std::min(rest_.size(), PollAnswer::kPart));
    rest_.remove_prefix(part.size());
    answer_.limit(kBatches * Batch::most());
    const bool complete = append([&](Buffer& out) noexcept {
        return isWriting ? answer_.writeOn(out) : answer_.addEvents(out, part);
    });
    if (!complete) {
        return refuseWith(Admission::NoMemory);
    }
    if (answer_.isFull()) {
        more_ = true;
        return Step::Over;
    }
    if (rest_.empty() && batch_) {
        cursor_ = std::max(cursor_, batch_->last);
        history_ = {};
        batch_.reset();
    }
    return rest_.empty() && !answer_.isWriting() ? onRendered() : Step::More;
}

// All that has been read is in the answer.
Poller::Step Poller::onRendered() noexcept {
    return atEnd_ ? onStockRead() : Step::More;
}

// What comes later is newer than everything that was there, in any channel.
Poller::Step Poller::onStockRead() noexcept {
    ended_ = !catchup_->isAhead() && (catchup_->ended() || member_.feed->ended());
    cursor_ = std::max(cursor_, catchup_->lastId());
    history_ = {};
    closeCatchup();
    if (ended_) {
        noteReason(CloseReason::Ended);
    }
    return ended_ || hasNews() ? Step::Over : onNothing();
}

Poller::Step Poller::onNothing() noexcept {
    return wait_ != 0 ? Step::Wait : Step::Over;
}

// Always Over.
Poller::Step Poller::refuseWith(Admission refused) noexcept {
    refused_ = refused;
    return Step::Over;
}

// The text grows by half, so that a long one is not copied for each part of it.
bool Poller::appendText(const BatchRef& part) noexcept {
    if (part.size() == 0) {
        return true; // a part of an event that is not complete
    }
    const size_t size = text_.size();
    const bool fits = text_ && text_->capacity - size >= part.size();
    return (fits || text_.room(std::max(part.size(), size / 2)) != nullptr) && text_.append(part->content());
}

} // namespace sse
