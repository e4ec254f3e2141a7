// A connection to the Redis server that is the master, as nginx's event loop has it: names, sockets and TLS
// are nginx's, the protocol is hiredis'.
//
// The addresses are tried in turn, the next one after each failure, at once and then ever later (50 ms to
// 1 s, with jitter). A connection is ready once the server has let us in and says that it is a master. It
// never keeps a leaving worker alive, and is nothing that nginx reports when the worker exits.
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
    // Called from the event loop, never by a function below. Any of these may call any function below; the
    // reply is valid until onReply returns true, resume(), open() or close().
    struct Owner {
        void* self;
        void (*onReady)(void* self) noexcept;
        // In the order of the commands. false: no more replies until resume().
        bool (*onReply)(void* self, const Reply& reply) noexcept;
        // Once for each open(), unless close() comes first. `why` is text for a log, valid for the call.
        void (*onClosed)(void* self, std::string_view why) noexcept;
    };

    Connection() = default;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(); }

    // Once, in the worker. `mostReply`: bytes of a reply that is not refused.
    void init(const BusConfig& config, const Owner& owner, size_t mostReply) noexcept;

    // Connects to the next address. Only while it is closed.
    void open() noexcept;
    // Nothing is called any more. Does nothing while it is closed. What the owner closes soon after it was
    // ready counts as a failure.
    void close() noexcept;
    // While this is on, replies stay valid until it is turned off, or the connection is closed.
    void keepReplies(bool isOn) noexcept { reader_->keep(isOn); }

    // From the next open() on. Only while it is closed.
    void setMostReply(size_t mostReply) noexcept { reader_.emplace(mostReply); }
    // The next open() begins with that address.
    void prefer(ngx_uint_t address) noexcept { next_ = address % config_->addresses.size(); }

    // Does not wait any longer before the next attempt, at that address. false: it does not wait.
    bool hurry(ngx_uint_t address) noexcept;

    bool isOpen() const noexcept { return step_ != Step::Closed; }
    bool isReady() const noexcept { return step_ == Step::Ready; }
    // Where it is, or will be, connected: an index of BusConfig::addresses.
    ngx_uint_t address() const noexcept { return address_; }

    // Adds a command to the output, which is sent by flush(). Without memory the connection fails soon. Only
    // while it is ready.
    void add(std::initializer_list<std::string_view> words) noexcept;
    // For who adds commands another way.
    Buffer& output() noexcept { return output_; }
    void flush() noexcept;
    // Bytes that wait to be sent.
    size_t unsent() const noexcept { return output_.size() - sent_; }
    // Bytes that have come, on all connections.
    uint64_t received() const noexcept { return received_; }

    // After onReply has returned false. Goes on from the event loop, not at once.
    void resume() noexcept;

    // Until the next open(): whether it has been closed because of a reply larger than `mostReply`, and the
    // id of the stream's entry that was being read then; empty: none was.
    bool wasTooLarge() const noexcept { return isTooLarge_; }
    std::string_view tooLargeId() const noexcept { return tooLargeId_.view(); }
    // Whether that entry is one of the control stream.
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
    Greeting greeting_ = Greeting::Auth; // whose answer comes next
    bool isPaused_ = false;
    const char* broken_ = nullptr; // why it fails soon
    ngx_connection_t* connection_ = nullptr;
    ngx_resolver_ctx_t* resolving_ = nullptr;
    LoopEvent timer_;         // until the next step begins, or for the most that this one may take
    uint64_t life_ = 0;       // counts what open() and close() begin and end
    ngx_uint_t next_ = 0;     // address of the next attempt
    ngx_uint_t address_ = 0;  // of this one
    ngx_uint_t failures_ = 0; // in a row
    // Which of the addresses that a name has is used: the next one after each failure.
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
