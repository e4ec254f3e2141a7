// Pages of the stream, read from its end. They show how far back an empty log takes entries and, if the
// stream has lost entries, the newest entry that both it and the log have.
#include <algorithm>

#include "bus/decimal.hpp"
#include "bus/follower.hpp"
#include "log/layout.hpp"

namespace sse {

namespace {

// The size of an entry: its texts, but not their names.
uint64_t sizeOf(const Reply& entry) noexcept {
    uint64_t size = sizeof(RecordHeader);
    const Reply* fields = entry.at(1);
    for (const Reply* name = fields == nullptr ? nullptr : fields->first;
         name != nullptr && name->next != nullptr; name = name->next->next) {
        size += name->next->text.size();
    }
    return size;
}

bool isRaise(const Reply& entry) noexcept {
    const Reply* fields = entry.at(1);
    return fields != nullptr && fields->first != nullptr && fields->first->text == "raise";
}

std::optional<StreamId> idOf(const Reply& entry) noexcept {
    const Reply* id = entry.at(0);
    return id == nullptr ? std::nullopt : parseStreamId(id->text);
}

} // namespace

void Follower::askForPage(std::string_view end) noexcept {
    const StreamIdText floor(floor_);
    connection_.add({"XREVRANGE", toView(bus_->stream), end, floor.view(), "COUNT", Decimal(count_).view()});
    connection_.flush();
    asked_ = count_;
}

// An empty page, or one that reaches the start, is the last.
bool Follower::onPage(const Reply& reply) noexcept {
    if (!reply.is(Reply::Type::Array)) {
        reconnect(reply.is(Reply::Type::Error) ? reply.text : "a reply that is no page");
        return true;
    }
    isLastPage_ = reply.count < asked_;
    for (const Reply& entry : reply) {
        const std::optional<StreamId> id = idOf(entry);
        if (!id) {
            reconnect("an entry without an id");
            return true;
        }
        oldest_ = *id;
        beganBefore_ = isRaise(entry);
        measured_ += sizeOf(entry);
        if (phase_ == Phase::Measuring && measured_ >= bus_->zone->log.capacity()) {
            break;
        }
    }
    noteSize(reply, mostOfPage_);
    if (phase_ == Phase::WalkingBack) {
        return beginSlices(reply.first);
    }
    measured_ >= bus_->zone->log.capacity() || isLastPage_ ? finishFill() : askForOlder();
    return true;
}

void Follower::askForOlder() noexcept {
    askForPage(StreamIdText(idBefore(oldest_)).view());
}

// What precedes the oldest entry that is read is a gap, for clients that have read it elsewhere. A stream
// that begins with a raise continues the log of a single machine.
void Follower::finishFill() noexcept {
    const bool isAll = isLastPage_ && facts_.isWhole && !beganBefore_ && floor_ == StreamId{};
    const StreamId from = oldest_ == StreamId{} ? facts_.last : idBefore(oldest_);
    if (!isAll && from != StreamId{} && !check(log_.addGap(from))) {
        return syncLater();
    }
    beginReading(from);
}

// After a page: all of it has been looked at, or the entry has been found.
void Follower::onPageLookedAt() noexcept {
    if (found_) {
        finishWalk(*found_);
    } else if (isLastPage_) {
        // The log and the stream have no entry in common. The position is not that of an entry, but must not
        // be zero, which is that of an empty log.
        finishWalk(std::max(oldest_ == StreamId{} ? StreamId{} : idBefore(oldest_), StreamId{0, 1}));
    } else {
        askForOlder();
    }
}

// If this is our newest entry, it is the same one after all; only its fingerprint did not show that.
void Follower::finishWalk(StreamId id) noexcept {
    if (id == log_.facts().newestEntry()) {
        return beginReading(id);
    }
    if (!check(log_.goBack(id))) {
        return syncLater();
    }
    const StreamIdText text(id);
    ngx_str_t name = ngxString(text.view());
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "sse: bus \"%V\": the stream has lost entries after %V",
                  &bus_->zone->name, &name);
    beginReading(id);
}

// The lock was not available.
void Follower::syncLater() noexcept {
    if (phase_ != Phase::Off && connection_.isReady()) {
        phase_ = Phase::Syncing;
    }
}

} // namespace sse
