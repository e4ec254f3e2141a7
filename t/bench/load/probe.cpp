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

    void ask(const std::string& text, uint64_t due) {
        due_ = due;
        request(text);
    }

private:
    void onResponse(const Head& head, std::string_view) override {
        if (head.status != 200) {
            die("a probe is answered %d", head.status);
        }
        times_.push_back(now() - due_);
    }

    std::vector<uint64_t>& times_;
    uint64_t due_ = 0;
};

using Visitors = std::vector<std::unique_ptr<Visitor>>;

} // namespace

std::vector<uint64_t> probe(Loop& loop, uint16_t port, const std::string& request, double rate,
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
            (*free)->ask(request, due);
            asked++;
        } else {
            loop.turn(asked < count ? due : now() + kTurn);
        }
        patience.check(times.size(), "the answers to probes", count - times.size());
    }
    return times;
}

} // namespace bench
