// The id that a publisher gives an event. It follows the log's, "<ms>-<seq>~<publisher id>", and a client may
// come back with both or with either.
#pragma once

#include <cstddef>
#include <string_view>

#include "sse/short_text.hpp"

namespace sse {

// Together with the log's id it stays within 128 bytes, beyond which browsers call a Last-Event-ID header
// unsafe: 128 - 41 - 1.
inline constexpr size_t kMaxPublisherId = 86;

using PublisherId = ShortText<kMaxPublisherId>;

// The longest id of an event as it is sent: the log's, a "~", and the publisher's.
inline constexpr size_t kMaxWireId = 128;

// Whether an id may be used as it stands: 1 to kMaxPublisherId bytes of [A-Za-z0-9._~=+/-], and not of the
// form of the log's ids, "<digits>-<digits>" with or without a "~" after that: that would be read as a
// position in the log when a client comes back with it alone.
bool isPublisherId(std::string_view text) noexcept;

// The wire form of an id that another program has chosen and that may be any bytes: every byte outside
// [A-Za-z0-9._~=+/-] is percent-escaped ("%3A"), and so is the first "-" of an id in the form of the log's.
// Two ids never have the same wire form. Empty if that is longer than kMaxPublisherId: then there is no such
// id.
PublisherId escapePublisherId(std::string_view text) noexcept;

// What to look for when a client comes back with this alone: the text itself if it is the wire form of some
// id, otherwise its own wire form. So a client may send the id as the publisher wrote it, or as it was on the
// wire. An id that looks like the wire form of another is found only by its own.
PublisherId publisherIdOnWire(std::string_view text) noexcept;

} // namespace sse
