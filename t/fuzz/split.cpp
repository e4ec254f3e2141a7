// Lines do not depend on how the stream is cut, have no line end in them, and are as many as there are ends.
#include "sse/split.hpp"

#include <vector>

#include "pieces.hpp"

namespace {

constexpr size_t kMaxLine = 64;

struct Result {
    sse::SplitStatus status = sse::SplitStatus::Ok;
    std::vector<std::string> lines;

    bool operator==(const Result&) const = default;
};

Result split(std::string_view text, size_t length) {
    Result result;
    sse::LineSplitter splitter(kMaxLine);
    auto sink = [&](std::string_view line) {
        require(line.size() <= kMaxLine);
        require(line.find_first_of("\r\n") == std::string_view::npos);
        result.lines.emplace_back(line);
        return true;
    };
    eachPiece(text, length, [&](std::string_view piece) {
        result.status = splitter.feed(piece, sink);
        require(splitter.held() <= kMaxLine);
        if (!splitter.inLine()) {
            splitter.release();
            require(splitter.held() == 0);
        }
        return result.status == sse::SplitStatus::Ok;
    });
    if (result.status == sse::SplitStatus::Ok) {
        result.status = splitter.finish(sink);
    }
    return result;
}

size_t countLines(std::string_view text) {
    size_t ends = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        ends += text[i] == '\r' || (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) ? 1 : 0;
    }
    const bool unfinished = !text.empty() && text.back() != '\r' && text.back() != '\n';
    return ends + (unfinished ? 1 : 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool mark = text.starts_with("\ufeff");
    const Result whole = split(text, text.size() + 1);
    require(split(text, 1u + data[0]) == whole);
    require(whole.status == sse::SplitStatus::TooLong ||
            whole.lines.size() == countLines(mark ? text.substr(3) : text));
    return 0;
}
