#include "sse/poll_answer.hpp"

#include <utility>

#include "sse/json.hpp"

namespace sse {

namespace {

// The longest beginning of a text with at most `most` bytes, and more than 3, that ends with a character.
std::string_view firstPart(std::string_view text, size_t most) noexcept {
    if (text.size() <= most) {
        return text;
    }
    while ((static_cast<uint8_t>(text[most]) & 0xc0) == 0x80) {
        --most;
    }
    return {text.data(), most};
}

} // namespace

PollAnswer::PollAnswer() noexcept : parser_(SIZE_MAX, {.wireIds = true, .repair = true}) {}

bool PollAnswer::addGap(Buffer& out, const GapFacts& facts) noexcept {
    JsonWriter json(out);
    gap_ = true;
    json.beginObject().key("gap").beginObject();
    addFacts(json, facts);
    json.endObject();
    return json.isComplete();
}

bool PollAnswer::open(Buffer& out) noexcept {
    return std::exchange(opened_, true) || out.append(gap_ ? ",\"events\":[" : "{\"events\":[");
}

// What the log has rendered is valid. Text that is not has been damaged, and is repaired like any other.
bool PollAnswer::addEvents(Buffer& out, std::string_view text) noexcept {
    if (!open(out) || !finishWriting(out)) {
        return false;
    }
    bool complete = true;
    const ParseStatus status = parser_.feed(text, [&](const Event& event) noexcept {
        complete = finishWriting(out) && addEvent(out, event);
        return complete && !full_;
    });
    parser_.release();
    return complete && (status == ParseStatus::Ok || full_);
}

// The data comes last, because it may have to be written in parts.
bool PollAnswer::addEvent(Buffer& out, const Event& event) noexcept {
    const size_t before = out.size();
    if (events_ != 0 && !out.append(",")) {
        return false;
    }
    JsonWriter json(out);
    json.beginObject()
        .member("id", event.publisherId)
        .member("type", event.type.empty() ? std::string_view("message") : event.type);
    if (event.retryMilliseconds != 0) {
        json.member("retry", event.retryMilliseconds);
    }
    json.key("data").beginString();
    size_ += out.size() - before;
    lastId_ = ShortText<kMaxWireId>(event.publisherId);
    ++events_;
    if (event.data.size() <= kPart) {
        return json.isComplete() && writeData(out, event.data, true);
    }
    if (!json.isComplete() || !long_.append(event.data)) {
        return false;
    }
    unwritten_ = long_.view();
    return true;
}

bool PollAnswer::writeData(Buffer& out, std::string_view part, bool isLast) noexcept {
    const size_t before = out.size();
    JsonWriter json(out);
    json.text(part);
    if (isLast) {
        json.endString().endObject();
    }
    size_ += out.size() - before;
    full_ = isLast && size_ >= most_;
    return json.isComplete();
}

bool PollAnswer::writeOn(Buffer& out) noexcept {
    const std::string_view part = firstPart(unwritten_, kPart);
    unwritten_.remove_prefix(part.size());
    const bool isLast = unwritten_.empty();
    const bool complete = writeData(out, part, isLast);
    if (isLast) {
        long_.reset();
    }
    return complete;
}

bool PollAnswer::finishWriting(Buffer& out) noexcept {
    bool complete = true;
    while (complete && isWriting()) {
        complete = writeOn(out);
    }
    return complete;
}

bool PollAnswer::close(Buffer& out, const Close& close) noexcept {
    if (!open(out) || !finishWriting(out)) {
        return false;
    }
    JsonWriter json(out);
    json.endArray().member("cursor", close.cursor);
    if (close.more) {
        json.key("more").boolean(true);
    }
    if (close.ended) {
        json.key("ended").boolean(true);
    }
    json.endObject();
    return json.isComplete() && out.append("\n");
}

void PollAnswer::discard() noexcept {
    parser_.discard();
    long_.reset();
    unwritten_ = {};
}

} // namespace sse
