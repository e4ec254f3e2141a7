// Any fields of an entry: an event that is read from them is valid, and is the same when it is written into
// a stream and read again.
#include "bus/entry.hpp"

#include "bus_replies.hpp"
#include "pieces.hpp"
#include "sse/utf8.hpp"
#include "sse/validate.hpp"

using namespace sse;

namespace {

constexpr size_t kMaxData = 96;

// The input, from its start on: texts, each after a byte with its length, or one that stands for a usual
// name.
std::vector<std::string_view> split(std::string_view input) {
    static constexpr std::string_view kNames[] = {"channel", "data",  "event", "id",    "retry",
                                                  "end",     "token", "break", "raise", "user"};
    std::vector<std::string_view> texts;
    while (!input.empty()) {
        const auto head = static_cast<uint8_t>(input.front());
        input.remove_prefix(1);
        if (head >= 240) {
            texts.push_back(kNames[(head - 240) % std::size(kNames)]);
            continue;
        }
        const std::string_view text = input.substr(0, head);
        texts.push_back(text);
        input.remove_prefix(text.size());
    }
    return texts;
}

// Calls `use` with the reply that is in the bytes.
template <typename Use>
void withReply(std::string_view bytes, Use&& use) {
    ReplyReader reader(1024 * 1024);
    const Reply* reply = nullptr;
    require(reader.feed(bytes));
    require(reader.next(reply) == ReplyReader::Next::Reply);
    use(*reply);
    require(reader.next(reply) == ReplyReader::Next::Incomplete);
}

void checkEvent(const EntryReader& entry) {
    const Event& event = entry.envelope().event;
    require(isChannelName(entry.channel()));
    require(event.type.empty() || isEventType(event.type));
    require(isUtf8(event.data) && event.data.size() <= kMaxData);
    require(publisherIdOnWire(event.publisherId).view() == event.publisherId);
    require(event.retryMilliseconds == 0 ||
            (event.retryMilliseconds >= kMinRetry && event.retryMilliseconds <= kMaxRetry));
}

// What readers see of the event.
std::string rendered(const EntryReader& entry, StagedEvents& staged) {
    std::string out;
    staged.clear();
    require(staged.add(entry.envelope(), encodedSize(entry.envelope().event)));
    staged.each([&](const StagedEvent& event) {
        out = std::string(entry.channel()) + "|" + std::string(event.publisherId) + "|" +
              std::string(event.fields) + (event.ends ? "|end" : "");
        return true;
    });
    return out;
}

void checkRoundTrip(const EntryReader& entry) {
    StagedEvents staged;
    const std::string before = rendered(entry, staged);
    Buffer command;
    staged.each([&](const StagedEvent& event) {
        require(addEntryCommand(command, "stream", entry.channel(), event,
                                {entry.envelope().ends, entry.reopens()}, entry.token()));
        return true;
    });
    withReply(command.view(), [&](const Reply& words) {
        require(words.count >= 5 && words.at(0)->text == "XADD" && words.at(1)->text == "stream" &&
                words.at(2)->text == "*");
        const Reply fields{.type = Reply::Type::Array, .count = words.count - 3, .first = words.at(3)};
        EntryReader again(kMaxData);
        require(again.read(fields) == EntryKind::Event);
        require(again.replaced() == 0);
        require(again.token() == entry.token());
        StagedEvents others;
        require(rendered(again, others) == before);
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::vector<std::string_view> texts = split({reinterpret_cast<const char*>(data), size});
    withReply(bulks(texts), [&](const Reply& fields) {
        EntryReader entry(kMaxData);
        const EntryKind kind = entry.read(fields);
        require(kind != EntryKind::NoMemory);
        require(kind != EntryKind::Bad || !entry.fault().empty());
        if (kind == EntryKind::Event) {
            checkEvent(entry);
            checkRoundTrip(entry);
        }
        require(kind != EntryKind::End || isChannelName(entry.channel()));
        // A reader is as good as a new one.
        require(entry.read(fields) == kind);
    });
    return 0;
}
