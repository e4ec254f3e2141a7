// A connection to the Redis server that is the master, in nginx's event loop: nginx handles names, sockets
// and TLS, hiredis the protocol.
//
// The addresses are tried in turn: after each failure the next one, at first at once and then after growing
// pauses (50 ms to 1 s, with jitter). A connection is ready once the server has accepted the greeting and
// says that it is a master. It never keeps a leaving worker alive, and nginx does not report it when the
// worker exits.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "bus/redis_url.hpp"
#include "bus/reply.hpp"
#include "bus/stream_id.hpp"
#include "conf/bus_config.hpp"
#include "ngx.hpp"
#include "sse/buffer.hpp"
#include "sse/short_text.hpp"
#include "worker/loop_event.hpp"

namespace sse {

class Connection {
public:
    // Called from the event loop, never by a function below. Any of these may call any function below. A
    // reply is valid until onReply returns true, or until resume(), open() or close().
    struct Owner {
        void* self;
        void (*onReady)(void* self) noexcept;
        // In the order of the commands. Returning false holds back further replies until resume().
        bool (*onReply)(void* self, const Reply& reply) noexcept;
        // Once for each open(), unless close() comes first. `why` is text for a log, valid during the call.
        void (*onClosed)(void* self, std::string_view why) noexcept;
    };

    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(); }

    // Once, in the worker. `mostReply`: the largest reply that is not refused, in bytes.
    void init(const BusConfig& config, const Owner& owner, size_t mostReply) noexcept;

    // Connects to the next address. Only while the connection is closed.
    void open() noexcept;
    // The owner is not called any more. Does nothing while the connection is closed. A connection that the
    // owner closes soon after it became ready counts as failed.
    void close() noexcept;
    // While this is on, replies stay valid until it is turned off, or the connection is closed.
    void keepReplies(bool isOn) noexcept { reader_->keep(isOn); }

    // Takes effect with the next open(). Only while the connection is closed.
    void setMostReply(size_t mostReply) noexcept { reader_.emplace(mostReply); }
    // The next open() begins with that address.
    void prefer(ngx_uint_t address) noexcept { next_ = address % config_->addresses.size(); }

    // Makes the next attempt now, at that address, instead of waiting any longer. false: it was not waiting.
    bool hurry(ngx_uint_t address) noexcept;

    bool isOpen() const noexcept { return step_ != Step::Closed; }
    bool isReady() const noexcept { return step_ == Step::Ready; }
    // Where it is, or will be, connected: an index into BusConfig::addresses.
    ngx_uint_t address() const noexcept { return address_; }

    // Adds a command to the output, which flush() sends. Without memory the connection fails soon. Only while
    // it is ready.
    void add(std::initializer_list<std::string_view> words) noexcept;
    // For callers that add commands in another way.
    Buffer& output() noexcept { return output_; }
    void flush() noexcept;
    // Bytes that wait to be sent.
    size_t unsent() const noexcept { return output_.size() - sent_; }
    // Bytes that have come, on all connections.
    uint64_t received() const noexcept { return received_; }

    // Call this after onReply has returned false. Replies continue from the event loop, not at once.
    void resume() noexcept;

    // Until the next open(): whether the connection was closed because a reply was larger than `mostReply`,
    // and the id of the stream's entry that was being read then; empty: none.
    bool wasTooLarge() const noexcept { return isTooLarge_; }
    std::string_view tooLargeId() const noexcept { return tooLargeId_.view(); }
    // Whether that entry belongs to the control stream.
    bool wasOfControl() const noexcept { return isOfControl_; }

private:
    enum class Step : uint8_t { Closed, Waiting, Resolving, Connecting, Tls, Greeting, Ready };
    // What is said to a server first, in this order.
    enum class Greeting : uint8_t { Auth, Select, Role };

    static Connection& ownerOf(ngx_event_t* event) noexcept;

    void begin() noexcept;
    void resolve(const BusAddress& address) noexcept;
    void onResolved(ngx_resolver_ctx_t* context) noexcept;
    void connect(std::span<const ngx_addr_t> addresses) noexcept;
    void connectTo(sockaddr* address, socklen_t length) noexcept;
    void onConnected() noexcept;
    void startTls() noexcept;
    void onTls() noexcept;
    bool isNamed(ngx_connection_t* c) const noexcept;

    bool says(Greeting greeting) const noexcept;
    Greeting sayFrom(Greeting greeting) const noexcept;
    void greet() noexcept;
    void onGreeting(const Reply& reply) noexcept;
    void onMaster() noexcept;

    void onRead() noexcept;
    bool handleReplies() noexcept;
    void failToRead(ReplyReader::Next why) noexcept;
    void onWrite() noexcept;
    void dropSent() noexcept;

    void waitFor(Step step) noexcept;
    void onTimer() noexcept;
    void failSoon(const char* why) noexcept;
    void fail(std::string_view why) noexcept;

    const BusConfig* config_ = nullptr;
    Owner owner_{};
    std::optional<ReplyReader> reader_;
    Buffer output_;
    size_t sent_ = 0; // bytes of `output_`
    uint64_t received_ = 0;

    Step step_ = Step::Closed;
    Greeting greeting_ = Greeting::Auth; // the one whose answer comes next
    bool isPaused_ = false;
    const char* broken_ = nullptr; // why it fails soon
    ngx_connection_t* connection_ = nullptr;
    ngx_resolver_ctx_t* resolving_ = nullptr;
    LoopEvent timer_;         // until the next step begins, or until this one has taken too long
    uint64_t life_ = 0;       // counts each open() and close()
    ngx_uint_t next_ = 0;     // address of the next attempt
    ngx_uint_t address_ = 0;  // of this one
    ngx_uint_t failures_ = 0; // in a row
    // For each name, which of its addresses is used: after a failure the next one.
    uint8_t choices_[kMaxRedisAddresses] = {};
    ngx_msec_t readyAt_ = 0;
    ngx_msec_t loudAt_ = 0; // when nginx was last allowed to log that it cannot connect
    ngx_log_t log_{};
    sockaddr_storage peer_{};
    bool isTooLarge_ = false;
    bool isOfControl_ = false;
    ShortText<kMaxStreamIdText> tooLargeId_;
};

} // namespace sse
