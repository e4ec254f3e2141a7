#include "publish/channel_list.hpp"

#include <charconv>

#include "conf/config.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "listing/scan.hpp"
#include "listing/sliced_request.hpp"

namespace sse {

namespace {

constexpr ngx_int_t kDefaultLimit = 100;
constexpr ngx_int_t kMostLimit = 1000;

// Where a walk goes on, for the client: a fingerprint of what its places belong to, and the place.
class PageCursor {
public:
    static constexpr size_t kLength = 8 + 16; // hexadecimal digits

    PageCursor(const Log& log, uint64_t place) noexcept : owner_(ownerOf(log)), place_(place) {}

    static Refusal parse(std::string_view text, const Log& log, uint64_t& place) noexcept {
        uint32_t owner;
        if (text.size() != kLength || !parse(text.substr(0, 8), owner) || !parse(text.substr(8), place)) {
            return Refusal::BadListCursor;
        }
        return owner == ownerOf(log) ? Refusal::None : Refusal::ListCursorGone;
    }

    std::string_view format(std::span<u_char, kLength> room) const noexcept {
        ngx_snprintf(room.data(), room.size(), "%08xD%016xL", owner_, place_);
        return {reinterpret_cast<char*>(room.data()), room.size()};
    }

private:
    static uint32_t ownerOf(const Log& log) noexcept { return static_cast<uint32_t>(log.walkKey() >> 32); }

    template <typename Number>
    static bool parse(std::string_view digits, Number& number) noexcept {
        const char* const end = digits.data() + digits.size();
        const auto result = std::from_chars(digits.data(), end, number, 16);
        return result.ec == std::errc() && result.ptr == end;
    }

    uint32_t owner_;
    uint64_t place_;
};

// What the arguments ask for.
struct Wish {
    std::string_view prefix;
    uint64_t from = 0;
    ngx_int_t limit = kDefaultLimit;
};

Refusal readWish(ngx_http_request_t* r, Wish& wish) noexcept {
    std::string_view limit;
    std::string_view cursor;
    if (!firstArgument(r, "prefix", wish.prefix) || !firstArgument(r, "limit", limit) ||
        !firstArgument(r, "cursor", cursor)) {
        return Refusal::NoMemory;
    }
    if (!limit.empty()) {
        const ngx_str_t digits = ngxString(limit);
        wish.limit = ngx_atoi(digits.data, digits.len);
        if (wish.limit < 1 || wish.limit > kMostLimit) {
            return Refusal::BadListLimit;
        }
    }
    return cursor.empty() ? Refusal::None
                          : PageCursor::parse(cursor, locationConfig(r)->zone->log, wish.from);
}

void writeChannel(JsonWriter& json, const ChannelSummary& channel, uint32_t subscribers,
                  uint32_t events) noexcept {
    json.beginObject().member("channel", channel.nameView()).member("subscribers", subscribers);
    json.member("events", events).key("last_id");
    if (events != 0) {
        json.string(EventIdText(channel.newestId).view());
    } else {
        json.null();
    }
    json.member("time", channel.time);
    if (channel.hasEnded) {
        json.key("ended").boolean(true);
    }
    json.endObject();
}

// The page that is being made.
class Page {
public:
    Page(ngx_http_request_t* r, const ListPermit& permit, const Wish& wish) noexcept
        : request_(r), wish_(wish), scan_(*locationConfig(r)->zone, permit, wish.from) {
        json_.beginObject().key("channels").beginArray();
    }

    bool runSlice() noexcept {
        const ChannelScan::Step step =
            scan_.runSlice([this](const ChannelSummary& channel, const ChannelState& state) noexcept {
                return add(channel, state);
            });
        isOver_ = step == ChannelScan::Step::Over;
        isLocked_ = step == ChannelScan::Step::Locked;
        return step == ChannelScan::Step::More && !isFull_ && json_.isComplete();
    }

    ngx_int_t answer(Refusal refusal) noexcept {
        if (refusal == Refusal::None && isLocked_) {
            refusal = Refusal::Locked;
        }
        if (refusal != Refusal::None) {
            return refuse(request_, refusal);
        }
        json_.endArray().member("unnamed", scan_.unnamed()).key("cursor");
        if (isOver_) {
            json_.null();
        } else {
            u_char room[PageCursor::kLength];
            json_.string(PageCursor(locationConfig(request_)->zone->log, scan_.from()).format(room));
        }
        json_.endObject();
        return respond(request_, NGX_HTTP_OK, json_, text_);
    }

private:
    // Returns whether there was room for it on the page.
    bool add(const ChannelSummary& channel, const ChannelState& state) noexcept {
        if (!channel.nameView().starts_with(wish_.prefix)) {
            return true;
        }
        if (count_ == wish_.limit) {
            isFull_ = true;
            return false;
        }
        ++count_;
        const Log& log = locationConfig(request_)->zone->log;
        writeChannel(json_, channel, state.subscribers, log.retainedEvents(state));
        return true;
    }

    ngx_http_request_t* request_;
    Wish wish_;
    ChannelScan scan_;
    Buffer text_;
    JsonWriter json_{text_};
    ngx_int_t count_ = 0;
    bool isFull_ = false;
    bool isOver_ = false;
    bool isLocked_ = false;
};

} // namespace

bool asksForList(const ngx_http_request_t& r) noexcept {
    return (r.method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0 && isFlagSet(r, "list");
}

ngx_int_t handleChannelList(ngx_http_request_t* r) noexcept {
    ListPermit permit;
    if (!ListPermit::of(r, permit)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (permit.isEmpty()) {
        return refuse(r, Refusal::ListNotAllowed);
    }
    Wish wish;
    if (const Refusal refusal = readWish(r, wish); refusal != Refusal::None) {
        return refuse(r, refusal);
    }
    if (!isFilled(*locationConfig(r)->zone)) {
        return refuse(r, Refusal::NotFilled);
    }
    RequestContext* context = makeContext(r);
    if (context == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return SlicedRequest::run<Page>(r, *context, r, permit, wish);
}

} // namespace sse
