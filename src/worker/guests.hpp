// Guests: the streams of this worker as the key table knows them. At the door each is checked, and takes its
// seats; a kick, of whichever worker, ends those that it hits.
//
// After each kick every guest is looked at once, in slices, whether a ban of that kick or a later one hits
// it. So a kick costs a worker some nanoseconds for each of its streams, and a stream nothing in between.
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
    uint64_t lastKick = 0; // the kicks up to this one were before its time
    Identity identity;     // its memory is the request's
    std::span<uint32_t> seats;

    // Ends the stream, which has been kicked, and any other if it must.
    void (*kick)(Guest& guest) noexcept = nullptr;
};

class Guests {
public:
    void init(const MainConfig& config) noexcept;
    void stop() noexcept { keys_.table().endLife(); }

    // Lets a stream of the request's location in, or returns why not. Nothing is checked or counted if no
    // location of this nginx kicks or limits streams.
    Refusal admit(ngx_http_request_t* r, Guest& guest, std::string_view key,
                  std::span<const std::string_view> channels) noexcept;
    // Nothing happens to one that is not in.
    void leave(Guest& guest) noexcept;

    // Whether some location of this nginx kicks or limits streams. If not, none can be kicked.
    bool canKick() const noexcept { return keys_.isUsed(); }
    // Kicks streams of the zone: of the key, of the channel, or of the key in that channel (empty: not by
    // that), and refuses them for so many milliseconds. Returns why not. The workers have still to be woken.
    Refusal kick(const Zone& zone, std::string_view key, std::string_view channel, ngx_msec_t time) noexcept;

    // Looks at some guests if there has been a kick, and ends some that it hits. Returns whether there is
    // more to do at once.
    bool runSlice() noexcept;
    // From time to time: takes note of workers that have died.
    void keepUp() noexcept;

private:
    bool identify(ngx_http_request_t* r, Guest& guest, std::string_view key,
                  std::span<const std::string_view> channels) noexcept;
    bool check() noexcept;
    void endSome() noexcept;

    const MainConfig* config_ = nullptr;
    Keys keys_;
    uint64_t lastKick_ = 0; // all guests have been looked at for it
    uint64_t checking_ = 0; // those that are not unchecked have been looked at for it
    ngx_queue_t checked_{};
    ngx_queue_t unchecked_{};
    ngx_queue_t kicked_{}; // and have still to be ended
};

} // namespace sse
