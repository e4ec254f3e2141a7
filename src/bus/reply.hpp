// Reads what Redis answers (RESP2): bytes in, a tree out. hiredis knows the protocol; the nodes and their
// texts lie in an arena, so an element needs no allocation of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

struct redisReader;
struct redisReadTask;

namespace sse {

struct Reply {
    enum class Type : uint8_t {
        Text,
        Status,
        Error, // its text begins with a code: "NOAUTH …"
        Integer,
        Nil,
        Array,
    };

    Type type = Type::Nil;
    std::string_view text = {};   // of Text, Status and Error
    int64_t integer = 0;          // of Integer
    size_t count = 0;             // of the elements of an Array
    const Reply* first = nullptr; // the first of these; NULL if there is none
    const Reply* next = nullptr;  // the next element of the same array; NULL: this is the last one

    bool is(Type wanted) const noexcept { return type == wanted; }
    // Whether it is an error with that code.
    bool isError(std::string_view code) const noexcept {
        return type == Type::Error && text.starts_with(code) &&
               (text.size() == code.size() || text[code.size()] == ' ');
    }

    // The element with that number, counted from 0; NULL if there is none, or this is not an array.
    const Reply* at(size_t number) const noexcept {
        const Reply* element = first;
        while (element != nullptr && number-- != 0) {
            element = element->next;
        }
        return element;
    }

    // for (const Reply& element : reply)
    struct Iterator {
        const Reply* at;
        const Reply& operator*() const noexcept { return *at; }
        Iterator& operator++() noexcept {
            at = at->next;
            return *this;
        }
        bool operator==(const Iterator&) const = default;
    };
    Iterator begin() const noexcept { return {first}; }
    Iterator end() const noexcept { return {nullptr}; }
};

// Memory for the nodes of one reply: it is handed out in order and taken back at once.
class ReplyArena {
public:
    explicit ReplyArena(size_t most) noexcept : most_(most) {}
    ReplyArena(const ReplyArena&) = delete;
    ReplyArena& operator=(const ReplyArena&) = delete;
    ~ReplyArena() { free(); }

    // `size` bytes, aligned for a Reply; NULL beyond the limit, or without memory.
    void* allocate(size_t size) noexcept;
    // Whether `size` more bytes would exceed the limit.
    bool exceeds(size_t size) const noexcept { return size > most_ - used_; }
    size_t used() const noexcept { return used_; }

    // Takes all of it back, and keeps one chunk.
    void clear() noexcept;
    // Frees all of it.
    void free() noexcept;

private:
    struct Block;

    void* allocateInChunk(size_t size) noexcept;
    void* allocateAlone(size_t size) noexcept;

    size_t most_;
    size_t used_ = 0;
    Block* chunk_ = nullptr; // memory is handed out from this one; it leads to those that are full
    Block* alone_ = nullptr; // what was too large for a chunk
    size_t inChunk_ = 0;     // bytes of the chunk that are handed out
};

// Bytes of a connection in, replies out:
//
//   feed(bytes)  while (next(reply) == Reply) …  feed(bytes) …
//
// The size that a reply announces allocates nothing; memory is needed only for what has come. The limit
// covers the bytes that are kept of an incomplete reply together with the nodes and texts of its tree (an
// element takes about 60 bytes besides its text). So whether a reply is too large depends on the reply alone,
// and not on how the bytes are cut. All of the memory is at most about twice the limit, plus what is fed at a
// time.
class ReplyReader {
public:
    explicit ReplyReader(size_t mostBytes) noexcept : arena_(mostBytes) {}
    ReplyReader(const ReplyReader&) = delete;
    ReplyReader& operator=(const ReplyReader&) = delete;
    ~ReplyReader() { reset(); }

    // Takes bytes as they have come. It is best to feed no more than about 64 KB before the replies in them
    // are taken: after each KB of them the rest is moved. False: there is no memory, or an error has ended
    // the reader.
    [[nodiscard]] bool feed(std::string_view bytes) noexcept;

    enum class Next : uint8_t {
        Reply,      // there is one
        Incomplete, // more bytes are needed
        // The reader is of no further use until it is reset.
        Malformed, // not RESP2, or arrays nested deeper than in any answer of a stream
        TooLarge,
        NoMemory,
    };

    // The next reply. It is valid until the next call of any function but lastId() and keep().
    Next next(const Reply*& reply) noexcept;

    // While this is on, replies stay valid until it is turned off, or reset() is called. The limit is for all
    // of them together.
    void keep(bool isOn) noexcept { keeps_ = isOn; }

    // After TooLarge, and until reset(): the id of the entry that was being read, if the reply was to XREAD
    // or XRANGE; empty if there is none.
    std::string_view lastId() const noexcept { return lastId_; }
    // The key of its stream, if the reply was to XREAD.
    std::string_view lastStream() const noexcept { return lastStream_; }

    // Forgets all bytes and begins again, for another connection. Frees the memory.
    void reset() noexcept;

private:
    // XREAD has 5 levels: streams, a stream, its entries, an entry, its fields.
    static constexpr size_t kMaxDepth = 7;

    friend struct ReplyFunctions;
    Reply* add(const redisReadTask& task, Reply::Type type, size_t textLength) noexcept;
    void noteId(const redisReadTask& task, std::string_view text) noexcept;
    void leaveEntry(size_t depth) noexcept;
    void fail(Next why) noexcept;
    void releaseIdle(bool isBetween) noexcept;

    ReplyArena arena_;
    redisReader* reader_ = nullptr;
    bool keeps_ = false;
    Next failure_ = Next::Reply;      // what has ended the reader; Reply: nothing has
    size_t longest_ = 0;              // bytes that the reader has kept at a time
    Reply* last_[kMaxDepth + 1] = {}; // the last node at each depth
    std::string_view lastId_;
    std::string_view lastStream_; // the stream of that entry
    size_t idDepth_ = 0;          // 0: there is none
};

} // namespace sse
