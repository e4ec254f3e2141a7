// A growable run of bytes that never throws: if an allocation fails, the call returns false.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
    // Keeps the first `size` bytes, of at least as many.
    void cut(size_t size) noexcept { size_ = size; }

    // Takes the first `length` bytes away; the rest moves to the front.
    void dropFront(size_t length) noexcept {
        size_ -= length;
        if (length != 0 && size_ != 0) {
            std::memmove(data_, data_ + length, size_);
        }
    }

    // Frees the memory as well.
    void reset() noexcept {
        std::free(data_);
        data_ = nullptr;
        size_ = capacity_ = 0;
    }

    // Frees the memory if it holds nothing.
    void release() noexcept {
        if (empty()) {
            reset();
        }
    }

    // Bytes of memory allocated.
    size_t held() const noexcept { return capacity_; }

    // Makes the buffer `length` bytes longer and returns where they start, uninitialised; nullptr without
    // memory. It grows by doubling, but not beyond `limit`, the most that the caller will ever put into it.
    char* extend(size_t length, size_t limit = SIZE_MAX) noexcept {
        if (!reserve(size_ + length, limit)) {
            return nullptr;
        }
        char* place = data_ + size_;
        size_ += length;
        return place;
    }

    bool append(std::string_view text, size_t limit = SIZE_MAX) noexcept {
        if (text.empty()) {
            return true;
        }
        char* place = extend(text.size(), limit);
        if (place == nullptr) {
            return false;
        }
        std::memcpy(place, text.data(), text.size());
        return true;
    }

private:
    bool reserve(size_t wanted, size_t limit) noexcept {
        if (wanted <= capacity_ && data_ != nullptr) {
            return true;
        }
        const size_t doubled = capacity_ < kLeast / 2 ? kLeast : capacity_ * 2;
        const size_t capacity = std::max({wanted, std::min(doubled, limit), size_t{1}});
        auto* data = static_cast<char*>(std::realloc(data_, capacity));
        if (data == nullptr) {
            return false;
        }
        data_ = data;
        capacity_ = capacity;
        return true;
    }

    static constexpr size_t kLeast = 256;

    char* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

} // namespace sse
