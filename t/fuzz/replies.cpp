// Any bytes of a server: the replies do not depend on how they are cut, nor does the limit, and they are
// those that hiredis makes of them with its own objects.
#include "bus/reply.hpp"

#include <algorithm>

#include <hiredis/hiredis.h>

#include "bus_replies.hpp"
#include "pieces.hpp"

using sse::Reply;
using sse::ReplyReader;
using Next = ReplyReader::Next;

namespace {

constexpr size_t kPlenty = 1024 * 1024;

struct Outcome {
    std::vector<std::string> replies;
    Next end = Next::Incomplete;
    std::string lastId;
};

Outcome read(std::string_view text, size_t length, size_t most) {
    Outcome outcome;
    ReplyReader reader(most);
    eachPiece(text, length, [&](std::string_view piece) {
        require(reader.feed(piece));
        const Reply* reply = nullptr;
        while ((outcome.end = reader.next(reply)) == Next::Reply) {
            require(reply->next == nullptr);
            outcome.replies.push_back(describe(*reply));
        }
        return outcome.end == Next::Incomplete;
    });
    outcome.lastId = reader.lastId();
    return outcome;
}

// The same as describe() says.
std::string describe(const redisReply& reply) {
    const std::string text(reply.str == nullptr ? "" : reply.str,
                           reply.str == nullptr ? 0 : static_cast<size_t>(reply.len));
    switch (reply.type) {
    case REDIS_REPLY_STRING:
        return "\"" + text + "\"";
    case REDIS_REPLY_STATUS:
        return "+" + text;
    case REDIS_REPLY_ERROR:
        return "-" + text;
    case REDIS_REPLY_INTEGER:
        return ":" + std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
        return "nil";
    default:
        break;
    }
    std::string out = "[";
    for (size_t i = 0; i < static_cast<size_t>(reply.elements); ++i) {
        out += (i == 0 ? "" : ", ") + describe(*reply.element[i]);
    }
    return out + "]";
}

// hiredis makes room for as many elements as an array claims to have.
bool claimsMuch(std::string_view text) {
    for (size_t at = text.find('*'); at != std::string_view::npos; at = text.find('*', at + 1)) {
        const size_t end = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
        if (end - at > 4) {
            return true;
        }
    }
    return false;
}

// It nests arrays deeper than we do, and knows more types in later versions; both are malformed to us.
void compareWithHiredis(std::string_view text, const Outcome& ours) {
    redisReader* reader = redisReaderCreate();
    require(redisReaderFeed(reader, text.data(), text.size()) == REDIS_OK);
    void* reply = nullptr;
    int status = REDIS_OK;
    for (const std::string& expected : ours.replies) {
        status = redisReaderGetReply(reader, &reply);
        require(status == REDIS_OK && reply != nullptr);
        require(describe(*static_cast<redisReply*>(reply)) == expected);
        freeReplyObject(reply);
    }
    if (ours.end == Next::Incomplete) {
        require(redisReaderGetReply(reader, &reply) == REDIS_OK && reply == nullptr);
    }
    redisReaderFree(reader);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const size_t length = 1u + data[0];
    for (const size_t most : {size_t{16} * data[1], kPlenty}) {
        const Outcome whole = read(text, text.size() + 1, most);
        const Outcome cut = read(text, length, most);
        require(cut.replies == whole.replies);
        // What is too long while it is incomplete may be malformed in the end.
        require(cut.end == whole.end || (whole.end == Next::Malformed && cut.end == Next::TooLarge));
        require(cut.lastId == whole.lastId || whole.end == Next::Malformed);
        require(whole.end != Next::NoMemory);
        if (most == kPlenty && whole.end != Next::TooLarge && !claimsMuch(text)) {
            compareWithHiredis(text, whole);
        }
    }
    return 0;
}
