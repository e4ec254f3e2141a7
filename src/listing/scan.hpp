// A walk through the channels of a zone that a request may see. It holds the zone's lock only for short
// moments, and reads names and counts without it.
#pragma once

#include <array>

#include "listing/permit.hpp"
#include "log/channel_walk.hpp"
#include "zone.hpp"

namespace sse {

class ChannelScan {
public:
    enum class Step {
        More,   // another part is to follow
        Over,   // all channels have been met
        Locked, // the lock of the zone is not available
    };

    ChannelScan(const Zone& zone, const ListPermit& permit, uint64_t from) noexcept
        : zone_(&zone), permit_(permit), from_(from) {}

    // Calls visit(summary, state) with each channel of the next part that the permit covers, until it returns
    // false; that channel comes again with the next call. A channel with a subscriber and without a name is
    // only counted. Takes a few tenths of a millisecond at most, besides what `visit` takes.
    template <typename Visit>
    Step runSlice(Visit&& visit) noexcept {
        Part part;
        if (!walk(part)) {
            return Step::Locked;
        }
        for (const WalkedChannel& channel : part.found.channels) {
            ChannelSummary summary;
            if (!zone_->log.summarise(channel.state, summary)) {
                unnamed_ += permit_.coversAll() && channel.state.subscribers != 0 ? 1 : 0;
            } else if (permit_.covers(summary.nameView()) && !visit(summary, channel.state)) {
                from_ = channel.place;
                return Step::More;
            }
        }
        from_ = part.found.next.value_or(0);
        return part.found.next ? Step::More : Step::Over;
    }

    // Where the walk goes on.
    uint64_t from() const noexcept { return from_; }
    // How many channels the walk has met that have subscribers, but no event in the zone and so no name; 0 if
    // the permit does not cover all channels.
    uint64_t unnamed() const noexcept { return unnamed_; }

private:
    // Few enough that a slice takes no longer than others.
    struct Part {
        std::array<WalkedChannel, 128> room;
        WalkedPart found;
    };

    bool walk(Part& part) const noexcept;

    const Zone* zone_;
    ListPermit permit_;
    uint64_t from_;
    uint64_t unnamed_ = 0;
};

} // namespace sse
