// The pulse of a bus: once a second the follower's worker checks whether the server is still the master of
// the same stream. It also sends a probe through the stream when it is silent, and trims the stream and the
// control stream.
//
// The pulse has a connection of its own, because the follower's waits for entries. Time is the server's,
// because the clocks of other machines may be wrong.
#pragma once

#include "bus/bus_state.hpp"
#include "bus/connection.hpp"
#include "conf/bus_config.hpp"
#include "ngx.hpp"

namespace sse {

class Pulse {
public:
    struct Owner {
        void* self;
        // The server's clock, in milliseconds. Called from the event loop, each time the server is asked for
        // it.
        void (*onTime)(void* self, uint64_t time) noexcept;
        // The follower should connect again. Called from the event loop and by keepUp().
        void (*onWrong)(void* self, std::string_view why) noexcept;
    };

    void init(const BusConfig& config, const Owner& owner) noexcept;

    // While the follower reads from that address.
    void start(ngx_uint_t address) noexcept;
    void stop() noexcept;
    // About ten times a second.
    void keepUp() noexcept;

    // The follower has read this from the control stream, or entries from the stream.
    void onProbe(std::string_view token) noexcept;
    void onEntries() noexcept { heardAt_ = ngx_current_msec; }

private:
    // What is asked, in the order of the answers.
    enum class Asked : uint8_t { Lineage, Role, Probe, Time, TrimAge, TrimCount, TrimControl };
    static constexpr size_t kMostAsked = 8; // at a time

    void beat() noexcept;
    void ask(Asked what, std::initializer_list<std::string_view> words) noexcept;
    void probe() noexcept;
    bool onReply(const Reply& reply) noexcept;
    void onAnswer(Asked asked, const Reply& reply) noexcept;
    void onTime(const Reply& reply) noexcept;
    void trim(Asked what) noexcept;
    void onTrimmed(Asked what, const Reply& reply) noexcept;
    void onLineage(const Reply& reply) noexcept;
    void onRefusal(std::string_view why) noexcept;
    void onClosed(std::string_view why) noexcept;
    void fail(std::string_view why) noexcept;

    const BusConfig* config_ = nullptr;
    BusState* state_ = nullptr;
    Owner owner_{};
    Connection connection_;
    bool isRunning_ = false;
    ngx_uint_t address_ = 0;

    Asked asked_[kMostAsked] = {}; // the newest, in a ring
    size_t asks_ = 0;              // in this beat
    size_t answers_ = 0;           // to these
    ngx_msec_t beatAt_ = 0;
    ngx_msec_t askedAt_ = 0; // when the last of them was asked
    uint64_t oldest_ = 0;    // milliseconds: older entries are trimmed
    unsigned trims_ = 0;     // in this beat
    ngx_msec_t heardAt_ = 0; // when the stream last had an entry

    // The newest probe.
    ShortText<48> machine_; // what the tokens of this worker's probes begin with
    ShortText<64> token_;
    bool isUnderway_ = false; // it has been sent, and has not come back
    bool isAccepted_ = false; // the server has taken it
    ngx_msec_t sentAt_ = 0;
    uint64_t sent_ = 0;
    ngx_msec_t loggedAt_ = 0;
};

} // namespace sse
