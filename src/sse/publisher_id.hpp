// The id that a publisher gives an event. It goes with the log's, "<ms>-<seq>~<publisher id>", and a client
// may come back with both or with either.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/short_text.hpp"

namespace sse {

// With the log's id it stays within the 128 bytes beyond which browsers call a Last-Event-ID header unsafe:
// 128 - 41 - 1.
inline constexpr size_t kMaxPublisherId = 86;

using PublisherId = ShortText<kMaxPublisherId>;

// Whether an id may be given as it stands: 1 to kMaxPublisherId bytes of [A-Za-z0-9._~=+/-], and not of the
// form of the log's, "<digits>-<digits>" with or without a "~" after that: it would be read as a place in the
// log when a client comes back with it alone.
bool isPublisherId(std::string_view text) noexcept;

// The form on the wire of an id that may be anything, as others than us have given it: every byte outside
// of [A-Za-z0-9._~=+/-] is percent-escaped ("%3A"), and so is the first "-" of what has the form of the log's
// ids. Two ids never get the same form. Empty if that is longer than kMaxPublisherId: then there is no such
// id.
PublisherId escapePublisherId(std::string_view text) noexcept;

// What to look for when a client comes back with this alone: itself if it is what escapePublisherId makes of
// some id, else the form of this id. So a client may send the id as the publisher gave it, or as it stood on
// the wire. An id that looks like the form of another is found only by its own form.
PublisherId publisherIdOnWire(std::string_view text) noexcept;

} // namespace sse
