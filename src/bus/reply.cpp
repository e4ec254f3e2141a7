#include "bus/reply.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <hiredis/read.h>

#include "bus/stream_id.hpp"

namespace sse {

// --- Memory ---

struct ReplyArena::Block {
    Block* next;
    // Its bytes follow.
    std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

    // Frees the block and those that it leads to.
    static void freeAll(Block* block) noexcept {
        while (block != nullptr) {
            Block* next = block->next;
            std::free(block);
            block = next;
        }
    }

    // A block before `next`; NULL without memory.
    static Block* make(size_t size, Block* next) noexcept {
        void* place = std::malloc(sizeof(Block) + size);
        return place == nullptr ? nullptr : new (place) Block{next};
    }
};

namespace {

constexpr size_t kChunk = 64 * 1024 - 64; // with what malloc adds it stays within 64 KB

// Anything larger has a block of its own, so no more than a quarter of a chunk is left unused.
constexpr size_t kMostInChunk = kChunk / 4;

} // namespace

void* ReplyArena::allocate(size_t size) noexcept {
    if (exceeds(size)) {
        return nullptr;
    }
    void* place = size > kMostInChunk ? allocateAlone(size) : allocateInChunk(size);
    used_ += place == nullptr ? 0 : size;
    return place;
}

void* ReplyArena::allocateInChunk(size_t size) noexcept {
    size = (size + alignof(Reply) - 1) / alignof(Reply) * alignof(Reply);
    if (chunk_ == nullptr || size > kChunk - inChunk_) {
        Block* chunk = Block::make(kChunk, chunk_);
        if (chunk == nullptr) {
            return nullptr;
        }
        chunk_ = chunk;
        inChunk_ = 0;
    }
    inChunk_ += size;
    return chunk_->bytes() + inChunk_ - size;
}

void* ReplyArena::allocateAlone(size_t size) noexcept {
    Block* block = Block::make(size, alone_);
    if (block == nullptr) {
        return nullptr;
    }
    alone_ = block;
    return block->bytes();
}

void ReplyArena::clear() noexcept {
    Block::freeAll(alone_);
    alone_ = nullptr;
    if (chunk_ != nullptr) {
        Block::freeAll(chunk_->next);
        chunk_->next = nullptr;
    }
    inChunk_ = used_ = 0;
}

void ReplyArena::free() noexcept {
    clear();
    Block::freeAll(chunk_);
    chunk_ = nullptr;
}

// --- The tree ---

// hiredis calls one of these for each element. It passes an element's parent before the element, and the
// elements in order. NULL ends the reader.
//
// Versions of hiredis differ in the types of some parameters, and those that know RESP3 want more functions.
struct ReplyFunctions {
    static void* createText(const redisReadTask* task, char* text, size_t length) noexcept {
        const std::optional<Reply::Type> type = textType(task->type);
        if (!type) {
            return refuse(task);
        }
        ReplyReader& reader = readerOf(task);
        Reply* reply = reader.add(*task, *type, length);
        if (reply == nullptr) {
            return nullptr;
        }
        char* place = reinterpret_cast<char*>(reply + 1);
        if (length != 0) {
            std::memcpy(place, text, length);
        }
        reply->text = {place, length};
        reader.noteId(*task, reply->text);
        return reply;
    }

    template <typename Count>
    static void* createArray(const redisReadTask* task, Count count) noexcept {
        if (task->type != REDIS_REPLY_ARRAY) {
            return refuse(task);
        }
        Reply* reply = readerOf(task).add(*task, Reply::Type::Array, 0);
        if (reply != nullptr) {
            reply->count = static_cast<size_t>(count);
        }
        return reply;
    }

    static void* createInteger(const redisReadTask* task, long long value) noexcept {
        Reply* reply = readerOf(task).add(*task, Reply::Type::Integer, 0);
        if (reply != nullptr) {
            reply->integer = value;
        }
        return reply;
    }

    // A text or an array that is nil; RESP3 has a type of its own for that.
    static void* createNil(const redisReadTask* task) noexcept {
        if (task->type == REDIS_REPLY_NIL) {
            return refuse(task);
        }
        return readerOf(task).add(*task, Reply::Type::Nil, 0);
    }

    // For types of RESP3, which this client has not asked for.
    template <typename... Values>
    static void* refuse(const redisReadTask* task, Values...) noexcept {
        readerOf(task).fail(ReplyReader::Next::Malformed);
        return nullptr;
    }

    // The arena frees them.
    static void freeNothing(void*) noexcept {}

    template <typename Functions>
    static constexpr Functions table() noexcept {
        Functions functions{};
        functions.createString = createText;
        functions.createArray = createArray;
        functions.createInteger = createInteger;
        functions.createNil = createNil;
        functions.freeObject = freeNothing;
        if constexpr (requires { functions.createDouble; }) {
            functions.createDouble = refuse;
        }
        if constexpr (requires { functions.createBool; }) {
            functions.createBool = refuse;
        }
        return functions;
    }

private:
    static ReplyReader& readerOf(const redisReadTask* task) noexcept {
        return *static_cast<ReplyReader*>(task->privdata);
    }

    static std::optional<Reply::Type> textType(int type) noexcept {
        switch (type) {
        case REDIS_REPLY_STRING:
            return Reply::Type::Text;
        case REDIS_REPLY_STATUS:
            return Reply::Type::Status;
        case REDIS_REPLY_ERROR:
            return Reply::Type::Error;
        default:
            return std::nullopt;
        }
    }
};

namespace {

size_t depthOf(const redisReadTask& task) noexcept {
    size_t depth = 0;
    for (const redisReadTask* parent = task.parent; parent != nullptr; parent = parent->parent) {
        ++depth;
    }
    return depth;
}

// An entry is an array of its id and its fields, in an array of entries. XREAD puts these into an array with
// the name of the stream, in an array of streams. In both replies the contents of an entry lie deeper than
// its id, so a program that writes entries cannot have one of its texts taken for an id.
constexpr size_t kIdDepthOfRange = 2;
constexpr size_t kIdDepthOfRead = 4;

// The name of the stream, which precedes the list of entries that this id is in.
std::string_view streamOf(const redisReadTask& id) noexcept {
    const auto* pair = static_cast<const Reply*>(id.parent->parent->parent->obj);
    return pair->first->text;
}

} // namespace

Reply* ReplyReader::add(const redisReadTask& task, Reply::Type type, size_t textLength) noexcept {
    const size_t depth = depthOf(task);
    if (depth > kMaxDepth) {
        fail(Next::Malformed);
        return nullptr;
    }
    leaveEntry(depth);
    const size_t size = sizeof(Reply) + textLength;
    void* place = arena_.allocate(size);
    if (place == nullptr) {
        fail(arena_.exceeds(size) ? Next::TooLarge : Next::NoMemory);
        return nullptr;
    }
    auto* reply = new (place) Reply{.type = type};
    if (task.parent != nullptr) {
        auto* parent = static_cast<Reply*>(task.parent->obj);
        (task.idx == 0 ? parent->first : last_[depth]->next) = reply;
    }
    last_[depth] = reply;
    return reply;
}

// A text has come: perhaps the id of an entry.
void ReplyReader::noteId(const redisReadTask& task, std::string_view text) noexcept {
    const size_t depth = depthOf(task);
    if ((depth == kIdDepthOfRange || depth == kIdDepthOfRead) && task.idx == 0 &&
        task.parent->elements == 2 && parseStreamId(text)) {
        lastId_ = text;
        lastStream_ = depth == kIdDepthOfRead ? streamOf(task) : std::string_view();
        idDepth_ = depth;
    }
}

// What comes next is at that depth, so perhaps it is no longer in the entry.
void ReplyReader::leaveEntry(size_t depth) noexcept {
    if (depth < idDepth_) {
        lastId_ = lastStream_ = {};
        idDepth_ = 0;
    }
}

// --- The bytes ---

namespace {

// How much of its buffer hiredis keeps while there is nothing in it.
constexpr size_t kMostIdle = 64 * 1024;

redisReader* makeReader(void* owner) noexcept {
    static constinit redisReplyObjectFunctions functions = ReplyFunctions::table<redisReplyObjectFunctions>();
    redisReader* reader = redisReaderCreateWithFunctions(&functions);
    if (reader != nullptr) {
        reader->privdata = owner;
        // Otherwise hiredis would free a large buffer that is empty, and abort if there were no memory for
        // another one.
        reader->maxbuf = 0;
    }
    return reader;
}

} // namespace

bool ReplyReader::feed(std::string_view bytes) noexcept {
    if (failure_ != Next::Reply) {
        return false;
    }
    if (reader_ == nullptr) {
        reader_ = makeReader(this);
    }
    if (reader_ == nullptr || redisReaderFeed(reader_, bytes.data(), bytes.size()) != REDIS_OK) {
        fail(Next::NoMemory);
        return false;
    }
    longest_ = std::max(longest_, reader_->len);
    return true;
}

ReplyReader::Next ReplyReader::next(const Reply*& reply) noexcept {
    reply = nullptr;
    if (failure_ != Next::Reply) {
        return failure_;
    }
    if (reader_ == nullptr) {
        return Next::Incomplete;
    }
    const bool isBetween = reader_->ridx == -1; // hiredis: no reply has begun
    if (isBetween) {
        leaveEntry(0);
    }
    if (isBetween && !keeps_) {
        arena_.clear();
    }
    if (reader_->pos == reader_->len) {
        releaseIdle(isBetween);
        return Next::Incomplete;
    }
    void* tree = nullptr;
    if (redisReaderGetReply(reader_, &tree) != REDIS_OK) {
        fail(reader_->err == REDIS_ERR_PROTOCOL ? Next::Malformed : Next::NoMemory);
    } else if (tree != nullptr) {
        reply = static_cast<const Reply*>(tree);
    } else if (arena_.exceeds(reader_->len - reader_->pos)) {
        leaveEntry(static_cast<size_t>(reader_->ridx)); // hiredis: the depth of what is incomplete
        fail(Next::TooLarge);
    } else {
        return Next::Incomplete;
    }
    return failure_;
}

// The first reason counts.
void ReplyReader::fail(Next why) noexcept {
    if (failure_ == Next::Reply) {
        failure_ = why;
    }
}

// hiredis keeps a buffer that has become large.
void ReplyReader::releaseIdle(bool isBetween) noexcept {
    if (isBetween && longest_ > kMostIdle) {
        redisReaderFree(reader_);
        reader_ = nullptr;
        longest_ = 0;
    }
}

void ReplyReader::reset() noexcept {
    if (reader_ != nullptr) {
        redisReaderFree(reader_);
        reader_ = nullptr;
    }
    arena_.free();
    failure_ = Next::Reply;
    longest_ = 0;
    keeps_ = false;
    leaveEntry(0);
}

} // namespace sse
