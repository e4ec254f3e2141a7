// The server that the load is for: where it is, and how it is asked.
#pragma once

#include <cstdint>
#include <string>

namespace bench {

// In the texts %c stands for the name of a channel and %n for the number of an event.
struct Target {
    uint16_t port;
    std::string subscribe; // the path
    std::string publish;   // the path
    std::string headers;   // further lines of a publish request, each with its line end
};

inline std::string expand(const std::string& text, uint32_t channel, uint32_t number = 0) {
    std::string result;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == 'c') {
            result += "c" + std::to_string(channel);
            i++;
        } else if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == 'n') {
            result += std::to_string(number);
            i++;
        } else {
            result += text[i];
        }
    }
    return result;
}

} // namespace bench
