#include "bus/connection.hpp"

#include <algorithm>
#include <utility>

#include "bus/command.hpp"
#include "log/assert.hpp"

namespace sse {

namespace {

// The most time that connecting, TLS and the greeting may take each, in milliseconds.
constexpr ngx_msec_t kStepTime = 1000;
// The pause between attempts once all addresses have failed: the first one, and the longest.
constexpr ngx_msec_t kFirstDelay = 50;
constexpr ngx_msec_t kLongestDelay = 1000;
// A connection that was ready for less than this counts as failed.
constexpr ngx_msec_t kSoon = 1000;

// Bytes read at a time, and in one turn of the event loop.
constexpr size_t kPiece = 16 * 1024;
constexpr size_t kMostInATurn = 64 * 1024;
// Fewer sent bytes than this stay at the front of the output.
constexpr size_t kMostSent = 64 * 1024;

char piece[kPiece];

ngx_msec_t delayAfter(ngx_uint_t rounds) noexcept {
    if (rounds == 0) {
        return 0;
    }
    const ngx_msec_t delay = std::min(kFirstDelay << std::min<ngx_uint_t>(rounds - 1, 10), kLongestDelay);
    return delay / 2 + static_cast<ngx_msec_t>(ngx_random()) % (delay / 2 + 1);
}

} // namespace

void Connection::init(const BusConfig& config, const Owner& owner, size_t mostReply) noexcept {
    config_ = &config;
    owner_ = owner;
    reader_.emplace(mostReply);
    timer_.init(this, [](ngx_event_t* e) noexcept { LoopEvent::owner<Connection>(e).onTimer(); });
    log_ = *ngx_cycle->log;
}

// --- The beginning ---

void Connection::open() noexcept {
    SSE_ASSERT(step_ == Step::Closed);
    ++life_;
    isTooLarge_ = false;
    tooLargeId_.clear();
    step_ = Step::Waiting;
    const ngx_msec_t delay = delayAfter(failures_ / config_->addresses.size());
    delay == 0 ? timer_.post() : timer_.wait(delay);
}

bool Connection::hurry(ngx_uint_t address) noexcept {
    if (step_ != Step::Waiting) {
        return false;
    }
    prefer(address);
    timer_.cancel();
    timer_.post();
    return true;
}

// --- Bytes ---

// Reads no more than its share in one turn of the event loop.
void Connection::onRead() noexcept {
    if ((step_ != Step::Greeting && step_ != Step::Ready) || isPaused_) {
        return;
    }
    bool more = handleReplies();
    for (size_t total = 0; more && total < kMostInATurn;) {
        const ssize_t length = connection_->recv(connection_, reinterpret_cast<u_char*>(piece), kPiece);
        if (length == NGX_AGAIN) {
            if (ngx_handle_read_event(connection_->read, 0) != NGX_OK) {
                fail("it cannot be watched");
            }
            return;
        }
        if (length <= 0) {
            return fail(length == 0 ? "the server has closed it" : "it cannot be read");
        }
        if (!reader_->feed({piece, static_cast<size_t>(length)})) {
            return fail("no memory for a reply");
        }
        total += static_cast<size_t>(length);
        received_ += static_cast<size_t>(length);
        more = handleReplies();
    }
    if (more) {
        ngx_post_event(connection_->read, &ngx_posted_next_events);
    }
}

// Returns whether there may be more.
bool Connection::handleReplies() noexcept {
    const uint64_t life = life_;
    while (!isPaused_) {
        const Reply* reply = nullptr;
        const ReplyReader::Next next = reader_->next(reply);
        if (next == ReplyReader::Next::Incomplete) {
            return true;
        }
        if (next != ReplyReader::Next::Reply) {
            failToRead(next);
            return false;
        }
        if (step_ == Step::Greeting) {
            onGreeting(*reply);
        } else if (!owner_.onReply(owner_.self, *reply) && life_ == life) {
            isPaused_ = true;
        }
        if (life_ != life) {
            return false;
        }
    }
    return false;
}

void Connection::failToRead(ReplyReader::Next why) noexcept {
    switch (why) {
    case ReplyReader::Next::TooLarge:
        isTooLarge_ = true;
        tooLargeId_.append(reader_->lastId());
        isOfControl_ = reader_->lastStream() == toView(config_->controlKey);
        return fail("a reply is too large");
    case ReplyReader::Next::NoMemory:
        return fail("no memory for a reply");
    default:
        return fail("a reply is not as Redis writes it");
    }
}

void Connection::resume() noexcept {
    if (isPaused_) {
        isPaused_ = false;
        ngx_post_event(connection_->read, &ngx_posted_events);
    }
}

void Connection::add(std::initializer_list<std::string_view> words) noexcept {
    if (!addCommand(output_, {words.begin(), words.size()})) {
        failSoon("no memory for a command");
    }
}

void Connection::onWrite() noexcept {
    if (step_ == Step::Connecting) {
        onConnected();
    } else if (step_ == Step::Greeting || step_ == Step::Ready) {
        flush();
    }
}

// An error is reported from the event loop.
void Connection::flush() noexcept {
    if (connection_ == nullptr) {
        return;
    }
    while (unsent() != 0) {
        auto* from = reinterpret_cast<u_char*>(output_.data()) + sent_;
        const ssize_t length = connection_->send(connection_, from, unsent());
        if (length == NGX_AGAIN || length == 0) {
            break;
        }
        if (length < 0) {
            return failSoon("it cannot be written");
        }
        sent_ += static_cast<size_t>(length);
    }
    if (unsent() == 0) {
        output_.clear();
        sent_ = 0;
    } else {
        dropSent();
    }
    if (ngx_handle_write_event(connection_->write, 0) != NGX_OK) {
        failSoon("it cannot be watched");
    }
}

void Connection::dropSent() noexcept {
    if (sent_ >= kMostSent && sent_ >= unsent()) {
        output_.dropFront(sent_);
        sent_ = 0;
    }
}

// --- The end ---

void Connection::waitFor(Step step) noexcept {
    step_ = step;
    timer_.cancel();
    timer_.wait(kStepTime);
}

void Connection::failSoon(const char* why) noexcept {
    broken_ = why;
    timer_.cancel();
    timer_.post();
}

void Connection::onTimer() noexcept {
    if (broken_ != nullptr) {
        return fail(broken_);
    }
    switch (step_) {
    case Step::Waiting:
        return begin();
    case Step::Connecting:
        return fail("no connection in time");
    case Step::Tls:
        return fail("no TLS handshake in time");
    case Step::Greeting:
        return fail("no answer in time");
    default:
        return;
    }
}

// The text may be a view of a reply, which goes away with the connection.
void Connection::fail(std::string_view why) noexcept {
    const ShortText<200> text(why);
    close();
    owner_.onClosed(owner_.self, text.view());
}

// nginx-internal: event/ngx_event_openssl.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): with both flags
// ngx_ssl_shutdown() sends nothing and frees at once what TLS has allocated.
void Connection::close() noexcept {
    if (step_ == Step::Closed) {
        return;
    }
    const bool hasLasted = step_ == Step::Ready && ngx_current_msec - readyAt_ >= kSoon;
    failures_ = hasLasted ? 1 : failures_ + 1;
    choices_[address_] += hasLasted ? 0 : 1;
    next_ = (address_ + 1) % config_->addresses.size();

    ++life_;
    step_ = Step::Closed;
    isPaused_ = false;
    broken_ = nullptr;
    timer_.cancel();
    if (resolving_ != nullptr) {
        ngx_resolve_name_done(std::exchange(resolving_, nullptr));
    }
    if (connection_ != nullptr) {
        ngx_connection_t* c = std::exchange(connection_, nullptr);
#if (NGX_SSL)
        if (c->ssl != nullptr) {
            c->ssl->no_wait_shutdown = c->ssl->no_send_shutdown = 1;
            ngx_ssl_shutdown(c);
        }
#endif
        ngx_pool_t* pool = c->pool;
        ngx_close_connection(c);
        if (pool != nullptr) {
            ngx_destroy_pool(pool);
        }
    }
    reader_->reset();
    output_.reset();
    sent_ = 0;
}

} // namespace sse
