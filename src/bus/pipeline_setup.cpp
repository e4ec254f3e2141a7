// Setting up: one command after another, from who we are to the search for what is doubtful.
#include <algorithm>

#include "bus/command.hpp"
#include "bus/decimal.hpp"
#include "bus/pipeline.hpp"
#include "bus/sync.hpp"
#include "zone.hpp"

namespace sse {

namespace {

// How often the stream is raised in a row before the next address is tried.
constexpr int kMostRaises = 5;
// A stream with a greater sequence is given a new millisecond: otherwise what follows it would soon not fit
// an id of the log.
constexpr uint64_t kMostSequence = kMaxStreamSequence / 2;

// The number in one of our tokens; 0 if the token is not ours, because numbers begin with 1.
uint64_t numberOf(std::string_view token, std::string_view prefix) noexcept {
    const bool isOurs =
        token.starts_with(prefix) && token.size() > prefix.size() && token[prefix.size()] == '-';
    return isOurs ? parseDecimal(dropFirst(token, prefix.size() + 1)).value_or(0) : 0;
}

// The value after "name=" in a line like that of CLIENT INFO: "id=3 addr=127.0.0.1:4 …".
std::string_view valueOf(std::string_view line, std::string_view name) noexcept {
    while (!line.empty()) {
        const size_t end = std::min(line.find(' '), line.size());
        const std::string_view field(line.data(), end);
        if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=') {
            return dropFirst(field, name.size() + 1);
        }
        line = dropFirst(line, std::min(end + 1, line.size()));
    }
    return {};
}

// The value after a name in an array of names and values; NULL if there is none.
const Reply* valueOf(const Reply& fields, std::string_view name) noexcept {
    for (const Reply* field = fields.first; field != nullptr && field->next != nullptr;
         field = field->next->next) {
        if (field->text == name) {
            return field->next;
        }
    }
    return nullptr;
}

} // namespace

void Pipeline::setUp() noexcept {
    send(Step::Identity, {"CLIENT", "INFO"});
}

void Pipeline::send(Step step, std::initializer_list<std::string_view> words) noexcept {
    step_ = step;
    if (!addCommand(connection_.output(), {words.begin(), words.size()})) {
        reconnect("out of memory");
        return;
    }
    isAsked_ = true;
    heardAt_ = ngx_current_msec;
    connection_.flush();
}

// The answers of a server that is still loading, or that cannot serve us, mean nothing.
void Pipeline::onSetUp(const Reply& reply) noexcept {
    isAsked_ = false;
    if (isOfServer(reply)) {
        reconnect(reply.text);
        return;
    }
    switch (step_) {
    case Step::Identity:
        return onIdentity(reply);
    case Step::Kill:
        return onKilled(reply);
    case Step::Lineage:
        return onLineage(reply);
    case Step::Newest:
        return onNewest(reply);
    case Step::Raise: // or another machine was first
        return askStream();
    case Step::Script:
        return onScript(reply);
    case Step::Search:
        return onEntries(reply);
    case Step::Closed:
    case Step::Ready:
    case Step::Leaving:
        break;
    }
}

void Pipeline::onIdentity(const Reply& reply) noexcept {
    const bool isKnown = reply.is(Reply::Type::Text);
    identity_.id = ShortText<20>(isKnown ? valueOf(reply.text, "id") : std::string_view());
    identity_.address = ShortText<128>(isKnown ? valueOf(reply.text, "addr") : std::string_view());
    killOld();
}

// Another server, or the same one after a restart, may have given the number to another client. So the
// address of the client must match, too.
void Pipeline::killOld() noexcept {
    if (!flight_.hasDoubtful()) {
        mayRepeat_ = true;
        askLineage();
    } else if (sender_.id.empty() || sender_.address.empty()) {
        mayRepeat_ = false;
        askLineage();
    } else {
        send(Step::Kill, {"CLIENT", "KILL", "ID", sender_.id.view(), "ADDR", sender_.address.view()});
    }
}

void Pipeline::onKilled(const Reply& reply) noexcept {
    mayRepeat_ = reply.is(Reply::Type::Integer);
    if (!mayRepeat_) {
        log("the old connection cannot be ended, so events may be unknown", reply.text);
    }
    askLineage();
}

void Pipeline::askLineage() noexcept {
    send(Step::Lineage, {"GET", toView(config_.lineageKey)});
}

// Until the follower has read which life the stream has, nothing is published: tick() asks again.
void Pipeline::onLineage(const Reply& reply) noexcept {
    if (!reply.is(Reply::Type::Text) && !reply.is(Reply::Type::Nil)) {
        reconnect(reply.text);
        return;
    }
    const uint64_t ours = state_.lineage.load(std::memory_order_acquire);
    if (ours != 0 && parseLineage(reply.text) == ours) {
        lineage_ = ours;
        raises_ = 0;
        askStream();
    }
}

// Everything that our log has at this time is in the stream, too.
void Pipeline::askStream() noexcept {
    expected_ = toStreamId(config_.zone->log.lastId());
    send(Step::Newest, {"XINFO", "STREAM", toView(config_.stream)});
}

void Pipeline::onNewest(const Reply& reply) noexcept {
    StreamFacts stream;
    if (!saysNoStream(reply) && !readStreamInfo(reply, stream)) {
        reconnect(reply.text);
        return;
    }
    newest_ = stream.last;
    mayRepeat_ = mayRepeat_ && !mayLackAfter(stream, searched_); // what has been trimmed is not found
    const bool isUsable = newest_ >= expected_ && newest_.sequence <= kMostSequence;
    isUsable ? loadScript() : raise();
}

// The stream has lost what our log has. Its next ids must be greater, or this machine would not see the
// events; and all machines learn that some are missing. None are missing if our log has been alone up to now
// and is about to become the first of many.
void Pipeline::raise() noexcept {
    if (++raises_ > kMostRaises) {
        reconnect("the stream cannot be raised");
        return;
    }
    const StreamIdText id({std::max(expected_, newest_).milliseconds + 1, 0});
    const bool isLost = newest_ < expected_ && state_.isFilled.load() != 0;
    send(Step::Raise, {"XADD", toView(config_.stream), id.view(), isLost ? "break" : "raise", "1"});
}

void Pipeline::loadScript() noexcept {
    send(Step::Script, {"SCRIPT", "LOAD", kPublishScript});
}

void Pipeline::onScript(const Reply& reply) noexcept {
    if (!reply.is(Reply::Type::Text)) {
        log("Redis takes no script, so nothing is published as a whole", reply.text);
    }
    search();
}

void Pipeline::search() noexcept {
    if (!flight_.hasDoubtful() || searched_ >= newest_) {
        beReady();
        return;
    }
    ShortText<kMaxStreamIdText + 1> from("(");
    from.append(StreamIdText(searched_).view());
    send(Step::Search, {"XRANGE", toView(config_.stream), from.view(), StreamIdText(newest_).view(), "COUNT",
                        Decimal(page_).view()});
}

void Pipeline::onEntries(const Reply& reply) noexcept {
    if (!reply.is(Reply::Type::Array)) {
        reconnect(reply.text);
        return;
    }
    for (const Reply& entry : reply) {
        lookAt(entry);
    }
    if (reply.count < page_) {
        beReady();
        return;
    }
    page_ = std::min(page_ * 2, kPage);
    search();
}

void Pipeline::lookAt(const Reply& entry) noexcept {
    const Reply* idText = entry.at(0);
    const Reply* fields = entry.at(1);
    const std::optional<StreamId> id = idText == nullptr ? std::nullopt : parseStreamId(idText->text);
    if (!id || fields == nullptr) {
        return;
    }
    searched_ = *id;
    if (const Reply* token = valueOf(*fields, "token"); token != nullptr && fitsEventId(*id)) {
        flight_.find(numberOf(token->text, tokenPrefix_.view()), *id);
    }
}

// If replicas must still be asked for something, another write must follow: they are only asked for what this
// connection has written.
void Pipeline::beReady() noexcept {
    step_ = Step::Ready;
    mostReply_ = kMostReply;
    sender_ = identity_;
    const bool mustAsk = flight_.endSearch(mayRepeat_, acks() != 0);
    if (!mustAsk) {
        since_ = newest_;
    } else if (!addRaise()) {
        reconnect("out of memory");
        return;
    }
    accepted_ = newest_;
    flush();
}

} // namespace sse
