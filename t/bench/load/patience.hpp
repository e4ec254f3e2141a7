// Notices that nothing moves any more.
#pragma once

#include "loop.hpp"
#include "say.hpp"

namespace bench {

class Patience {
public:
    // To be called again and again with a figure that changes as long as there is progress.
    void check(uint64_t progress, const char* what, uint64_t missing) {
        const uint64_t time = now();
        if (progress != progress_ || since_ == 0) {
            progress_ = progress;
            since_ = time;
        } else if (time - since_ > kLimit) {
            die("waited %.0f s in vain for %s: %llu are missing", seconds(kLimit), what,
                static_cast<unsigned long long>(missing));
        }
    }

private:
    static constexpr uint64_t kLimit = 20'000'000'000;

    uint64_t progress_ = 0;
    uint64_t since_ = 0;
};

constexpr uint64_t kTurn = 100'000'000; // how long a turn of the loop may last when nothing happens

} // namespace bench
