// The load generator: subscribers, publishers and a look at a file, for whatever server publishes events over
// HTTP.
//
//   load PORT SUBSCRIBE-PATH PUBLISH-PATH [PUBLISH-HEADERS]
//
// It takes commands from its standard input, one a line (a word, then name=value pairs), and answers each
// with a line: "ok" and what was measured, or "error" and why. Every event that any subscriber gets is
// checked, see ledger.hpp: whatever is lost, doubled or out of order is an error. Those of "follow" are
// counted only. Times are in nanoseconds.
#include <sched.h>

#include <algorithm>
#include <cinttypes>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>

#include "crowd.hpp"
#include "followers.hpp"
#include "lines.hpp"
#include "patience.hpp"
#include "probe.hpp"
#include "publishers.hpp"

namespace bench {

namespace {

class Options {
public:
    explicit Options(std::istringstream& words) {
        for (std::string word; words >> word;) {
            const size_t equals = word.find('=');
            if (equals == std::string::npos) {
                die("\"%s\" is no option", word.c_str());
            }
            values_[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }
    std::string text(const char* name, const char* otherwise = "") const {
        const auto found = values_.find(name);
        return found == values_.end() ? otherwise : found->second;
    }
    double real(const char* name, double otherwise) const {
        const auto found = values_.find(name);
        return found == values_.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
    }
    uint32_t number(const char* name, uint32_t otherwise) const {
        return static_cast<uint32_t>(real(name, otherwise));
    }

private:
    std::map<std::string, std::string> values_;
};

class Session {
public:
    explicit Session(Target target) : target_(std::move(target)) {}

    bool obey(const std::string& line) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        const Options options(words);
        for (const Command& command : kCommands) {
            if (name == command.name) {
                (this->*command.run)(options);
                std::fflush(stdout);
                return true;
            }
        }
        return false;
    }

private:
    // subscribe count= channels= window= from= client=
    void subscribe(const Options& options) {
        crowd_.setClient(clientNamed(options.text("client", "bare")));
        const uint64_t start = now();
        crowd_.open(options.number("count", 1), options.number("channels", 1), options.number("window", 256),
                    options.number("from", 0));
        std::printf("ok nanoseconds=%" PRIu64 "\n", now() - start);
    }

    void disconnect(const Options&) {
        crowd_.disconnect();
        std::puts("ok");
    }

    // reconnect window= seconds=: with cursors, until everybody has got what it has missed, but no longer
    // than that
    void reconnect(const Options& options) {
        const uint64_t start = now();
        const uint64_t before = ledger_.delivered();
        const double limit = options.real("seconds", 0);
        crowd_.reconnect(options.number("window", 256));
        crowd_.awaitEvents(limit > 0 ? start + static_cast<uint64_t>(limit * 1e9) : UINT64_MAX);
        std::printf("ok nanoseconds=%" PRIu64 " delivered=%" PRIu64 "\n", now() - start,
                    ledger_.delivered() - before);
    }

    // publish, with the names of Plan
    void publish(const Options& options) {
        Plan plan;
        plan.count = options.number("count", plan.count);
        plan.seconds = options.real("seconds", plan.seconds);
        plan.size = options.number("size", static_cast<uint32_t>(plan.size));
        plan.connections = options.number("connections", plan.connections);
        plan.pipelined = options.number("pipelined", plan.pipelined);
        plan.channels = options.number("channels", plan.channels);
        plan.rate = options.real("rate", plan.rate);
        plan.wait = options.number("wait", 0) != 0;
        const std::string worker = options.text("worker");
        plan.worker = worker == "same"    ? Plan::Worker::Same
                      : worker == "other" ? Plan::Worker::Other
                                          : Plan::Worker::Any;
        const uint64_t before = ledger_.delivered();
        ledger_.record();
        const Publishers::Result result = publishers_.run(plan);
        std::printf("ok published=%" PRIu64 " delivered=%" PRIu64 " nanoseconds=%" PRIu64 " start=%" PRIu64,
                    result.published, ledger_.delivered() - before, result.nanoseconds, result.start);
        printTimes(ledger_.latencies());
    }

    // receive count= size=: what another process publishes to channel 0, with the same numbers
    void receive(const Options& options) {
        crowd_.expectSize(options.number("size", 100));
        for (uint32_t count = options.number("count", 1); count > 0; count--) {
            ledger_.publish(0, 0, crowd_.subscribersOf(0));
        }
        crowd_.awaitEvents();
        std::printf("ok last=%" PRIu64 "\n", ledger_.lastAt());
    }

    // lines path= count= size=
    void lines(const Options& options) {
        const uint64_t start = now();
        sendLines(options);
        lines_->finish();
        std::printf("ok nanoseconds=%" PRIu64 "\n", now() - start);
    }

    // upload path= count= size=: the same without its end
    void upload(const Options& options) {
        sendLines(options);
        std::puts("ok");
    }

    // finish: the end of upload
    void finish(const Options&) {
        const uint64_t start = now();
        lines_->finish();
        std::printf("ok nanoseconds=%" PRIu64 "\n", now() - start);
    }

    // follow cursor= count= events= worker=: that many streams, until each has that many events; or one of
    // that worker
    void follow(const Options& options) {
        const std::string worker = options.text("worker");
        do {
            followers_.open(
                target_.port,
                subscribeRequest(expand(target_.subscribe, 0), Client::Bare, options.text("cursor")),
                options.number("count", 1));
            followers_.read(0);
        } while (!worker.empty() && followers_.all()[0]->worker() != worker);
        read(options);
    }

    // read events=: goes on with the streams of follow
    void read(const Options& options) {
        const uint64_t start = now();
        followers_.read(options.number("events", 0));
        const uint64_t time = now() - start;
        uint64_t events = 0;
        uint64_t gaps = 0;
        uint64_t bytes = 0;
        std::vector<uint64_t> times;
        for (const auto& one : followers_.all()) {
            events += one->events();
            gaps += one->gaps();
            bytes += one->bytes();
            times.push_back(one->untilFirst());
        }
        std::printf("ok events=%" PRIu64 " gaps=%" PRIu64 " bytes=%" PRIu64 " nanoseconds=%" PRIu64, events,
                    gaps, bytes, time);
        printTimes(times);
    }

    // leave: without the streams of follow
    void leave(const Options&) {
        followers_.close();
        std::puts("ok");
    }

    // hurry: the time that this process waits for a processor is not what is asked for. Only root may say so.
    void hurry(const Options&) {
        const sched_param priority = {1};
        sched_setscheduler(0, SCHED_FIFO, &priority);
        std::puts("ok");
    }

    // probe path= method= cursor= body= rate= seconds= worker= refusal=, see Probing
    void probe(const Options& options) {
        std::string request = options.text("method", "GET") + " " + expand(options.text("path", "/"), 0) +
                              " HTTP/1.1\r\nHost: localhost\r\n";
        if (const std::string cursor = options.text("cursor"); !cursor.empty()) {
            request += "Last-Event-ID: " + cursor + "\r\n";
        }
        const std::string body = options.text("body");
        if (!body.empty()) {
            request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        }
        Answers answers = probe_.run({.request = request + "\r\n" + body,
                                      .rate = options.real("rate", 100),
                                      .seconds = options.real("seconds", 1),
                                      .worker = options.text("worker"),
                                      .refusal = static_cast<int>(options.number("refusal", 0))});
        std::printf("ok requests=%zu refused=%" PRIu64, answers.times.size(), answers.refused);
        printTimes(answers.times);
    }

    // Reads until nothing more comes: what is there and should not be is an error.
    void settle(const Options&) {
        for (uint64_t until = now() + kTurn; now() < until;) {
            loop_.turn(until);
        }
        std::puts("ok");
    }

    void sendLines(const Options& options) {
        lines_.emplace(loop_, target_.port, options.number("count", 1), options.number("size", 100));
        lines_->send(expand(options.text("path"), 0));
    }

    static void printTimes(std::vector<uint64_t>& times) {
        std::sort(times.begin(), times.end());
        const auto at = [&](double part) {
            return times.empty() ? 0
                                 : times[static_cast<size_t>(part * static_cast<double>(times.size() - 1))];
        };
        std::printf(" p50=%" PRIu64 " p99=%" PRIu64 " max=%" PRIu64 "\n", at(0.5), at(0.99), at(1));
    }

    struct Command {
        const char* name;
        void (Session::*run)(const Options&);
    };
    static const Command kCommands[14];

    Target target_;
    Loop loop_;
    Ledger ledger_;
    Crowd crowd_{loop_, target_, ledger_};
    Followers followers_{loop_};
    std::optional<Lines> lines_;
    Probe probe_{loop_, target_.port};
    Publishers publishers_{loop_, target_, ledger_, crowd_};
};

const Session::Command Session::kCommands[] = {
    {"subscribe", &Session::subscribe}, {"disconnect", &Session::disconnect},
    {"reconnect", &Session::reconnect}, {"publish", &Session::publish},
    {"receive", &Session::receive},     {"lines", &Session::lines},
    {"follow", &Session::follow},       {"read", &Session::read},
    {"leave", &Session::leave},         {"hurry", &Session::hurry},
    {"probe", &Session::probe},         {"settle", &Session::settle},
    {"upload", &Session::upload},       {"finish", &Session::finish},
};

} // namespace

} // namespace bench

int main(int argc, char** argv) {
    if (argc < 4) {
        bench::die("usage: load PORT SUBSCRIBE-PATH PUBLISH-PATH [PUBLISH-HEADERS]");
    }
    const auto port = static_cast<uint16_t>(std::atoi(argv[1]));
    bench::Session session({port, argv[2], argv[3], argc > 4 ? argv[4] : ""});
    for (std::string line; std::getline(std::cin, line);) {
        if (!session.obey(line)) {
            bench::die("\"%s\" is no command", line.c_str());
        }
    }
}
