// A reader that goes on while writers write and die.
#pragma once

#include <memory>

#include "model.hpp"

namespace sse {

// Reads a set of channels behind a cursor, step by step, and keeps its log alive. It has to be given all that
// there was when it came, in order and nothing else, but for what it is told, by a gap or by Lapped, to have
// lost.
class Reader {
public:
    // `exact`: as for checkReplay().
    Reader(std::shared_ptr<TestLog> zone, const Model& model, const std::set<std::string>& names,
           EventId cursor, bool exact)
        : zone_(std::move(zone)), model_(model), names_(names), exact_(exact),
          told_(cursor == Replay::kBeginning), channels_(open()),
          replay_(zone_->log, channels_, cursor, zone_->log.lastId(), {}) {
        const EventId from = isUnknown(*zone_, cursor) ? EventId{} : cursor;
        for (const std::string& name : names_) {
            const std::vector<uint64_t> some = expected(*zone_, model_, name, from, {});
            expected_.insert(some.begin(), some.end());
        }
        for (uint64_t number = 0; number < model_.events.size(); ++number) {
            const ModelEvent& event = model_.events[number];
            if (event.end && event.id > from && names_.count(event.channel) == 1) {
                ends_.insert(number);
            }
        }
    }

    bool done() const { return done_; }

    // One step of the seek, or one event.
    void step() {
        ReplayEvent event;
        if (done_) {
            return;
        }
        switch (sought_ ? replay_.next(UINT64_MAX, event) : replay_.seek(1)) {
        case ReadStatus::Ok:
            sought_ ? given(event) : begin();
            break;
        case ReadStatus::Lapped:
            assert_true(!exact_ || isOverwritten(expected_) || isOverwritten(ends_));
            done_ = true;
            break;
        case ReadStatus::End:
            if (replay_.passBreak(UINT64_MAX)) {
                told_ = true;
                return;
            }
            done_ = sought_;
            assert_true(!done_ || !exact_ || expected_.empty());
            break;
        }
    }

private:
    std::vector<ReplayChannel> open() {
        std::vector<ReplayChannel> channels;
        for (const std::string& name : names_) {
            channels.push_back(channel(zone_->log, name, model_.hash(name)));
        }
        return channels;
    }

    uint64_t evicted() const { return zone_->log.stats().evicted; }
    bool isOverwritten(const std::set<uint64_t>& numbers) const {
        return !numbers.empty() && *numbers.begin() < evicted();
    }

    // The seek is done. What was overwritten under it is missing.
    void begin() {
        sought_ = true;
        evictedBefore_ = evicted();
        told_ = told_ || replay_.gap() != Gap::None;
    }

    void given(const ReplayEvent& event) {
        const uint64_t number = event.header.number;
        assert_true(number < model_.events.size());
        const ModelEvent& right = model_.events[number];
        assert_true(names_.count(right.channel) == 1);
        assert_true(right.id == event.header.id);
        assert_string_equal(payloadOf(zone_->log, event.offset, event.header).c_str(), right.payload.c_str());
        assert_true(right.end == (event.header.kind == RecordKind::End));
        if (exact_) {
            skipBefore(number);
        }
        // Never twice, and nothing that the cursor has seen.
        assert_true((right.end ? ends_ : expected_).erase(number) == 1);
        expected_.erase(expected_.begin(), expected_.lower_bound(number));
        ends_.erase(ends_.begin(), ends_.lower_bound(number));
    }

    void skipBefore(uint64_t number) const {
        for (auto other = expected_.begin(); other != expected_.end() && *other < number; ++other) {
            assert_true(told_ && *other < evictedBefore_);
        }
    }

    std::shared_ptr<TestLog> zone_;
    const Model& model_;
    std::set<std::string> names_;
    bool exact_;
    bool told_; // that it may miss something
    std::vector<ReplayChannel> channels_;
    Replay replay_;
    std::set<uint64_t> expected_;
    std::set<uint64_t> ends_; // which may come along or not
    uint64_t evictedBefore_ = 0;
    bool sought_ = false;
    bool done_ = false;
};

} // namespace sse
