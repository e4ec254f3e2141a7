#include "bus/kicks.hpp"

#include <algorithm>
#include <charconv>

#include "conf/bus_config.hpp"
#include "http/random.hpp"
#include "http/refusals.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// For how long the kick still holds. Even a kick that is over ends the streams that are there.
ngx_msec_t timeLeft(const KickEntry& kick, ngx_msec_t age) noexcept {
    const ngx_msec_t time = kick.seconds * 1000;
    return time - std::min(time, age);
}

} // namespace

ShortText<16> machineTag(BusState& state) noexcept {
    uint64_t tag = state.machine.load(std::memory_order_relaxed);
    if (tag == 0) {
        const uint64_t drawn = randomNumber() | 1; // not 0
        tag = state.machine.compare_exchange_strong(tag, drawn) ? drawn : tag;
    }
    char text[16];
    const char* end = std::to_chars(text, text + sizeof(text), tag, 16).ptr;
    return ShortText<16>({text, static_cast<size_t>(end - text)});
}

void onControlEntry(Zone& zone, const Reply& fields, ngx_msec_t age) noexcept {
    const std::optional<KickEntry> kick = readKick(fields);
    if (!kick || kick->by == machineTag(*zone.bus->state).view() || !Worker::self().guests().canKick()) {
        return;
    }
    const Refusal refusal =
        Worker::self().guests().kick(zone, kick->key, kick->channel, timeLeft(*kick, age));
    if (refusal != Refusal::None) {
        ngx_str_t why = ngxString(answerTo(refusal).reason);
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sse: bus \"%V\": a kick has not been carried out: %V",
                      &zone.name, &why);
        return;
    }
    Worker::self().wakeAll();
}

} // namespace sse
