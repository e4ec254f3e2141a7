// A worker's connection for publishing: events become entries of the stream, one after the other, without
// waiting for each reply.
//
//   orders --commands--> flight --XADD, EVALSHA, WAIT--> Redis
//          <--outcomes--        <--replies, or what a search in the stream has found--
//
// It is opened when the worker starts and stays open. After each connect it is set up:
//
//   who we are     CLIENT INFO, so that the next connection can end this one
//   the old one    CLIENT KILL, if something is doubtful: then what Redis still holds of it never runs
//   the life       the lineage must be the one that this machine reads
//   no old ids     the next ids of the stream must be greater than those of our log, or it is raised
//   the script     SCRIPT LOAD
//   the search     XRANGE after the last id that was known, if something is doubtful
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "bus/bus_state.hpp"
#include "bus/connection.hpp"
#include "bus/entry.hpp"
#include "bus/flight.hpp"
#include "bus/idempotency.hpp"
#include "bus/log_pace.hpp"
#include "sse/short_text.hpp"
#include "worker/loop_event.hpp"
#include "worker/work_queue.hpp"

namespace sse {

class Pipeline {
public:
    Pipeline(const BusConfig& config, BusState& state) noexcept;
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline() { stop(); }

    // Once, in a worker: connects.
    void start() noexcept;
    // Call this before the worker exits.
    void stop() noexcept;

    // Whether events are taken. If not, Redis has been away for a while.
    bool isUp() const noexcept;

    enum class Taken {
        Yes,
        Away, // Redis is away; see isUp()
        NoMemory,
    };
    // Hands an event over to each of its channels, or to the usual one. The usual channel ends with it if
    // the flags say so; its own channels do if the event says so.
    Taken publish(Order& order, std::string_view usual, const StagedEvent& event, EntryFlags flags) noexcept;
    // The end of a channel alone.
    Taken end(Order& order, std::string_view channel) noexcept;
    // Asks for the id of the newest entry, which becomes that of the order. 0-0: there is no entry.
    Taken askNewest(Order& order) noexcept;
    // Hands over what becomes visible together, or may come again: Order::record() says what has become of
    // it.
    Taken publishWhole(Order& order, const WholeRequest& request) noexcept;

    // Asks Redis something else. The question gets the answer, or is told that there is none. Returns false,
    // and calls nothing, if Redis is away or there is no memory. If the command writes, its replicas are not
    // waited for (acks).
    bool ask(Question& question, std::span<const std::string_view> words) noexcept;

    // For orders.
    Flight& flight() noexcept { return flight_; }
    // The lineage of the stream, for the ids of its entries.
    uint64_t lineage() const noexcept { return lineage_; }
    // How many replicas are asked for; 0: none.
    ngx_uint_t acks() const noexcept { return config_.acks; }

private:
    enum class Step : uint8_t {
        Closed,
        Identity,
        Kill,
        Lineage,
        Newest,
        Raise,
        Script,
        Search,
        Ready,
        Leaving, // nothing more is sent; set up again when all replies have come
    };
    // A client in Redis' list of clients.
    struct Identity {
        ShortText<20> id;
        ShortText<128> address; // both are empty if they are not known
    };

    bool onReply(const Reply& reply) noexcept;
    void onClosed(std::string_view why) noexcept;

    // Setting up.
    void open() noexcept;
    void setUp() noexcept;
    void send(Step step, std::initializer_list<std::string_view> words) noexcept;
    void onSetUp(const Reply& reply) noexcept;
    void onIdentity(const Reply& reply) noexcept;
    void killOld() noexcept;
    void onKilled(const Reply& reply) noexcept;
    void askLineage() noexcept;
    void onLineage(const Reply& reply) noexcept;
    void askStream() noexcept;
    void onNewest(const Reply& reply) noexcept;
    void raise() noexcept;
    void loadScript() noexcept;
    void onScript(const Reply& reply) noexcept;
    void search() noexcept;
    void onEntries(const Reply& reply) noexcept;
    void lookAt(const Reply& entry) noexcept;
    void beReady() noexcept;

    // Publishing.
    Taken accept(bool isRendered, Flight::Command command) noexcept;
    void flush() noexcept;
    bool addWait() noexcept;
    bool addRaise() noexcept;
    void onAnswer(const Reply& reply) noexcept;
    void onEventAnswer(uint64_t number, const Reply& reply) noexcept;
    void onWholeAnswer(uint64_t number, const Reply& reply) noexcept;
    void onWaitAnswer(uint64_t number, const Reply& reply) noexcept;
    bool reaches(StreamId id) const noexcept;
    void noteAccepted(StreamId id) noexcept;
    void refuse(uint64_t number, Failure failure, const Reply& reply) noexcept;
    void leaveAtOnce() noexcept;
    void leave(bool mustReconnect) noexcept;
    void finishLeaving() noexcept;

    // Time.
    void tick() noexcept;
    void progress() noexcept;
    void report() noexcept;
    void reconnect(std::string_view why) noexcept;
    void onLost() noexcept;
    void hurry() noexcept;
    bool isAway() const noexcept;
    bool isSilentFor(ngx_msec_t time) const noexcept;
    ngx_msec_t waitTime() const noexcept;
    void log(const char* what, std::string_view text) noexcept;
    void logLost(const char* what, std::string_view why) noexcept;

    // The largest reply is a page of the search, of kPage entries, unless other programs have added large
    // ones.
    static constexpr size_t kMostReply = 16 * 1024 * 1024;
    static constexpr size_t kPage = 100;

    const BusConfig& config_;
    BusState& state_;
    Connection connection_;
    Flight flight_;

    LoopEvent flushing_;
    LoopEvent tick_;
    Task progress_; // tells orders
    bool isStarted_ = false;

    Step step_ = Step::Closed;
    bool isAsked_ = false;       // setting up: a reply is to come
    bool mustReconnect_ = false; // Leaving
    ngx_msec_t downSince_ = 0;   // unless Ready
    ngx_msec_t hurriedFor_ = 0;  // the BusState::connectedAt for which an attempt was last made at once
    ngx_msec_t heardAt_ = 0;     // when a reply last came, or the first of those to come was asked for

    Identity identity_; // of this connection
    Identity sender_;   // of the last connection on which events were sent
    bool mayRepeat_ = false;
    uint64_t lineage_ = 0;
    size_t mostReply_ = 0;
    StreamId expected_; // the newest id that our log had before the stream was asked for more
    StreamId newest_;   // the newest id of the stream, after the old connection has been ended
    int raises_ = 0;
    ShortText<kScriptName> script_; // its name

    ShortText<16> tokenPrefix_;
    StreamId since_;    // no entry up to here belongs to a command on its way
    StreamId searched_; // nor up to here
    StreamId accepted_; // the newest that is in the stream, whether replicas have it or not
    size_t page_ = 0;   // how many entries are searched at a time
    Flight::Tally reported_;
    time_t logged_ = 0; // the second of the last message
    LogPace pace_;      // for messages that there is no connection
};

} // namespace sse
