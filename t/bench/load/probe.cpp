#include "probe.hpp"

#include "exchange.hpp"
#include "patience.hpp"

namespace bench {

namespace {

class Probe final : public Exchange {
public:
    using Exchange::Exchange;

    void ask(const std::string& path, uint64_t due) {
        due_ = due;
        request("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    std::vector<uint64_t> times;

private:
    void onResponse(const Head& head, std::string_view) override {
        if (head.status != 200) {
            die("the file is answered %d", head.status);
        }
        times.push_back(now() - due_);
    }

    uint64_t due_ = 0;
};

} // namespace

std::vector<uint64_t> probe(Loop& loop, uint16_t port, const std::string& path, double rate,
                            double duration) {
    Probe probe(loop, port);
    Patience patience;
    const uint64_t start = now();
    const auto count = static_cast<uint64_t>(rate * duration);
    for (uint64_t asked = 0; probe.times.size() < count;) {
        const uint64_t due = start + static_cast<uint64_t>(static_cast<double>(asked) / rate * 1e9);
        if (probe.isIdle() && now() >= due) {
            probe.ask(path, due);
            asked++;
        }
        loop.turn(probe.isIdle() ? due : now() + kTurn);
        patience.check(probe.times.size(), "the file", count - probe.times.size());
    }
    return std::move(probe.times);
}

} // namespace bench
