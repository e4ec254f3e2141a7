// The parameters of sse_bus, as they stand there.
#pragma once

#include <array>
#include <string_view>

#include "ngx.hpp"

namespace sse {

struct BusParameters {
    ngx_str_t stream{};
    ngx_str_t keep{};
    ngx_str_t max{};
    ngx_str_t acks{};
    ngx_str_t timeout{};
    ngx_str_t passwordFile{};
    ngx_str_t ca{};
    ngx_str_t verify{};
    ngx_str_t name{};
    ngx_str_t certificate{};
    ngx_str_t certificateKey{};
};

struct BusParameter {
    std::string_view key;
    ngx_str_t BusParameters::*value;
    bool isForTls = false;
};

inline constexpr std::array<BusParameter, 11> kBusParameters{{
    {"stream", &BusParameters::stream},
    {"keep", &BusParameters::keep},
    {"max", &BusParameters::max},
    {"acks", &BusParameters::acks},
    {"timeout", &BusParameters::timeout},
    {"password_file", &BusParameters::passwordFile},
    {"ca", &BusParameters::ca, true},
    {"verify", &BusParameters::verify, true},
    {"name", &BusParameters::name, true},
    {"certificate", &BusParameters::certificate, true},
    {"certificate_key", &BusParameters::certificateKey, true},
}};

// Logs what is wrong with the directive, and returns false.
template <typename... Values>
bool refuseBus(ngx_conf_t* cf, const char* format, Values... values) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, format, values...);
    return false;
}

} // namespace sse
