#include "sse/entity_tags.hpp"

#include <algorithm>

#include "sse/token.hpp"

namespace sse {

namespace {

bool isTagByte(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

} // namespace

std::optional<EntityTags> EntityTags::parse(std::string_view text) noexcept {
    const EntityTags tags(trimmed(text));
    if (tags.isAny()) {
        return tags;
    }
    std::string_view rest = tags.list_;
    Tag tag;
    Next found = next(rest, tag);
    if (found == Next::End) { // nothing is no list
        return std::nullopt;
    }
    while (found == Next::Tag) {
        found = next(rest, tag);
    }
    return found == Next::End ? std::optional(tags) : std::nullopt;
}

// Takes one tag, and what separates it from the next. Elements of a list may be empty (RFC 9110, 5.6.1.2).
EntityTags::Next EntityTags::next(std::string_view& rest, Tag& tag) noexcept {
    while (!rest.empty() && (rest.front() == ',' || rest.front() == ' ' || rest.front() == '\t')) {
        rest.remove_prefix(1);
    }
    if (rest.empty()) {
        return Next::End;
    }
    tag.isWeak = rest.starts_with("W/");
    rest.remove_prefix(tag.isWeak ? 2 : 0);
    if (!rest.starts_with('"')) {
        return Next::Malformed;
    }
    rest.remove_prefix(1);
    const auto end = std::find_if_not(rest.begin(), rest.end(), isTagByte);
    tag.text = {rest.data(), static_cast<size_t>(end - rest.begin())};
    rest.remove_prefix(tag.text.size());
    if (!rest.starts_with('"')) {
        return Next::Malformed;
    }
    rest.remove_prefix(1);
    const std::string_view after = trimmed(rest);
    return after.empty() || after.front() == ',' ? Next::Tag : Next::Malformed;
}

} // namespace sse
