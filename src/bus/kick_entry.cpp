#include "bus/kick_entry.hpp"

#include <charconv>

#include "bus/decimal.hpp"
#include "sse/validate.hpp"

namespace sse {

namespace {

constexpr std::string_view kKick = "kick";
constexpr std::string_view kKey = "key";
constexpr std::string_view kChannel = "channel";
constexpr std::string_view kFor = "for";
constexpr std::string_view kBy = "by";

bool readSeconds(std::string_view text, uint64_t& seconds) noexcept {
    const std::optional<uint64_t> number = parseDecimal(text);
    seconds = number.value_or(0);
    return number && *number <= kMostKickSeconds;
}

} // namespace

std::optional<KickEntry> readKick(const Reply& fields) noexcept {
    KickEntry kick;
    bool isKick = false;
    bool hasTime = false;
    for (const Reply* name = fields.first; name != nullptr && name->next != nullptr;) {
        const Reply* value = name->next;
        if (name->text == kKick) {
            isKick = value->text == "1";
        } else if (name->text == kKey) {
            kick.key = value->text;
        } else if (name->text == kChannel) {
            kick.channel = value->text;
        } else if (name->text == kFor) {
            hasTime = readSeconds(value->text, kick.seconds);
        } else if (name->text == kBy) {
            kick.by = value->text;
        }
        name = value->next;
    }
    const bool isAimed = kick.channel.empty() ? !kick.key.empty() : isChannelName(kick.channel);
    return isKick && hasTime && isAimed ? std::optional(kick) : std::nullopt;
}

KickWords::KickWords(const KickEntry& kick) noexcept {
    add(kKick, "1");
    if (!kick.key.empty()) {
        add(kKey, kick.key);
    }
    if (!kick.channel.empty()) {
        add(kChannel, kick.channel);
    }
    const char* end = std::to_chars(seconds_, seconds_ + sizeof(seconds_), kick.seconds).ptr;
    add(kFor, {seconds_, static_cast<size_t>(end - seconds_)});
    if (!kick.by.empty()) {
        add(kBy, kick.by);
    }
}

void KickWords::add(std::string_view name, std::string_view value) noexcept {
    words_[count_++] = name;
    words_[count_++] = value;
}

} // namespace sse
