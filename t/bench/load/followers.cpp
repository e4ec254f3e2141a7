#include "followers.hpp"

#include <algorithm>

#include "patience.hpp"

namespace bench {

void Followers::open(uint16_t port, std::string request, uint32_t count) {
    all_.clear();
    request_ = std::move(request);
    for (uint32_t i = 0; i < count; i++) {
        all_.push_back(std::make_unique<Follower>(loop_, port, i, request_));
        all_.back()->connect();
    }
}

void Followers::read(uint64_t events) {
    Patience patience;
    for (size_t done = 0; done < all_.size();) {
        loop_.turn(now() + kTurn);
        uint64_t received = 0;
        for (const auto& one : all_) {
            received += one->events();
        }
        while (done < all_.size() && all_[done]->has(events)) {
            done++;
        }
        patience.check(received + done, "followers", all_.size() - done);
    }
}

} // namespace bench
