#include "status/handler.hpp"

#include <new>

#include "conf/config.hpp"
#include "http/request.hpp"
#include "http/respond.hpp"
#include "listing/scan.hpp"
#include "listing/sliced_request.hpp"
#include "status/figures.hpp"
#include "status/html.hpp"
#include "status/json.hpp"
#include "status/prometheus.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

// How figures become a text. A writer appends all of it; false without memory.
struct Format {
    std::string_view type;
    bool (*write)(const Figures& figures, Buffer& out) noexcept;
};

Format formatOf(StatusFormat format) noexcept {
    switch (format) {
    case StatusFormat::Json:
    case StatusFormat::Html: // for its page
        break;
    case StatusFormat::Prometheus:
        return {kMetricsType, writeMetrics};
    }
    return {"application/json", writeStatus};
}

// Without a zone no worker has joined a roster, and there is nothing to count.
std::optional<Figures> figuresFor(ngx_http_request_t* r, std::span<const ZoneTop> tops) noexcept {
    const MainConfig& main = *mainConfig(r);
    return main.zones.nelts == 0
               ? Figures{}
               : collectFigures(main, *locationConfig(r), Worker::self().registry(), r->pool, tops);
}

// The status as a text in the request's pool; empty without memory.
std::string_view render(ngx_http_request_t* r, const Format& format, std::span<const ZoneTop> tops) noexcept {
    const std::optional<Figures> figures = figuresFor(r, tops);
    Buffer text;
    if (!figures || !format.write(*figures, text)) {
        ngx_log_error(NGX_LOG_EMERG, r->connection->log, 0, "sse: out of memory for the status");
        return {};
    }
    return toView(poolString(r->pool, text.view()));
}

ngx_int_t send(ngx_http_request_t* r, std::span<const ZoneTop> tops = {}) noexcept {
    const Format format = formatOf(locationConfig(r)->statusFormat);
    const std::string_view text = render(r, format, tops);
    return text.empty() ? NGX_HTTP_INTERNAL_SERVER_ERROR : respond(r, NGX_HTTP_OK, format.type, text);
}

// --- ?top=10 ---

// Looks at all channels of one zone after the other. The lists are in the request's pool.
class TopSearch {
public:
    TopSearch(ngx_http_request_t* r, const ListPermit& permit, size_t length) noexcept
        : request_(r), permit_(permit), length_(length) {}

    bool runSlice() noexcept {
        if (!scan_ && !begin()) {
            return false;
        }
        const Log& log = zones()[zone_]->log;
        ZoneTop& top = tops_[count_ - 1];
        const ChannelScan::Step step =
            scan_->runSlice([&](const ChannelSummary& channel, const ChannelState& state) noexcept {
                top.visit(log, channel, state);
                return true;
            });
        top.unnamed = scan_->unnamed();
        if (step == ChannelScan::Step::Over) {
            scan_.reset();
            ++zone_;
        }
        isLocked_ = step == ChannelScan::Step::Locked;
        return !isLocked_;
    }

    ngx_int_t answer(Refusal refusal) noexcept {
        if (refusal == Refusal::None) {
            refusal = isLocked_ ? Refusal::Locked : hasFailed_ ? Refusal::NoMemory : Refusal::None;
        }
        return refusal != Refusal::None ? refuse(request_, refusal) : send(request_, {tops_, count_});
    }

private:
    std::span<Zone* const> zones() const noexcept {
        const ngx_array_t& zones = mainConfig(request_)->zones;
        return {static_cast<Zone* const*>(zones.elts), zones.nelts};
    }

    // Goes to the next zone that the location names. false: there is none, or no memory.
    bool begin() noexcept {
        while (zone_ < zones().size() && !concerns(*locationConfig(request_)->status, *zones()[zone_])) {
            ++zone_;
        }
        if (zone_ == zones().size()) {
            return false;
        }
        if (tops_ == nullptr) {
            tops_ = static_cast<ZoneTop*>(ngx_palloc(request_->pool, zones().size() * sizeof(ZoneTop)));
        }
        auto* room = static_cast<TopChannel*>(ngx_palloc(request_->pool, 2 * length_ * sizeof(TopChannel)));
        hasFailed_ = tops_ == nullptr || room == nullptr;
        if (hasFailed_) {
            return false;
        }
        new (&tops_[count_++]) ZoneTop{TopList({room, length_}), TopList({room + length_, length_})};
        scan_.emplace(*zones()[zone_], permit_, 0);
        return true;
    }

    ngx_http_request_t* request_;
    ListPermit permit_;
    size_t length_;
    size_t zone_ = 0;
    std::optional<ChannelScan> scan_; // of that zone
    ZoneTop* tops_ = nullptr;
    size_t count_ = 0;
    bool isLocked_ = false;
    bool hasFailed_ = false;
};

// The argument `top`; 0: there is none. NGX_ERROR: no valid one.
ngx_int_t topLength(ngx_http_request_t* r) noexcept {
    ngx_str_t name = ngx_string("top");
    ngx_str_t value;
    if (ngx_http_arg(r, name.data, name.len, &value) != NGX_OK) {
        return 0;
    }
    const ngx_int_t length = ngx_atoi(value.data, value.len);
    return length >= 1 && length <= kMostTop ? length : NGX_ERROR;
}

ngx_int_t sendWithTop(ngx_http_request_t* r, ngx_int_t length) noexcept {
    ListPermit permit;
    RequestContext* context = makeContext(r);
    if (context == nullptr || !ListPermit::of(r, permit)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (permit.isEmpty()) {
        return refuse(r, Refusal::ListNotAllowed);
    }
    return SlicedRequest::run<TopSearch>(r, *context, r, permit, static_cast<size_t>(length));
}

} // namespace

ngx_int_t handleStatus(ngx_http_request_t* r) noexcept {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return refuseMethod(r, "GET, HEAD, OPTIONS");
    }
    const StatusFormat format = locationConfig(r)->statusFormat;
    if (format == StatusFormat::Html && !isFlagSet(*r, "json")) {
        return sendStatusPage(r);
    }
    // Prometheus names no channels.
    const bool mayHaveTop = format != StatusFormat::Prometheus && mainConfig(r)->zones.nelts != 0;
    const ngx_int_t top = mayHaveTop ? topLength(r) : 0;
    return top == NGX_ERROR ? refuse(r, Refusal::BadTop) : top == 0 ? send(r) : sendWithTop(r, top);
}

} // namespace sse
