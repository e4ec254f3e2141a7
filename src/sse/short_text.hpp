// A short text that allocates nothing: what exceeds its room is cut off.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace sse {

template <size_t kRoom>
class ShortText {
public:
    ShortText() = default;
    explicit ShortText(std::string_view text) noexcept { append(text); }

    std::string_view view() const noexcept { return {bytes_, size_}; }
    bool empty() const noexcept { return size_ == 0; }
    bool isWhole() const noexcept { return whole_; } // nothing has been cut off

    void clear() noexcept {
        size_ = 0;
        whole_ = true;
    }

    void append(std::string_view text) noexcept {
        const size_t taken = std::min(text.size(), kRoom - size_);
        if (taken != 0) {
            std::memcpy(bytes_ + size_, text.data(), taken);
        }
        size_ += taken;
        whole_ = whole_ && taken == text.size();
    }

private:
    size_t size_ = 0;
    bool whole_ = true;
    char bytes_[kRoom]; // only the first `size_` of them mean anything
};

} // namespace sse
