// How a published body becomes events in the log: framing, checks, rendering, commit.
#include <algorithm>

#include "http/body.hpp"
#include "http/fault_scope.hpp"
#include "publish/publisher.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"
#include "zone_lock.hpp"

namespace sse {

namespace {

// What is staged is committed at this size at the latest: so much the zone's lock covers at a time.
constexpr size_t kCommitSize = 32 * 1024;

// What is taken at a time of what has been read.
constexpr size_t kPiece = 16 * 1024;

// nginx's clock in nanoseconds: as finely is counted what an event takes of a second.
constexpr uint64_t kSecond = 1000 * 1000 * 1000;
constexpr uint64_t kMillisecond = kSecond / 1000;

uint64_t clock() noexcept {
    return uint64_t{ngx_current_msec} * kMillisecond;
}

// Stands before each staged event; its own id and its fields follow.
struct Staged {
    uint32_t ownIdLength;
    uint32_t fieldsLength;
};

void freeBuffers(ngx_http_request_t* r) noexcept {
    ngx_http_request_body_t* body = r->request_body;
    for (ngx_chain_t* link = body == nullptr ? nullptr : body->bufs; link != nullptr;) {
        ngx_chain_t* used = link;
        link = link->next;
        used->buf->pos = used->buf->last;
        ngx_free_chain(r->pool, used);
        body->bufs = link;
    }
}

} // namespace

// --- Framing ---

// Takes what has been read, piece by piece. The buffers are views of one that nginx fills again once they are
// used up. What came before a fault is published, whatever else has come with it.
Publisher::Progress Publisher::consume() noexcept {
    ngx_http_request_body_t* body = request_->request_body;
    if (!inBuffers_) {
        link_ = body == nullptr ? nullptr : body->bufs;
        offset_ = 0;
        inBuffers_ = true;
    }
    Buffer block;
    std::string_view piece;
    while (nextPiece(block, piece)) {
        bool taken = !piece.empty() && consumePiece(piece);
        if (!commit() || !taken) {
            return Progress::Refused;
        }
        if (overdrawn() != 0 && (request_->reading_body || !allTaken())) {
            return Progress::Paused;
        }
    }
    inBuffers_ = false;
    // In a subrequest, after a redirect and where it is mirrored the body is others' too, and stays as it is.
    if (request_->reading_body || !(isForeign() || request_->preserve_body)) {
        freeBuffers(request_);
    }
    return Progress::Done;
}

// Whether nothing is left of what has been read.
bool Publisher::allTaken() noexcept {
    while (link_ != nullptr && offset_ >= ngx_buf_size(link_->buf)) {
        link_ = link_->next;
        offset_ = 0;
    }
    return link_ == nullptr;
}

// What comes next of what has been read; empty if it cannot be read from its file. false: that was all.
bool Publisher::nextPiece(Buffer& block, std::string_view& piece) noexcept {
    if (allTaken()) {
        return false;
    }
    const ngx_buf_t& buffer = *link_->buf;
    auto length = static_cast<size_t>(
        std::min<off_t>(static_cast<off_t>(mostBytes()), ngx_buf_size(link_->buf) - offset_));
    if (ngx_buf_in_memory(link_->buf)) {
        piece = {reinterpret_cast<const char*>(buffer.pos) + offset_, length};
        offset_ += static_cast<off_t>(length);
        return true;
    }
    block.clear();
    char* place = block.extend(length);
    ssize_t read = place == nullptr ? NGX_ERROR
                                    : ngx_read_file(buffer.file, reinterpret_cast<u_char*>(place), length,
                                                    buffer.file_pos + offset_);
    if (read <= 0) {
        refuseWith(Refusal::BodyUnreadable);
        piece = {};
        return true;
    }
    piece = {place, static_cast<size_t>(read)};
    offset_ += read;
    return true;
}

bool Publisher::consumePiece(std::string_view piece) noexcept {
    auto onLine = [this](std::string_view line) noexcept { return addLine(line); };
    auto onEvent = [this](const Event& event) noexcept {
        return (event.type.empty() || mayHaveType(event.type)) && stage(event);
    };
    switch (framing_) {
    case Framing::Lines:
    case Framing::Ndjson:
        return check(lines_.feed(piece, onLine));
    case Framing::Sse:
        return check(parser_.feed(piece, onEvent));
    case Framing::Auto:
    case Framing::ContentType:
    case Framing::Event:
        break;
    }
    return addToBody(piece);
}

bool Publisher::consumeEnd() noexcept {
    bool whole = isBodyWhole(*request_) ? frameEnd() : refuseWith(Refusal::BodyNotKept);
    return commit() && whole;
}

bool Publisher::frameEnd() noexcept {
    switch (framing_) {
    case Framing::Lines:
    case Framing::Ndjson:
        return check(lines_.finish([this](std::string_view line) noexcept { return addLine(line); }));
    case Framing::Sse:
        return check(parser_.finish());
    case Framing::Auto:
    case Framing::ContentType:
    case Framing::Event:
        break;
    }
    std::string_view text = body_.view();
    return addLine(text.starts_with(kByteOrderMark) ? without(text, kByteOrderMark.size()) : text);
}

bool Publisher::addToBody(std::string_view piece) noexcept {
    const size_t most = config_.maxEventSize + kByteOrderMark.size();
    if (piece.size() > most - body_.size()) {
        return refuseWith(Refusal::EventTooLarge);
    }
    return body_.append(piece, most) || refuseWith(Refusal::NoMemory);
}

// One event's data, without a type or id of its own.
bool Publisher::addLine(std::string_view line) noexcept {
    if (line.empty() && framing_ == Framing::Ndjson) {
        return true;
    }
    if (isUtf8(line)) {
        return addEvent(line);
    }
    return repairs_ ? addRepaired(line) : refuseWith(Refusal::BadUtf8);
}

bool Publisher::addRepaired(std::string_view line) noexcept {
    Repair plan = planRepair(line);
    if (plan.size > config_.maxEventSize) {
        return refuseWith(Refusal::EventTooLarge);
    }
    Buffer repaired;
    char* place = repaired.extend(plan.size, plan.size);
    if (place == nullptr) {
        return refuseWith(Refusal::NoMemory);
    }
    repairUtf8(line, place);
    repaired_ += plan.replaced;
    return addEvent(repaired.view());
}

bool Publisher::addEvent(std::string_view data) noexcept {
    Event event = defaults_;
    event.data = data;
    return stage(event);
}

// What has been repaired since the last time.
void Publisher::countRepairs() noexcept {
    const uint64_t all = repaired_ + parser_.replaced();
    if (all != countedRepairs_) {
        Worker::self().counters().repairs.fetch_add(all - countedRepairs_, std::memory_order_relaxed);
        countedRepairs_ = all;
    }
}

// Stopped: the sink has refused already.
bool Publisher::check(SplitStatus status) noexcept {
    switch (status) {
    case SplitStatus::Ok:
        return true;
    case SplitStatus::TooLong:
        return refuseWith(Refusal::EventTooLarge);
    case SplitStatus::NoMemory:
        return refuseWith(Refusal::NoMemory);
    case SplitStatus::Stopped:
        break;
    }
    return false;
}

bool Publisher::check(ParseStatus status) noexcept {
    switch (status) {
    case ParseStatus::Ok:
        return true;
    case ParseStatus::TooLong:
        return refuseWith(Refusal::EventTooLarge);
    case ParseStatus::NoMemory:
        return refuseWith(Refusal::NoMemory);
    case ParseStatus::BadType:
        return refuseWith(Refusal::BadType);
    case ParseStatus::BadUtf8:
        return refuseWith(Refusal::BadUtf8);
    case ParseStatus::Incomplete:
        return refuseWith(Refusal::IncompleteEvent);
    case ParseStatus::Stopped:
        break;
    }
    return false;
}

bool Publisher::betweenEvents() const noexcept {
    return !lines_.inLine() && !parser_.inEvent();
}

// --- Into the log ---

bool Publisher::stage(Event event) noexcept {
    if (event.type.empty()) {
        event.type = defaults_.type;
    }
    if (event.retryMilliseconds == 0) {
        event.retryMilliseconds = defaults_.retryMilliseconds;
    }
    size_t size = encodedSize(event);
    if (event.data.size() > config_.maxEventSize ||
        !config_.zone->log.fits(channel_, event.ownId.size(), size)) {
        return refuseWith(Refusal::EventTooLarge);
    }
    if (maxEvents_ != 0 && accepted_ == maxEvents_) {
        return refuseWith(Refusal::TooManyEvents);
    }
    if (staged_.size() >= kCommitSize && !commit()) {
        return false;
    }

    Staged head{static_cast<uint32_t>(event.ownId.size()), static_cast<uint32_t>(size)};
    char* place = staged_.extend(sizeof(head) + event.ownId.size() + size);
    if (place == nullptr) {
        return refuseWith(Refusal::NoMemory);
    }
    std::memcpy(place, &head, sizeof(head));
    place += sizeof(head);
    if (!event.ownId.empty()) {
        std::memcpy(place, event.ownId.data(), event.ownId.size());
    }
    encodeFields(event, place + event.ownId.size());
    ++accepted_;
    return true;
}

// Counts events against sse_max_rate.
void Publisher::pay(uint64_t events) noexcept {
    if (config_.maxRate != 0) {
        paidUntil_ = std::max(paidUntil_, clock()) + events * kSecond / config_.maxRate;
    }
}

// How long nothing more may be taken, in milliseconds, so that sse_max_rate is kept: a request may be a
// second ahead.
ngx_msec_t Publisher::overdrawn() const noexcept {
    const uint64_t most = clock() + kSecond;
    return !leaving_ && paidUntil_ > most ? static_cast<ngx_msec_t>((paidUntil_ - most) / kMillisecond + 1)
                                          : 0;
}

// What may be taken at a time. No event is shorter than a byte, so there are no more of them in it than are
// allowed.
size_t Publisher::mostBytes() const noexcept {
    if (config_.maxRate == 0 || leaving_ || !isStream()) {
        return kPiece;
    }
    const uint64_t ahead = paidUntil_ > clock() ? paidUntil_ - clock() : 0;
    const uint64_t allowed =
        (kSecond - std::min(ahead, kSecond)) * std::min<uint64_t>(config_.maxRate, kSecond);
    return std::clamp<uint64_t>(allowed / kSecond, 1, kPiece);
}

bool Publisher::commit() noexcept {
    if (staged_.empty()) {
        return true;
    }
    const char* at = staged_.data();
    const char* end = at + staged_.size();
    uint64_t now = unixMilliseconds();
    Appended appended; // the last of them
    AppendStatus status = AppendStatus::Ok;
    std::string_view ownId;
    const uint64_t before = context_.events;
    {
        CrashScope crash(request_);
        ZoneLock lock(*config_.zone);
        while (at < end) {
            Staged head;
            std::memcpy(&head, at, sizeof(head));
            at += sizeof(head);
            ownId = {at, head.ownIdLength};
            at += head.ownIdLength;
            Appended next = lock.log().append(
                {.channel = channel_, .hash = hash_, .publisherId = ownId, .fields = {at, head.fieldsLength}},
                now);
            at += head.fieldsLength;
            status = next.status;
            if (status != AppendStatus::Ok) {
                break;
            }
            appended = next;
            ++context_.events;
            context_.lastId = appended.id;
        }
    }
    pay(context_.events - before);
    countRepairs();
    context_.subscribers = appended.subscribers;
    Worker::self().wake(appended.listeners);
    lastOwnId_.clear();
    bool kept = lastOwnId_.append(ownId);
    staged_.clear();
    if (!kept) {
        return refuseWith(Refusal::NoMemory);
    }
    switch (status) {
    case AppendStatus::Ok:
        return true;
    case AppendStatus::Retired:
        return refuseWith(Refusal::Retired);
    case AppendStatus::TooLarge:
        break;
    }
    return refuseWith(Refusal::EventTooLarge);
}

} // namespace sse
