// What a client may send as its cursor: percent-encoded text, an id, or a publisher id, looked up in a small
// log.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "model.hpp"
#include "pieces.hpp"
#include "sse/percent.hpp"

using namespace sse;

namespace {

struct Known {
    EventId id;
    std::string channel;
    std::string publisherId;
};

// Three channels, events with and without ids of their own, and of each channel some that are lost.
class SmallLog {
public:
    SmallLog() : zone_(8) {
        Random random(1);
        for (uint64_t i = 0; i < 200; ++i) {
            const std::string channel(1, "abc"[random.below(3)]);
            const std::string own =
                random.chance(50) ? "" : kPublisherIds[random.below(std::size(kPublisherIds))];
            const Appended appended =
                append(zone_.log, channel, std::string(random.below(1500), 'x'), kBirth + i / 3, own);
            known_.push_back({appended.id, channel, own});
        }
    }

    // The newest event of these channels that its publisher called so.
    std::optional<EventId> find(std::string_view channels, std::string_view publisherId) const {
        for (size_t i = known_.size(); i-- > evicted() && !publisherId.empty();) {
            if (known_[i].publisherId == publisherId &&
                channels.find(known_[i].channel) != std::string_view::npos) {
                return known_[i].id;
            }
        }
        return std::nullopt;
    }

    void checkPublisherId(std::string_view names, std::string_view publisherId) {
        const std::vector<ReplayChannel> channels = open(names);
        require(findPublisherId(zone_.log, channels, publisherId) == find(names, publisherId));
    }

    // Everything newer is given, or there is a gap.
    void checkReplay(std::string_view names, EventId cursor) {
        std::vector<ReplayChannel> channels = open(names);
        Replay replay{zone_.log, channels, cursor, zone_.log.lastId(), {}};
        require(replay.seek(UINT32_MAX) == ReadStatus::Ok);

        const EventId from = isUnknown(zone_, cursor) ? EventId{} : cursor;
        bool missed = from < kBorn;
        ReplayEvent event;
        for (size_t i = 0; i < known_.size(); ++i) {
            if (known_[i].id <= from || names.find(known_[i].channel) == std::string_view::npos) {
                continue;
            }
            if (i < evicted()) {
                missed = true;
                continue;
            }
            require(replay.next(UINT64_MAX, event) == ReadStatus::Ok);
            require(event.header.number == i && event.header.id == known_[i].id);
        }
        require(replay.next(UINT64_MAX, event) == ReadStatus::End);
        require(replay.gap() == (isUnknown(zone_, cursor)       ? Gap::Unknown
                                 : cursor == Replay::kBeginning ? Gap::None
                                 : missed                       ? Gap::Evicted
                                                                : Gap::None));
    }

private:
    static constexpr const char* kPublisherIds[] = {"a", "ab", "order-7", "1-2", "x~y", "0", "-", "=+/._~"};

    uint64_t evicted() const { return zone_.log.stats().evicted; }

    std::vector<ReplayChannel> open(std::string_view names) {
        std::vector<ReplayChannel> channels;
        for (size_t i = 0; i < names.size(); ++i) {
            channels.push_back(channel(zone_.log, names.substr(i, 1)));
        }
        return channels;
    }

    TestLog zone_;
    std::vector<Known> known_;
};

std::optional<uint64_t> number(std::string_view text) {
    unsigned __int128 value = 0;
    for (const char c : text) {
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (c < '0' || c > '9' || value > UINT64_MAX) {
            return std::nullopt;
        }
    }
    return text.empty() ? std::nullopt : std::optional(static_cast<uint64_t>(value));
}

// By the definition: two numbers of 64 bits with a dash between them.
std::optional<EventId> readId(std::string_view text) {
    const size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto milliseconds = number(text.substr(0, dash));
    const auto sequence = number(text.substr(dash + 1));
    return milliseconds && sequence ? std::optional(EventId{*milliseconds, *sequence}) : std::nullopt;
}

int digit(char c) {
    const std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    const size_t place = digits.find(c);
    return place == std::string_view::npos ? -1 : static_cast<int>(place % 16);
}

std::string decode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const bool escape = text.size() >= 3 && text[0] == '%' && digit(text[1]) >= 0 && digit(text[2]) >= 0;
        out += escape ? static_cast<char>(digit(text[1]) * 16 + digit(text[2])) : text[0];
        text.remove_prefix(escape ? 3 : 1);
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setenv("CMOCKA_TEST_ABORT", "1", 1); // so that what the shared helpers assert is a finding, too
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static SmallLog log;
    if (size == 0) {
        return 0;
    }
    const std::unique_ptr<char[]> exact(new char[size - 1]);
    std::copy(data + 1, data + size, exact.get());
    const std::string names = std::string(data[0] & 1 ? "a" : "") + (data[0] & 2 ? "b" : "") + "c";

    const std::string right = decode({exact.get(), size - 1});
    const std::string_view text(exact.get(), percentDecode({exact.get(), size - 1}, exact.get()));
    require(text == right);

    const auto id = parseEventId(text.substr(0, text.find('~')));
    require(id == readId(text.substr(0, text.find('~'))));
    if (id) {
        require(parseEventId(idText(*id)) == id);
        log.checkReplay(names, *id);
    }
    log.checkPublisherId(names, text);
    return 0;
}
