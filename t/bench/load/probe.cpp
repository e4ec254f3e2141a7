#include "probe.hpp"

#include <algorithm>
#include <memory>

#include "exchange.hpp"
#include "patience.hpp"

namespace bench {

namespace {

class Visitor final : public Exchange {
public:
    Visitor(Loop& loop, uint16_t port, std::vector<uint64_t>& times) : Exchange(loop, port), times_(times) {}

    void ask(const std::string& path, uint64_t due) {
        due_ = due;
        request("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }

private:
    void onResponse(const Head& head, std::string_view) override {
        if (head.status != 200) {
            die("the file is answered %d", head.status);
        }
        times_.push_back(now() - due_);
    }

    std::vector<uint64_t>& times_;
    uint64_t due_ = 0;
};

using Visitors = std::vector<std::unique_ptr<Visitor>>;

} // namespace

std::vector<uint64_t> probe(Loop& loop, uint16_t port, const std::string& path, double rate,
                            double duration) {
    std::vector<uint64_t> times;
    Visitors visitors;
    Patience patience;
    const uint64_t start = now();
    const auto count = static_cast<uint64_t>(rate * duration);
    for (uint64_t asked = 0; times.size() < count;) {
        const uint64_t due = start + static_cast<uint64_t>(static_cast<double>(asked) / rate * 1e9);
        if (asked < count && now() >= due) {
            auto free =
                std::find_if(visitors.begin(), visitors.end(), [](const auto& one) { return one->isIdle(); });
            if (free == visitors.end()) {
                free = visitors.insert(free, std::make_unique<Visitor>(loop, port, times));
            }
            (*free)->ask(path, due);
            asked++;
        } else {
            loop.turn(asked < count ? due : now() + kTurn);
        }
        patience.check(times.size(), "the file", count - times.size());
    }
    return times;
}

} // namespace bench
