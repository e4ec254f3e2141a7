// The words of a directive, as all setters read them. A setter (ngx_command_t::set) returns NGX_CONF_OK,
// kError after an error that it has logged, or kDuplicate.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "conf/config.hpp"

namespace sse {

inline char* const kError = static_cast<char*>(NGX_CONF_ERROR);
inline char kDuplicate[] = "is duplicate";

// The words of the directive after its name.
std::span<ngx_str_t> arguments(ngx_conf_t* cf) noexcept;

// Logs why the configuration cannot be as it is. Returns false.
template <typename... Values>
bool refuse(ngx_conf_t* cf, const char* format, Values... values) noexcept {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, format, values...);
    return false;
}

// Logs that the directive cannot have that word. Returns kError.
char* invalid(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word) noexcept;

// Logs that the directive has that parameter already. Returns kError.
char* duplicate(ngx_conf_t* cf, const ngx_command_t* command, const ngx_str_t& word) noexcept;

// Whether the word has a variable; where none is possible, that would be taken as it is written.
bool hasVariable(const ngx_str_t& word) noexcept;

// Whether the word is the type of events, and has no variable.
bool isType(const ngx_str_t& word) noexcept;

// The value of a word "key=value"; its data is NULL if the word has another key.
ngx_str_t parameter(const ngx_str_t& word, std::string_view key) noexcept;

// --- Values with variables ---

// Compiles a value that may have variables; NULL after an error, which is logged.
ngx_http_complex_value_t* compileNew(ngx_conf_t* cf, ngx_str_t& text) noexcept;
// The same at the end of an array of such values; false after an error.
bool compileInto(ngx_conf_t* cf, ngx_str_t& text, ngx_array_t* values) noexcept;

// The values of such an array.
std::span<const ngx_http_complex_value_t> expressions(const ngx_array_t* values) noexcept;

// Whether no request can change the value.
inline bool isFixed(const ngx_http_complex_value_t& value) noexcept {
    return value.lengths == nullptr;
}

// --- Lists ---

// An array for items of that size; NULL without memory.
ngx_array_t* makeArray(ngx_conf_t* cf, size_t itemSize) noexcept;

// Adds to an array of strings; false without memory.
bool pushString(ngx_array_t* strings, const ngx_str_t& text) noexcept;

// --- Times ---

// Takes the percentage, "33%", from the second of two words; with only one word, `percent` stays as it is.
// false if it is not a percentage from 0 to 100.
bool takeJitter(std::span<ngx_str_t> words, ngx_uint_t& percent) noexcept;

// "time [jitter%]": when a client is to come back. Returns what a setter does.
char* takeRetry(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words, ngx_msec_t& time,
                ngx_uint_t& jitter) noexcept;
// The same where it may be left out.
char* takeLater(ngx_conf_t* cf, const ngx_command_t* command, std::span<ngx_str_t> words,
                LaterTime& later) noexcept;

} // namespace sse
