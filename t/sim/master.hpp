// The master process: replaces the log by one of another size, which takes over, or by an empty one.
#pragma once

#include <memory>

#include "scheduler.hpp"
#include "zone.hpp"

namespace sse::sim {

class Master : public Process {
public:
    explicit Master(World& world) : world_(world) {}

    void live() override;

private:
    void sleep();
    void resize();
    void beginAnew();

    World& world_;
    std::shared_ptr<Zone> old_;
    std::shared_ptr<Zone> next_;
};

} // namespace sse::sim
