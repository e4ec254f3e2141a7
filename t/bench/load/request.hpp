// What a subscriber sends.
#pragma once

#include <string>
#include <string_view>

namespace bench {

// Who asks: a program that sends what it must, a browser with its twelve headers, or one with 2 KB of cookies
// as well.
enum class Client { Bare, Browser, Cookies };

// Dies if that is none of them.
Client clientNamed(std::string_view name);

std::string subscribeRequest(std::string_view path, Client client, std::string_view cursor);

} // namespace bench
