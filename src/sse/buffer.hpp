// A growable run of bytes that never throws: a failed allocation is a false.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace sse {

class Buffer {
public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(data_); }

    std::string_view view() const noexcept { return {data_, size_}; }
    char* data() noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    void clear() noexcept { size_ = 0; }

    // Gives the memory back as well.
    void reset() noexcept {
        std::free(data_);
        data_ = nullptr;
        size_ = capacity_ = 0;
    }

    // Makes the buffer `length` bytes longer and returns where they start, uninitialised; nullptr without
    // memory.
    char* extend(size_t length) noexcept {
        if (!reserve(size_ + length)) {
            return nullptr;
        }
        char* place = data_ + size_;
        size_ += length;
        return place;
    }

    bool append(std::string_view text) noexcept {
        if (text.empty()) {
            return true;
        }
        char* place = extend(text.size());
        if (place == nullptr) {
            return false;
        }
        std::memcpy(place, text.data(), text.size());
        return true;
    }

private:
    bool reserve(size_t wanted) noexcept {
        if (wanted <= capacity_ && data_ != nullptr) {
            return true;
        }
        size_t capacity = capacity_ < 256 ? 256 : capacity_ * 2;
        if (capacity < wanted) {
            capacity = wanted;
        }
        auto* data = static_cast<char*>(std::realloc(data_, capacity));
        if (data == nullptr) {
            return false;
        }
        data_ = data;
        capacity_ = capacity;
        return true;
    }

    char* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

} // namespace sse
