// Random events made of what is hard: line ends, colons, field names, NUL, and characters that look like line
// ends.
#pragma once

#include <random>
#include <string>
#include <string_view>

using namespace std::string_view_literals;

struct RandomEvent {
    std::string type;
    std::string data;
    std::string publisherId;
    uint32_t retry;
};

class RandomEvents {
public:
    explicit RandomEvents(uint32_t seed) : random_(seed) {}

    RandomEvent next() {
        static constexpr std::string_view kData[] = {"\r",
                                                     "\n",
                                                     "\r\n",
                                                     "\n\n",
                                                     "\r\r",
                                                     " ",
                                                     ":",
                                                     ": ",
                                                     "data: x",
                                                     "data",
                                                     "event: evil",
                                                     "id: evil",
                                                     "retry: 1",
                                                     "\0"sv,
                                                     "\t",
                                                     "\v",
                                                     "\f",
                                                     "\u0085",
                                                     "\u2028",
                                                     "\u2029",
                                                     "\ufeff",
                                                     "\U0001f600",
                                                     "\U0010ffff",
                                                     "\uffff",
                                                     "\u00e9",
                                                     "plain",
                                                     "{\"a\": [1]}",
                                                     "a",
                                                     "\x7f",
                                                     "\\r\\n",
                                                     "longer words",
                                                     "0123456789",
                                                     "<b>html</b>"};
        static constexpr std::string_view kType[] = {
            "a", "update", ":", "event", "data:", "\u202a", "\u00e9", "x y", "message", "-"};
        static constexpr std::string_view kId[] = {"a", "Z", "0", "9", ".", "_", "~", "=", "+", "/", "-"};
        RandomEvent event;
        event.data = join(kData, below(12));
        event.type = join(kType, below(4));
        event.publisherId = join(kId, below(20));
        event.retry = below(3) == 0 ? 250 + below(100000) : 0;
        return event;
    }

    uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_()) % limit; }

private:
    template <size_t N>
    std::string join(const std::string_view (&words)[N], uint32_t count) {
        std::string text;
        while (count-- > 0) {
            text += words[below(N)];
        }
        return text;
    }

    std::mt19937 random_;
};

// What a subscriber sees of the data: each CRLF, CR and LF is an LF.
inline std::string withLf(std::string_view data) {
    std::string out;
    for (size_t at = 0; at < data.size(); ++at) {
        if (data[at] == '\r') {
            out += '\n';
            at += at + 1 < data.size() && data[at + 1] == '\n' ? 1 : 0;
        } else {
            out += data[at];
        }
    }
    return out;
}
