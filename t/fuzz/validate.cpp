// UTF-8 and its repair against decoders of their own; JSON strings and percent-decoding of any bytes.
#include "sse/validate.hpp"

#include "log/event_id.hpp"
#include "pieces.hpp"
#include "sse/encode.hpp"
#include "sse/json.hpp"
#include "sse/percent.hpp"

namespace {

// By the definition: decode, then refuse what a shorter form could say and what is no scalar value.
bool decodes(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        const auto lead = static_cast<uint8_t>(text[at++]);
        const int more = lead < 0x80         ? 0
                         : lead >> 5 == 6    ? 1
                         : lead >> 4 == 0xe  ? 2
                         : lead >> 3 == 0x1e ? 3
                                             : -1;
        if (more < 0) {
            return false;
        }
        uint32_t code = more == 0 ? lead : lead & (0x3fu >> more);
        for (int i = 0; i < more; ++i) {
            if (at == text.size() || static_cast<uint8_t>(text[at]) >> 6 != 2) {
                return false;
            }
            code = code << 6 | (static_cast<uint8_t>(text[at++]) & 0x3fu);
        }
        constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
        if (code < kLeast[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

// In text that is UTF-8.
bool hasControl(std::string_view text) {
    for (size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<uint8_t>(text[at]);
        const auto next = static_cast<uint8_t>(at + 1 < text.size() ? text[at + 1] : 0xff);
        const std::string_view three = text.substr(at, 3);
        if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next < 0xa0) || three == "\u2028" ||
            three == "\u2029") {
            return true;
        }
    }
    return false;
}

void checkJson(std::string_view text) {
    sse::Buffer buffer;
    sse::JsonWriter json(buffer);
    json.string(text);
    require(json.isComplete());
    const std::string out(buffer.view());
    require(decodes(out) && !hasControl(out));
    require(out.front() == '"' && out.back() == '"');
    for (size_t i = 1; i + 1 < out.size(); ++i) {
        require(out[i] != '"');
        i += out[i] == '\\' ? 1 : 0;
        require(i + 1 < out.size());
    }
}

// As the Encoding standard decodes, byte by byte: what cannot go on is replaced, and looked at again.
std::string decodeAsBrowsers(std::string_view text) {
    std::string out;
    std::string pending;
    for (size_t at = 0; at < text.size();) {
        pending += text[at];
        const auto couldBe = [&](std::string_view tail) { return decodes(pending + std::string(tail)); };
        if (decodes(pending)) {
            out += pending;
            pending.clear();
            ++at;
        } else if (couldBe("\x80") || couldBe("\xa0") || couldBe("\x80\x80") || couldBe("\xa0\x80") ||
                   couldBe("\x90\x80\x80") || couldBe("\x80\x80\x80")) {
            ++at;
        } else {
            at += pending.size() == 1 ? 1 : 0;
            out += "\ufffd";
            pending.clear();
        }
    }
    return pending.empty() ? out : out + "\ufffd";
}

void checkRepair(std::string_view text, bool valid) {
    const sse::Repair plan = sse::planRepair(text);
    std::string out(plan.size, '\0');
    require(sse::repairUtf8(text, out.data()) == out.data() + out.size());
    require(decodes(out) && out == decodeAsBrowsers(text));
    require((plan.replaced == 0) == valid && (!valid || out == text));
    require(sse::planRepair(out).replaced == 0 && sse::planRepair(out).size == out.size());

    sse::Buffer buffer;
    require(buffer.append("\xff", 1 + plan.size) && buffer.append(text, 1 + plan.size));
    require(sse::repairUtf8(buffer, 1, plan, 1 + plan.size));
    require(buffer.view() == "\xff" + out && buffer.held() <= 1 + plan.size);
}

// What is escaped comes back when it is decoded, is found as it stands, and is never an id of the log.
void checkPublisherId(std::string_view text) {
    const sse::PublisherId form = sse::escapePublisherId(text);
    require(form.view().size() <= sse::kMaxPublisherId);
    require(sse::isPublisherId(text) == (!text.empty() && form.view() == text));
    require(sse::publisherIdOnWire(form.view()).view() == form.view());
    require(!sse::parseEventId(form.view().substr(0, form.view().find('~'))));
    std::string plain(form.view());
    plain.resize(sse::percentDecode(plain, plain.data()));
    require(form.empty() || plain == text);
    const sse::PublisherId found = sse::publisherIdOnWire(text);
    require(found.empty() || found.view() == text || found.view() == form.view());
}

void checkPercent(std::string_view text) {
    std::string out(text.size(), '\0');
    out.resize(sse::percentDecode(text, out.data()));
    std::string place(text);
    place.resize(sse::percentDecode(place, place.data()));
    require(out == place);
    require(text.find('%') != std::string_view::npos || out == text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool valid = decodes(text);
    require(sse::isUtf8(text) == valid);
    const bool printable = valid && !hasControl(text);
    require(sse::isChannelName(text) == (printable && !text.empty() && text.size() <= 255));
    require(sse::isEventType(text) ==
            (printable && !text.empty() && text.size() <= 128 && text.front() != ' '));
    checkPublisherId(text);
    const auto retry = sse::parseRetry(text);
    require(!retry || (*retry >= sse::kMinRetry && *retry <= sse::kMaxRetry));
    checkRepair(text, valid);
    checkJson(text);
    checkPercent(text);
    return 0;
}
