#include "request.hpp"

#include "say.hpp"

namespace bench {

namespace {

// As Firefox 128 sends them.
constexpr std::string_view kBrowser =
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/event-stream\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: http://localhost/dashboard/overview\r\n"
    "Connection: keep-alive\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n";

std::string_view headersOf(Client client) {
    return client == Client::Bare ? "Accept: text/event-stream\r\n" : kBrowser;
}

} // namespace

Client clientNamed(std::string_view name) {
    if (name == "bare") {
        return Client::Bare;
    }
    if (name == "browser") {
        return Client::Browser;
    }
    if (name != "cookies") {
        die("there is no client \"%.*s\"", static_cast<int>(name.size()), name.data());
    }
    return Client::Cookies;
}

std::string subscribeRequest(std::string_view path, Client client, std::string_view cursor) {
    std::string request = "GET ";
    request.append(path).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headersOf(client));
    if (client == Client::Cookies) {
        request.append("Cookie: session=").append(std::string(2048, 'c')).append("\r\n");
    }
    if (!cursor.empty()) {
        request.append("Last-Event-ID: ").append(cursor).append("\r\n");
    }
    return request += "\r\n";
}

} // namespace bench
