// Replies as text: what Redis sends, and what a reader makes of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bus/reply.hpp"

// "$3\r\nabc\r\n"
inline std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

// "*2\r\n…", of elements that are on the wire already
inline std::string array(const std::vector<std::string>& elements) {
    std::string out = "*" + std::to_string(elements.size()) + "\r\n";
    for (const std::string& element : elements) {
        out += element;
    }
    return out;
}

inline std::string bulks(const std::vector<std::string_view>& texts) {
    std::vector<std::string> elements;
    for (const std::string_view text : texts) {
        elements.push_back(bulk(text));
    }
    return array(elements);
}

// An entry of a stream: its id, and names and values.
inline std::string entry(std::string_view id, const std::vector<std::string_view>& fields) {
    return array({bulk(id), bulks(fields)});
}

// "text", +status, -error, :1, nil, [a, b]
inline std::string describe(const sse::Reply& reply) {
    using Type = sse::Reply::Type;
    switch (reply.type) {
    case Type::Text:
        return "\"" + std::string(reply.text) + "\"";
    case Type::Status:
        return "+" + std::string(reply.text);
    case Type::Error:
        return "-" + std::string(reply.text);
    case Type::Integer:
        return ":" + std::to_string(reply.integer);
    case Type::Nil:
        return "nil";
    case Type::Array:
        break;
    }
    std::string out = "[";
    size_t count = 0;
    for (const sse::Reply& element : reply) {
        out += (count++ == 0 ? "" : ", ") + describe(element);
    }
    return out + (count == reply.count ? "]" : "!");
}
