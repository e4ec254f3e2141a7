#include "subscriber.hpp"

#include <algorithm>
#include <cstring>

#include "crowd.hpp"
#include "say.hpp"

namespace bench {

Subscriber::Subscriber(Crowd& crowd, uint32_t number, uint32_t channel)
    : Stream(crowd.loop(), crowd.target().port, number), crowd_(crowd), channel_(channel) {}

std::string Subscriber::request() const {
    return subscribeRequest(expand(crowd_.target().subscribe, channel_), crowd_.client(),
                            {cursor_, cursorLength_});
}

void Subscriber::onHead(const Head& head) {
    crowd_.onReady(head.worker);
}

void Subscriber::onId(std::string_view id) {
    cursorLength_ = static_cast<uint8_t>(std::min(id.size(), kKept));
    std::memcpy(cursor_, id.data(), cursorLength_);
}

void Subscriber::onGap() {
    die("subscriber %u is told a gap after event %u of its channel", number(), position_);
}

void Subscriber::onEvent(uint32_t event, size_t size) {
    if (size != crowd_.eventSize() || !crowd_.onEvent(channel_, position_, event)) {
        die("subscriber %u of channel %u gets %zu bytes of event %u as its event %u: lost, doubled, cut or "
            "out of order",
            number(), channel_, size, event, position_);
    }
    position_++;
}

} // namespace bench
