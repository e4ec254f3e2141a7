// How a published body becomes events in the log: framing, checks, rendering, commit.
#include "http/crash.hpp"
#include "http/publisher.hpp"
#include "sse/validate.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// What is staged is committed at this size at the latest: so much the zone's lock covers at a time.
constexpr size_t kCommitSize = 32 * 1024;

// Stands before each staged event; its own id and its fields follow.
struct Staged {
    uint32_t ownIdLength;
    uint32_t fieldsLength;
};

std::string_view bytes(const ngx_buf_t& buffer) noexcept {
    return {reinterpret_cast<const char*>(buffer.pos), static_cast<size_t>(buffer.last - buffer.pos)};
}

} // namespace

// --- Framing ---

// Takes all that has been read. The buffers are views of one that nginx fills again once they are used up.
bool Publisher::consume() noexcept {
    ngx_http_request_body_t* body = request_->request_body;
    if (body == nullptr) {
        return true;
    }
    // In a subrequest, after a redirect and where it is mirrored the body is others' too, and stays as it is.
    bool mayConsume = request_->reading_body || !(isForeign() || request_->preserve_body);
    for (ngx_chain_t* link = body->bufs; link != nullptr;) {
        bool taken = link->buf->in_file ? consumeFile(*link->buf) : consumePiece(bytes(*link->buf));
        if (!taken) {
            return false;
        }
        ngx_chain_t* used = link;
        link = link->next;
        if (mayConsume) {
            used->buf->pos = used->buf->last;
            ngx_free_chain(request_->pool, used);
        }
    }
    if (mayConsume) {
        body->bufs = nullptr;
    }
    return commit();
}

bool Publisher::consumeFile(ngx_buf_t& buffer) noexcept {
    Buffer piece;
    constexpr size_t kPiece = 16 * 1024;
    char* place = piece.extend(kPiece);
    if (place == nullptr) {
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    for (off_t at = buffer.file_pos; at < buffer.file_last;) {
        auto wanted = static_cast<size_t>(ngx_min(static_cast<off_t>(kPiece), buffer.file_last - at));
        ssize_t length = ngx_read_file(buffer.file, reinterpret_cast<u_char*>(place), wanted, at);
        if (length <= 0) {
            return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "the body of the request cannot be read");
        }
        if (!consumePiece({place, static_cast<size_t>(length)})) {
            return false;
        }
        at += length;
    }
    return true;
}

bool Publisher::consumePiece(std::string_view piece) noexcept {
    auto onLine = [this](std::string_view line) noexcept { return addLine(line); };
    auto onEvent = [this](const Event& event) noexcept { return stage(event); };
    switch (framing_) {
    case Framing::Lines:
    case Framing::Ndjson:
        return check(lines_.feed(piece, onLine));
    case Framing::Sse:
        return check(parser_.feed(piece, onEvent));
    case Framing::Auto:
    case Framing::Event:
        break;
    }
    return addToBody(piece);
}

bool Publisher::consumeEnd() noexcept {
    switch (framing_) {
    case Framing::Lines:
    case Framing::Ndjson:
        if (!check(lines_.finish([this](std::string_view line) noexcept { return addLine(line); }))) {
            return false;
        }
        break;
    case Framing::Sse:
        if (!check(parser_.finish())) {
            return false;
        }
        break;
    case Framing::Auto:
    case Framing::Event:
        if (!addLine(body_.view())) {
            return false;
        }
        break;
    }
    return commit();
}

bool Publisher::addToBody(std::string_view piece) noexcept {
    if (piece.size() > config_.maxEventSize + kByteOrderMark.size() - body_.size()) {
        return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
    }
    return body_.append(piece) || refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
}

// One event's data, without a type or id of its own.
bool Publisher::addLine(std::string_view line) noexcept {
    if (atStart_ && !isStream() && line.starts_with(kByteOrderMark)) {
        line.remove_prefix(kByteOrderMark.size());
    }
    atStart_ = false;
    if (line.empty() && framing_ == Framing::Ndjson) {
        return true;
    }
    if (!isUtf8(line)) {
        return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid UTF-8");
    }
    Event event = defaults_;
    event.data = line;
    return stage(event);
}

// Stopped: the sink has refused already.
bool Publisher::check(SplitStatus status) noexcept {
    switch (status) {
    case SplitStatus::Ok:
        return true;
    case SplitStatus::TooLong:
        return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
    case SplitStatus::NoMemory:
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
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
        return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
    case ParseStatus::NoMemory:
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    case ParseStatus::BadType:
        return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid event type");
    case ParseStatus::BadUtf8:
        return refuseWith(NGX_HTTP_BAD_REQUEST, "invalid UTF-8");
    case ParseStatus::Incomplete:
        return refuseWith(NGX_HTTP_BAD_REQUEST, "the body ends inside an event");
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
    size_t record = sizeof(RecordHeader) + channel_.size() + sizeof("id: ~\n") + kMaxEventIdText +
                    event.ownId.size() + size;
    if (event.data.size() > config_.maxEventSize || record > config_.zone->log.maxRecord()) {
        return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
    }
    if (staged_.size() >= kCommitSize && !commit()) {
        return false;
    }

    Staged head{static_cast<uint32_t>(event.ownId.size()), static_cast<uint32_t>(size)};
    char* place = staged_.extend(sizeof(head) + event.ownId.size() + size);
    if (place == nullptr) {
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    std::memcpy(place, &head, sizeof(head));
    place += sizeof(head);
    if (!event.ownId.empty()) {
        std::memcpy(place, event.ownId.data(), event.ownId.size());
    }
    encodeFields(event, place + event.ownId.size());
    return true;
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
    {
        CrashScope crash(request_);
        ZoneLock lock(*config_.zone);
        while (at < end) {
            Staged head;
            std::memcpy(&head, at, sizeof(head));
            at += sizeof(head);
            ownId = {at, head.ownIdLength};
            at += head.ownIdLength;
            Appended next = config_.zone->log.append(
                {.channel = channel_, .hash = hash_, .ownId = ownId, .fields = {at, head.fieldsLength}}, now);
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
    context_.subscribers = appended.subscribers;
    Worker::self().wake(appended.listeners);
    lastOwnId_.clear();
    bool kept = lastOwnId_.append(ownId);
    staged_.clear();
    if (!kept) {
        return refuseWith(NGX_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    switch (status) {
    case AppendStatus::Ok:
        return true;
    case AppendStatus::Retired:
        return refuseWith(NGX_HTTP_SERVICE_UNAVAILABLE, kRetired);
    case AppendStatus::TooLarge:
        break;
    }
    return refuseWith(NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "the event is too large");
}

} // namespace sse
