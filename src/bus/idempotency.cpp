#include "bus/idempotency.hpp"

#include "bus/command.hpp"
#include "bus/decimal.hpp"
#include "bus/entry.hpp"

namespace sse {

// KEYS: the stream, and where the request is remembered, if it is.
// ARGV: 1  how it is remembered: "", "key" or "producer"     4  "1": the channel ends
//       2  for how long                                      5  of a producer: the epoch
//       3  the publisher id of the last event                6  and the sequence,
//       7  the one before, or "" for the first               8  the one whose outcome is to be forgotten
//       9… for each entry, the number of words, and the words
//
// ARGV: 1  "newest": only the id of the newest entry is asked for
//
// Numbers of producers have 20 digits, so they can be compared as text: as Lua numbers they would be rounded.
constexpr std::string_view kPublishScript = R"(
if ARGV[1] == 'newest' then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  return {'newest', newest and newest[1] or '0-0'}
end
local how, record, epoch, sequence = ARGV[1], KEYS[2], ARGV[5], ARGV[6]
local request = epoch .. ':' .. sequence
if how == 'key' then
  local outcome = redis.call('GET', record)
  if outcome then return {'repeated', outcome} end
elseif how == 'producer' then
  local outcome = redis.call('HGET', record, request)
  if outcome then return {'repeated', outcome} end
  local last = redis.call('HMGET', record, 'epoch', 'sequence')
  if last[1] and epoch < last[1] then return {'stale', last[1]} end
  if last[1] and epoch > last[1] and ARGV[7] ~= '' then return {'expected', ''} end
  if last[1] and epoch == last[1] then
    if sequence <= last[2] then return {'repeated', ''} end
    if ARGV[7] ~= last[2] then return {'expected', last[2]} end
  end
end
if #ARGV < 9 then return {'nothing'} end
local id
local at = 9
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end
local outcome = id .. ' ' .. ARGV[4] .. ' ' .. ARGV[3]
if how == 'key' then
  redis.call('SET', record, outcome, 'PX', ARGV[2])
elseif how == 'producer' then
  if redis.call('HLEN', record) > 1000 then redis.call('DEL', record) end
  redis.call('HSET', record, 'epoch', epoch, 'sequence', sequence, request, outcome)
  redis.call('HDEL', record, epoch .. ':' .. ARGV[8])
  redis.call('PEXPIRE', record, ARGV[2])
end
return {'published', id}
)";

namespace {

// This many requests of a producer are remembered with their outcomes.
constexpr uint64_t kOutcomes = 64;

// A number in 20 digits.
class Digits {
public:
    explicit Digits(uint64_t number) noexcept {
        for (size_t i = sizeof(text_); i-- != 0; number /= 10) {
            text_[i] = static_cast<char>('0' + number % 10);
        }
    }
    std::string_view view() const noexcept { return {text_, sizeof(text_)}; }

private:
    char text_[20];
};

// Where the request is remembered. false without memory.
bool addRecordKey(Buffer& key, std::string_view stream, std::string_view channel,
                  const Stamp& stamp) noexcept {
    const std::string_view name = stamp.isProducers() ? stamp.producer() : stamp.key();
    return key.append(stream) && key.append(stamp.isProducers() ? ":producer:" : ":key:") &&
           key.append(Decimal(channel.size()).view()) && key.append(":") && key.append(channel) &&
           key.append(":") && key.append(name);
}

// The publisher id of the last of the events.
std::string_view lastPublisherId(const WholeRequest& request) noexcept {
    std::string_view id;
    if (request.events != nullptr) {
        request.events->each([&id](const StagedEvent& event) noexcept {
            id = event.publisherId;
            return true;
        });
    }
    return id;
}

bool addEntry(LongCommand& command, const EntryWords& entry) noexcept {
    const Decimal number(entry.view().size());
    const std::string_view count = number.view();
    return command.add({&count, 1}) && command.add(entry.view());
}

bool addEntries(LongCommand& command, const WholeRequest& request, std::string_view token) noexcept {
    EntryWords entry;
    if (request.events == nullptr || request.events->empty()) {
        entry.setEnd(request.channel, token);
        return addEntry(command, entry);
    }
    bool isAdded = true;
    request.events->each([&](const StagedEvent& event) noexcept {
        const bool ends = event.ends || (request.ends && event.isLast);
        isAdded = entry.setEvent(request.channel, event, {.ends = ends, .reopens = request.reopens}, token) &&
                  addEntry(command, entry);
        return isAdded;
    });
    return isAdded;
}

// Whether the channel has ended after the whole request.
bool endsChannel(const WholeRequest& request) noexcept {
    bool ends = request.ends;
    if (request.events != nullptr) {
        request.events->each([&](const StagedEvent& event) noexcept {
            ends = event.ends || (request.ends && event.isLast);
            return true;
        });
    }
    return ends;
}

// "<id> <0 or 1> <publisher id>"; an empty outcome is not known any more.
bool readOutcome(std::string_view text, RequestRecord& record) noexcept {
    const size_t idEnd = text.find(' ');
    if (idEnd == std::string_view::npos) {
        return text.empty();
    }
    const std::optional<StreamId> id = parseStreamId({text.data(), idEnd});
    if (!id || text.size() < idEnd + 3) {
        return false;
    }
    record.id = *id;
    record.ended = text[idEnd + 1] == '1';
    text.remove_prefix(idEnd + 3);
    record.publisherId = PublisherId(text);
    return true;
}

bool readNumber(std::string_view digits, uint64_t& number) noexcept {
    const std::optional<uint64_t> read = parseDecimal(digits);
    number = read.value_or(0);
    return read.has_value();
}

bool readRecord(std::string_view kind, std::string_view value, RequestRecord& record) noexcept {
    using Kind = RequestRecord::Kind;
    if (kind == "published" || kind == "newest") {
        const std::optional<StreamId> id = parseStreamId(value);
        record.kind = kind == "newest" ? Kind::Newest : Kind::Published;
        record.id = id.value_or(StreamId{});
        return id.has_value();
    }
    if (kind == "nothing") {
        record.kind = Kind::Nothing;
        return true;
    }
    if (kind == "repeated") {
        record.kind = Kind::Repeated;
        return readOutcome(value, record);
    }
    if (kind == "stale") {
        record.kind = Kind::StaleEpoch;
        return readNumber(value, record.number);
    }
    if (kind == "expected") { // the number after that one; a new epoch begins with 0
        record.kind = Kind::OutOfSequence;
        return value.empty() || (readNumber(value, record.number) && ++record.number != 0);
    }
    return false;
}

} // namespace

bool addPublishCommand(Buffer& out, std::string_view script, std::string_view stream,
                       const WholeRequest& request, uint64_t keep, std::string_view token) noexcept {
    const Stamp stamp(request.stamp);
    const ProducerPosition at = stamp.isProducers() ? stamp.position() : ProducerPosition{};
    const Decimal kept(keep);
    const Digits epoch(at.epoch);
    const Digits sequence(at.sequence);
    const Digits before(at.sequence - 1);
    const Digits forgotten(at.sequence - kOutcomes);

    Buffer key;
    if (!stamp.empty() && !addRecordKey(key, stream, request.channel, stamp)) {
        return false;
    }
    const std::string_view words[] = {
        "EVALSHA",
        script,
        stamp.empty() ? "1" : "2",
        stream,
        key.view(),
        stamp.empty()         ? ""
        : stamp.isProducers() ? "producer"
                              : "key",
        kept.view(),
        lastPublisherId(request),
        endsChannel(request) ? "1" : "0",
        epoch.view(),
        sequence.view(),
        at.sequence == 0 ? "" : before.view(),
        forgotten.view(),
    };
    LongCommand command;
    const std::span all(words);
    const bool hasKey = !stamp.empty();
    return command.add(all.first(hasKey ? 5 : 4)) && command.add(all.subspan(5)) &&
           (request.checksOnly || addEntries(command, request, token)) && command.addTo(out);
}

bool addNewestCommand(Buffer& out, std::string_view script, std::string_view stream) noexcept {
    const std::string_view words[] = {"EVALSHA", script, "1", stream, "newest"};
    return addCommand(out, words);
}

RequestRecord readRequestRecord(const Reply& reply) noexcept {
    const Reply* kind = reply.at(0);
    const Reply* value = reply.at(1);
    RequestRecord record;
    if (kind == nullptr || !readRecord(kind->text, value == nullptr ? "" : value->text, record)) {
        record.kind = RequestRecord::Kind::None;
    }
    return record;
}

} // namespace sse
