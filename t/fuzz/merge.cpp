// Whatever stands in a text: merging leaves alone what it has not been given, makes nothing longer, and loses
// no data of the events that are as they are rendered.
#include "sse/merge.hpp"

#include <memory>
#include <vector>

#include "pieces.hpp"
#include "reference.hpp"
#include "sse/encode.hpp"

namespace {

constexpr std::string_view kBefore = ":\nretry: 3000\n\n";

// Reads the input from its start; zeros follow its end.
class Input {
public:
    explicit Input(std::string_view rest) : rest_(rest) {}

    bool empty() const { return rest_.empty(); }
    uint8_t byte() {
        const auto value = rest_.empty() ? uint8_t{0} : static_cast<uint8_t>(rest_[0]);
        rest_.remove_prefix(rest_.empty() ? 0 : 1);
        return value;
    }
    std::string_view text(size_t size) {
        const std::string_view text = rest_.substr(0, size);
        rest_.remove_prefix(text.size());
        return text;
    }

private:
    std::string_view rest_;
};

struct Given {
    std::string bytes;
    sse::MergeableEvent facts;
};

// Bytes as they stand.
Given arbitrary(Input& input) {
    const uint8_t idLineLength = input.byte();
    std::string bytes(input.text(input.byte()));
    return {bytes, {bytes.size(), idLineLength, nullptr, false, false}};
}

Given rendered(Input& input) {
    static constexpr char kChannels[2] = {};
    const uint8_t choice = input.byte();
    const std::string id = "id: " + std::string(1 + input.byte() % 128, 'i') + "\n";
    const sse::Event event{(choice & 1) != 0 ? "t" : "", input.text(input.byte()), {}, (choice & 2) * 500U};
    std::string fields(encodedSize(event), '\0');
    encodeFields(event, fields.data());
    return {id + fields,
            {id.size() + fields.size(), id.size(), &kChannels[(choice & 4) / 4], (choice & 8) != 0,
             (choice & 16) != 0}};
}

std::string merge(sse::MergeMode mode, const std::vector<Given>& events) {
    std::string text(kBefore);
    size_t before = text.size();
    sse::Merger merger(mode);
    for (const Given& event : events) {
        text += event.bytes;
        const std::unique_ptr<char[]> exact(new char[text.size()]);
        text.copy(exact.get(), text.size());
        const size_t shorter = merger.add(exact.get(), text.size(), event.facts);
        require(shorter <= text.size() - kBefore.size());
        text.assign(exact.get(), text.size() - shorter);
        before += event.bytes.size();
        require(before - merger.saved() == text.size());
    }
    require(text.starts_with(kBefore));
    return text;
}

// Without the line feeds, which tell how data was joined.
std::string dataOf(const std::string& text) {
    std::string data;
    const ReferenceParser parser(text);
    for (const ReferenceEvent& event : parser.events()) {
        data += event.data;
    }
    std::erase(data, '\n');
    return data;
}

std::string lastIdOf(const std::string& text) {
    const ReferenceParser parser(text);
    return parser.events().empty() ? "" : parser.events().back().lastEventId;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input({reinterpret_cast<const char*>(data), size});
    const bool isRendered = input.byte() % 4 != 0;
    std::vector<Given> events;
    while (!input.empty()) {
        events.push_back(isRendered ? rendered(input) : arbitrary(input));
    }
    const std::string single = merge(sse::MergeMode::Off, events);
    for (const sse::MergeMode mode : {sse::MergeMode::Data, sse::MergeMode::Lines}) {
        const std::string merged = merge(mode, events);
        if (isRendered) {
            require(dataOf(merged) == dataOf(single));
            require(lastIdOf(merged) == lastIdOf(single));
        }
    }
    return 0;
}
