// The life of the module: what nginx calls, and when. Its directives are in conf/directives.cpp.
#ifndef SSE_WITHOUT_BUS
#include "bus/bus.hpp"
#include "bus/kicks.hpp"
#endif
#include "conf/audit.hpp"
#include "conf/config.hpp"
#include "conf/directives.hpp"
#include "health/handler.hpp"
#include "http/cors.hpp"
#include "http/header_filter.hpp"
#include "http/request_context.hpp"
#include "kick/handler.hpp"
#include "ngx.hpp"
#include "publish/handler.hpp"
#include "roster/registry.hpp"
#include "status/handler.hpp"
#include "subscribe/handler.hpp"
#include "subscribe/later.hpp"
#include "worker/worker.hpp"

namespace sse {

namespace {

void* createMain(ngx_conf_t* cf) noexcept {
    return createMainConfig(cf, {.subscribe = handleSubscribe,
                                 .publish = handlePublish,
                                 .status = handleStatus,
                                 .health = handleHealth,
                                 .kick = handleKick,
                                 .later = handleLater});
}

ngx_int_t preconfiguration(ngx_conf_t* cf) noexcept {
    return addVariables(cf);
}

ngx_int_t postconfiguration(ngx_conf_t* cf) noexcept {
    addHeaderFilter([](ngx_http_request_t* r) noexcept { Worker::self().noteEnd(r); });
    return auditEndpoints(cf) == NGX_OK ? addPreflightHandler(cf) : NGX_ERROR;
}

ngx_http_module_t context = {
    preconfiguration, postconfiguration, createMain,           initMainConfig,
    nullptr,          nullptr,           createLocationConfig, mergeLocationConfig,
};

// NULL without an http block or without a zone: then there is nothing to do.
MainConfig* activeConfig(ngx_cycle_t* cycle) noexcept {
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == nullptr) {
        return nullptr;
    }
    auto* config = static_cast<MainConfig*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sse_module));
    return config == nullptr || config->workers == nullptr ? nullptr : config;
}

// In the master, also under "nginx -t".
//
// nginx-internal: core/ngx_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): an error here would end a master that is
// being reloaded (ngx_init_cycle).
ngx_int_t initModule(ngx_cycle_t* cycle) noexcept {
    const MainConfig* config = activeConfig(cycle);
    if (config != nullptr && !ngx_test_config) {
        Registry::makeEventfds(cycle);
        takeOverZones(cycle, {static_cast<Zone* const*>(config->zones.elts), config->zones.nelts});
    }
    return NGX_OK;
}

ngx_int_t initProcess(ngx_cycle_t* cycle) noexcept {
    MainConfig* config = activeConfig(cycle);
    bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    if (config == nullptr || !serves) {
        return NGX_OK;
    }
    const ngx_int_t rc = Worker::self().start(cycle, *config);
#ifndef SSE_WITHOUT_BUS
    if (rc == NGX_OK) {
        Bus::start(cycle, *config, onControlEntry);
    }
#endif
    return rc;
}

void exitProcess(ngx_cycle_t*) noexcept {
#ifndef SSE_WITHOUT_BUS
    Bus::stop();
#endif
    Worker::self().stop();
}

} // namespace

} // namespace sse

__attribute__((visibility("default"))) ngx_module_t ngx_http_sse_module = {
    NGX_MODULE_V1,    &sse::context, sse::directives, NGX_HTTP_MODULE,  nullptr, sse::initModule,
    sse::initProcess, nullptr,       nullptr,         sse::exitProcess, nullptr, NGX_MODULE_V1_PADDING,
};
