// What the directives set.
#pragma once

#include <span>

#include "keys/key_table.hpp"
#include "ngx.hpp"
#include "sse/merge.hpp"
#include "zone.hpp"

namespace sse {

// A location that the module answers for, or a block of "if" or "limit_except" in one.
struct Endpoint {
    ngx_http_core_loc_conf_t* location;
    ngx_http_core_srv_conf_t* server;
};

// The content handlers, by which a merge recognises what a location is. They belong to folders above this
// one, so the module passes them in.
struct Handlers {
    ngx_http_handler_pt subscribe;
    ngx_http_handler_pt publish;
    ngx_http_handler_pt status;
    ngx_http_handler_pt health;
    ngx_http_handler_pt kick;
    ngx_http_handler_pt later;
};

// How to end a stream that its client should continue elsewhere.
enum class CutMode { Abort, End };

// http level.
struct MainConfig {
    Handlers handlers;
    ngx_array_t zones;     // of Zone*
    ngx_array_t buses;     // of BusConfig*
    ngx_array_t endpoints; // of Endpoint, as they are merged
    ngx_shm_zone_t* workers;
    size_t keysSize;       // by sse_keys
    ngx_shm_zone_t* keys;  // NULL: no location kicks or limits streams
    bool kicks;            // some location has sse_kick
    CountedScopes counted; // some location has an sse_max_subscribers of that scope
    ngx_msec_t drain;
    CutMode cut;
    bool cors;                 // some location has sse_cors
    ngx_array_t reservedTypes; // of ngx_str_t: types of events that come from the module or the browser
};

enum class Start : ngx_uint_t { New, Earliest, Last, Expression };
enum class Prime : ngx_uint_t { Off, Message, Event };
enum class Framing : ngx_uint_t { Auto, ContentType, Event, Lines, Ndjson, Sse, Form, Json };
enum class InvalidUtf8 : ngx_uint_t { Auto, Replace, Reject };
enum class BodyIds : ngx_uint_t { Keep, Ignore };
enum class GapMode : ngx_uint_t { Event, Close, Off };
enum class Absent : ngx_uint_t { Wait, NoContent, NotFound };
enum class BatchMode : ngx_uint_t { Off, Atomic };
enum class Profile : ngx_uint_t { None, Model };
enum class Reject : ngx_uint_t { Hard, Soft };
enum class StatusFormat : uint8_t { Json, Prometheus, Html };

// A mode as a configuration stores it: nginx's setters know only numbers.
template <typename Mode>
constexpr ngx_uint_t numberOf(Mode mode) noexcept {
    return static_cast<ngx_uint_t>(mode);
}

inline constexpr ngx_msec_t kDefaultHeartbeat = 15'000;
// How long clients stay away after the end of their channels, for those that come back even after a 204.
inline constexpr ngx_msec_t kDefaultEndRetry = 24 * 3600'000;

// When a softly refused client comes back: sse_reject soft, sse_later.
struct LaterTime {
    ngx_msec_t time;
    ngx_uint_t jitter; // percent
};
inline constexpr LaterTime kDefaultLater = {10'000, 50};

// The longest that a stream is limited to: nginx's timers compare with a sign.
inline constexpr ngx_msec_t kMostLifetime = 30 * 24 * 3600'000UL;

// What sse_max_batch may be, in bytes. The zone is locked while a batch is appended, some milliseconds for
// the largest.
inline constexpr size_t kLeastMaxBatch = 1024;
inline constexpr size_t kMostMaxBatch = 4 * 1024 * 1024;

// Channels of a subscriber; sse_max_channels may allow fewer.
inline constexpr size_t kMostChannels = 64;

// The request headers that every preflight allows.
inline constexpr std::string_view kUsualCorsHeaders =
    "authorization, cache-control, content-type, idempotency-key, if-match, if-none-match, last-event-id, "
    "producer-epoch, producer-id, producer-seq";

// Location level. Of standard layout, since directives are set through offsetof, and valid when zeroed. Modes
// stored as numbers are read by the functions at the end.
struct LocationConfig {
    // Which of the six a location is; not inherited.
    ngx_array_t* channels; // of ngx_http_complex_value_t: this location subscribes
    ngx_http_complex_value_t* publish;
    ngx_array_t* status; // of ngx_str_t, names of zones; empty: all
    StatusFormat statusFormat;
    ngx_array_t* health; // as `status`
    bool kick;
    bool later;
    ngx_array_t* list;   // of ngx_http_complex_value_t, prefixes of channels that the location names to its
                         // clients by sse_list; NULL: none
    bool listsAll;       // it names all
    bool hasList;        // there is an sse_list
    LaterTime laterTime; // of sse_later
    ngx_str_t zoneName;  // of sse_channel, sse_publish or sse_kick; empty: the only one
    Zone* zone;          // the same, found when everything has been read
    u_char separator;    // 0: none
    ngx_str_t file;      // where the directive stands that makes the location one of the six
    ngx_uint_t line;

    // Subscribing.
    ngx_uint_t start; // Start
    ngx_uint_t startCount;
    ngx_http_complex_value_t* startExpression;
    ngx_array_t* cursors; // of ngx_http_complex_value_t; NULL: the header, then the query
    ngx_uint_t historyCount;
    time_t historyAge; // seconds; 0: any
    ngx_msec_t retry;
    ngx_uint_t retryJitter; // percent
    ngx_msec_t heartbeat;   // 0: off
    ngx_str_t heartbeatEvent;
    ngx_uint_t prime; // Prime
    ngx_str_t primeEvent;
    ngx_uint_t gap; // GapMode
    ngx_str_t gapEvent;
    ngx_str_t caughtUpEvent; // empty: off
    ngx_uint_t absent;       // Absent
    ngx_uint_t profile;      // Profile; not inherited, for what it sets is
    ngx_flag_t endsWithEvent;
    ngx_str_t endEvent; // empty: an event without a type
    ngx_str_t endData;
    ngx_msec_t endRetry;       // 0: none
    ngx_msec_t lifetime;       // 0: any
    ngx_uint_t lifetimeJitter; // percent
    ngx_http_complex_value_t* expires;
    ngx_str_t expiredEvent;
    ngx_msec_t askedSendTimeout; // by sse_send_timeout
    ngx_msec_t sendTimeout;      // the same, or send_timeout; not inherited
    ngx_flag_t direct;
    ngx_uint_t merge; // MergeMode
    ngx_uint_t maxChannels;
    ngx_flag_t poll;
    ngx_http_complex_value_t* key;          // whose a stream is; empty: nobody's
    ngx_uint_t maxSubscribers[kScopes - 1]; // by scope; 0: any number
    ngx_uint_t reject;                      // Reject
    LaterTime rejectTime;

    // Publishing.
    size_t askedEventSize; // by sse_max_event_size
    size_t maxEventSize;   // the same, or the default; not inherited
    ngx_uint_t framing;    // Framing
    ngx_http_complex_value_t* eventType;
    ngx_http_complex_value_t* eventId;
    ngx_http_complex_value_t* eventRetry;
    ngx_http_complex_value_t* eventEncoding;
    ngx_http_complex_value_t* publishEnd;
    ngx_flag_t reopen;
    ngx_uint_t batch; // BatchMode
    size_t maxBatch;  // bytes of the events that are published as a whole
    ngx_msec_t publishTimeout;
    ngx_array_t* allowedTypes; // of ngx_str_t, sse_allow_types
    ngx_flag_t allowsAllTypes;
    ngx_array_t* bodyChannels; // of ngx_str_t, prefixes of sse_body_channels; NULL: off
    ngx_flag_t allowsAllChannels;
    ngx_uint_t invalidUtf8; // InvalidUtf8
    ngx_uint_t bodyIds;     // BodyIds
    ngx_uint_t maxEvents;   // of a request; 0: any number; unset: derived from client_max_body_size
    ngx_uint_t maxRate;     // events of a request per second; 0: any number
    size_t maxClientMemory; // 0: any amount
    ngx_flag_t checkOrigin;

    // Both.
    ngx_array_t* origins; // of ngx_str_t, sse_cors; "*" stands alone
    ngx_flag_t corsCredentials;
    ngx_str_t corsHeaders; // that a preflight allows, sse_cors_headers

    ngx_http_complex_value_t* crashAt; // see http/fault_scope.hpp

    // After merging.
    Start startMode() const noexcept { return static_cast<Start>(start); }
    Prime primeMode() const noexcept { return static_cast<Prime>(prime); }
    GapMode gapMode() const noexcept { return static_cast<GapMode>(gap); }
    Absent absentMode() const noexcept { return static_cast<Absent>(absent); }
    MergeMode mergeMode() const noexcept { return static_cast<MergeMode>(merge); }
    Framing framingMode() const noexcept { return static_cast<Framing>(framing); }
    InvalidUtf8 invalidUtf8Mode() const noexcept { return static_cast<InvalidUtf8>(invalidUtf8); }
    BatchMode batchMode() const noexcept { return static_cast<BatchMode>(batch); }
    BodyIds bodyIdMode() const noexcept { return static_cast<BodyIds>(bodyIds); }
    Reject rejectMode() const noexcept { return static_cast<Reject>(reject); }
};

// Whether the location is one of this module, or a block of "if" or "limit_except" in one.
inline bool isEndpoint(const LocationConfig& config) noexcept {
    return config.channels != nullptr || config.publish != nullptr || config.status != nullptr ||
           config.health != nullptr || config.kick || config.later;
}

// Whether the location names channels to its clients.
inline bool isListing(const LocationConfig& config) noexcept {
    return config.listsAll || config.list != nullptr;
}

inline std::span<const ngx_str_t> stringsOf(const ngx_array_t& array) noexcept {
    return {static_cast<const ngx_str_t*>(array.elts), array.nelts};
}

// Whether the name of a channel begins with one of the prefixes, byte by byte.
bool hasPrefix(std::string_view channel, std::span<const ngx_str_t> prefixes) noexcept;

// Whether the body of a publish request may name the channels of its events.
bool mayNameChannels(const LocationConfig& config) noexcept;

// Whether a list of zones, as sse_status and sse_health have it, includes that zone: an empty list includes
// all.
bool concerns(const ngx_array_t& names, const Zone& zone) noexcept;

// The zone of that name, NULL if there is none.
Zone* findZone(const MainConfig& config, std::string_view name) noexcept;

inline MainConfig* mainConfig(ngx_http_request_t* r) noexcept {
    return static_cast<MainConfig*>(ngx_http_get_module_main_conf(r, ngx_http_sse_module));
}

// The same while the configuration is read.
inline MainConfig* mainConfig(ngx_conf_t* cf) noexcept {
    return static_cast<MainConfig*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_sse_module));
}

inline LocationConfig* locationConfig(ngx_http_request_t* r) noexcept {
    return static_cast<LocationConfig*>(ngx_http_get_module_loc_conf(r, ngx_http_sse_module));
}

// What nginx calls for each level (ngx_http_module_t), in cf->pool; NULL without memory, NGX_CONF_ERROR after
// an error, which is logged.
void* createMainConfig(ngx_conf_t* cf, const Handlers& handlers) noexcept;
char* initMainConfig(ngx_conf_t* cf, void* conf) noexcept;
void* createLocationConfig(ngx_conf_t* cf) noexcept;
char* mergeLocationConfig(ngx_conf_t* cf, void* parentConf, void* conf) noexcept;

} // namespace sse
