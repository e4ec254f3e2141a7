// Guests: the streams of this worker as the key table knows them. Each is checked when it arrives, and takes
// its seats. A kick by any worker ends those that it hits.
//
// After each kick every guest is checked once, in slices: whether a ban of that kick or of a later one hits
// it. So a kick costs a worker some nanoseconds for each of its streams, and between kicks a stream costs
// nothing.
#pragma once

#include <span>
#include <string_view>

#include "conf/config.hpp"
#include "http/refusals.hpp"
#include "keys/keys.hpp"

namespace sse {

// Belongs to a stream, which leaves when it ends.
struct Guest {
    ngx_queue_t link{}; // in a queue of Guests
    bool isIn = false;
    uint64_t lastKick = 0; // kicks up to this one came before the stream
    Identity identity;     // its memory is the request's
    std::span<uint32_t> seats;

    // Ends the stream, which has been kicked. May end any other, too.
    void (*kick)(Guest& guest) noexcept = nullptr;
};

class Guests {
public:
    void init(const MainConfig& config) noexcept;
    void stop() noexcept { keys_.table().endLife(); }

    // Admits a stream of the request's location, or returns why not. Nothing is checked or counted if no
    // location of this nginx kicks or limits streams.
    Refusal admit(ngx_http_request_t* r, Guest& guest, std::string_view key,
                  std::span<const std::string_view> channels) noexcept;
    // Does nothing for a guest that is not in.
    void leave(Guest& guest) noexcept;

    // Whether some location of this nginx kicks or limits streams. If not, none can be kicked.
    bool canKick() const noexcept { return keys_.isUsed(); }
    // Kicks streams of the zone: those of the key, those of the channel, or those of the key in that channel,
    // depending on which names are not empty. Refuses them for `time` milliseconds. Returns why not. The
    // caller must still wake the workers.
    Refusal kick(const Zone& zone, std::string_view key, std::string_view channel, ngx_msec_t time) noexcept;

    // Looks at some guests if there has been a kick, and ends some that it hits. Returns whether there is
    // more to do at once.
    bool runSlice() noexcept;
    // From time to time: notes which workers have died.
    void keepUp() noexcept;

private:
    bool identify(ngx_http_request_t* r, Guest& guest, std::string_view key,
                  std::span<const std::string_view> channels) noexcept;
    bool check() noexcept;
    void endSome() noexcept;

    const MainConfig* config_ = nullptr;
    Keys keys_;
    uint64_t lastKick_ = 0; // all guests have been checked for this kick
    uint64_t checking_ = 0; // all guests but the unchecked ones have been checked for this kick
    ngx_queue_t checked_{};
    ngx_queue_t unchecked_{};
    ngx_queue_t kicked_{}; // hit by a kick, and still to be ended
};

} // namespace sse
