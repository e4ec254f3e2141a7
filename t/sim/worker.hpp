// A worker process: publishes, has subscribers, looks up publisher ids, and cleans up after dead workers.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "reader.hpp"
#include "scheduler.hpp"

namespace sse::sim {

class Worker : public Process {
public:
    Worker(World& world, uint32_t slot);

    void live() override;

    uint32_t slot() const { return slot_; }
    // The slot of a dead worker that it was about to forget.
    std::optional<uint32_t> cleaning() const { return cleaning_; }
    // The cursors of its subscribers, which look for another worker.
    std::vector<EventId> cursors() const;

private:
    void act();
    void moveOn();
    void publish();
    void breakOff();
    void beginLife();
    Appended append();
    void drawEvents(uint32_t channel, uint64_t count);
    void drawEvent(uint32_t channel);
    EventId drawId(EventId last);
    void subscribe();
    void unsubscribe();
    void turn();
    void lookUp();
    void lookAtFigures();
    void cleanUp();

    ChannelState listen(uint32_t channel);
    void unlisten(uint32_t channel, uint32_t entry);
    void count(uint32_t channel, uint32_t entry, int32_t change);
    void answerCensus();
    void forgetSlot(uint32_t slot);
    bool isListeningTo(uint32_t channel) const;

    World& world_;
    std::shared_ptr<Zone> zone_;
    uint32_t slot_;
    uint32_t census_;
    std::optional<uint32_t> cleaning_;
    std::vector<std::unique_ptr<Reader>> readers_;
    Reader::Subscription next_;  // of one that comes
    std::shared_ptr<Life> life_; // that it looks at
    std::vector<Event> events_;  // that it publishes together
    Event event_{};
    std::string fields_;
};

} // namespace sse::sim
