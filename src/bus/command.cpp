#include "bus/command.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <hiredis/hiredis.h>

namespace sse {

namespace {

// The words as hiredis takes them: their texts and their lengths. Most commands need no memory for that.
class Arguments {
public:
    explicit Arguments(std::span<const std::string_view> words) noexcept {
        if (words.size() > kFew) {
            memory_ = std::malloc(words.size() * (sizeof(*texts_) + sizeof(*lengths_)));
            texts_ = static_cast<const char**>(memory_);
            lengths_ = texts_ == nullptr ? nullptr : reinterpret_cast<size_t*>(texts_ + words.size());
        }
        for (size_t i = 0; texts_ != nullptr && i < words.size(); ++i) {
            texts_[i] = words[i].data();
            lengths_[i] = words[i].size();
        }
    }
    Arguments(const Arguments&) = delete;
    Arguments& operator=(const Arguments&) = delete;
    ~Arguments() { std::free(memory_); }

    const char** texts() noexcept { return texts_; } // NULL: no memory
    const size_t* lengths() const noexcept { return lengths_; }

private:
    static constexpr size_t kFew = 32;

    const char* fewTexts_[kFew];
    size_t fewLengths_[kFew];
    void* memory_ = nullptr;
    const char** texts_ = fewTexts_;
    size_t* lengths_ = fewLengths_;
};

} // namespace

bool addCommand(Buffer& out, std::span<const std::string_view> words) noexcept {
    Arguments arguments(words);
    if (arguments.texts() == nullptr) {
        return false;
    }
    char* command = nullptr;
    const auto length = redisFormatCommandArgv(&command, static_cast<int>(words.size()), arguments.texts(),
                                               arguments.lengths());
    if (length < 0) {
        return false;
    }
    const bool added = out.append({command, static_cast<size_t>(length)});
    redisFreeCommand(command);
    return added;
}

// A command begins with the number of its words, "*3\r\n".
bool LongCommand::add(std::span<const std::string_view> words) noexcept {
    Buffer piece;
    if (!addCommand(piece, words)) {
        return false;
    }
    std::string_view text = piece.view();
    text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
    count_ += words.size();
    return words_.append(text);
}

bool LongCommand::addTo(Buffer& out) const noexcept {
    char head[24] = {'*'};
    char* end = std::to_chars(head + 1, head + sizeof(head) - 2, count_).ptr;
    *end++ = '\r';
    *end++ = '\n';
    const size_t before = out.size();
    if (out.append({head, static_cast<size_t>(end - head)}) && out.append(words_.view())) {
        return true;
    }
    out.cut(before);
    return false;
}

} // namespace sse
