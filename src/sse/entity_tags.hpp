// The values of If-Match and If-None-Match: "*", or entity tags in quotes (RFC 9110, sections 8.8.3
// and 13.1).
#pragma once

#include <optional>
#include <string_view>

namespace sse {

class EntityTags {
public:
    // nullopt if it is no such value. The text must live as long as the result.
    static std::optional<EntityTags> parse(std::string_view text) noexcept;

    // Whether it is "*", which stands for whatever there is.
    bool isAny() const noexcept { return list_ == "*"; }

    // Whether isRight(tag) is true for one of the tags, given without its quotes. Weak ones (W/"…") match
    // nothing: the comparison is the strong one.
    template <typename IsRight>
    bool contains(IsRight&& isRight) const noexcept {
        std::string_view rest = list_;
        Tag tag;
        while (next(rest, tag) == Next::Tag) {
            if (!tag.isWeak && isRight(tag.text)) {
                return true;
            }
        }
        return false;
    }

private:
    struct Tag {
        std::string_view text;
        bool isWeak = false;
    };
    enum class Next { Tag, End, Malformed };

    explicit EntityTags(std::string_view list) noexcept : list_(list) {}
    static Next next(std::string_view& rest, Tag& tag) noexcept;

    std::string_view list_;
};

} // namespace sse
