// Work that is done in slices: the rest of a large body, a long way to the tip. Tasks wait in a queue, in the
// order in which they came, and a task that is not done after a slice goes to the end of the queue. So no
// task delays another by more than a slice, and the worker decides how much it does in a turn.
#pragma once

#include "ngx.hpp"

namespace sse {

// Belongs to a request, which removes it when it ends, or to the whole process.
struct Task {
    ngx_queue_t link{}; // all zeros while it is not queued
    void* owner = nullptr;
    // Many requests wait for this task, so it does not wait until each of them has had its turn.
    bool isShared = false;

    // Does a slice, and adds the task again if there is more. May end its request, and any other.
    void (*run)(void* owner) noexcept = nullptr;
};

class WorkQueue {
public:
    void init() noexcept { ngx_queue_init(&tasks_); }

    bool isEmpty() const noexcept { return ngx_queue_empty(&tasks_); }

    // Does nothing for a task that is queued already.
    void add(Task& task) noexcept {
        if (task.link.next == nullptr) {
            ngx_queue_insert_tail(&tasks_, &task.link);
        }
    }

    static void remove(Task& task) noexcept {
        if (task.link.next != nullptr) {
            ngx_queue_remove(&task.link);
            task.link = {};
        }
    }

    // Runs the task that has waited longest. Returns whether others wait.
    bool runOne() noexcept {
        if (isEmpty()) {
            return false;
        }
        Task& task = *queueItem<Task>(ngx_queue_head(&tasks_), offsetof(Task, link));
        remove(task);
        task.run(task.owner);
        return !isEmpty();
    }

private:
    ngx_queue_t tasks_{};
};

} // namespace sse
