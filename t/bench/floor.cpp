// The floor: what it costs a server to write once per subscriber and event, and to do nothing else. One epoll
// loop; no history, no limits, no checks. `GET PATH` subscribes to the channel PATH and `POST PATH` publishes
// to it. Who has been sent nothing for so many seconds is sent a heartbeat.
//
//   floor PORT [SECONDS]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

struct Connection;
using Channel = std::vector<Connection*>;
using Silent = std::list<Connection*>;

struct Connection {
    int fd;
    Channel* channel = nullptr; // that it is subscribed to
    size_t place = 0;           // in that channel
    std::string in = {};        // of a request that has not come whole
    std::string out = {};       // what the socket had no room for
    uint64_t lastSent = 0;      // with heartbeats
    Silent::iterator silence = {};
};

int epoll;
std::unordered_map<std::string, Channel> channels;
uint64_t published;
uint64_t heartbeat; // milliseconds; 0: none
Silent silent;      // all subscribers, if there are heartbeats, the longest silent first

uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1'000'000;
}

void watch(Connection& connection, int operation, uint32_t events) {
    epoll_event event = {events, {&connection}};
    epoll_ctl(epoll, operation, connection.fd, &event);
}

void noteSent(Connection& to) {
    to.lastSent = now();
    silent.splice(silent.end(), silent, to.silence);
}

void write(Connection& to, std::string_view bytes) {
    if (heartbeat != 0 && to.channel != nullptr) {
        noteSent(to);
    }
    ssize_t count = 0;
    if (to.out.empty()) {
        count = send(to.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    const size_t done = count > 0 ? static_cast<size_t>(count) : 0;
    if (done < bytes.size()) {
        to.out += bytes.substr(done);
        watch(to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

void flush(Connection& to) {
    const std::string rest = std::move(to.out);
    to.out.clear();
    watch(to, EPOLL_CTL_MOD, EPOLLIN);
    write(to, rest);
}

std::string chunk(std::string_view text) {
    char size[20];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return std::string(size, static_cast<size_t>(length)).append(text).append("\r\n");
}

void subscribe(Connection& connection, const std::string& path) {
    connection.channel = &channels[path];
    connection.place = connection.channel->size();
    connection.channel->push_back(&connection);
    if (heartbeat != 0) {
        connection.silence = silent.insert(silent.end(), &connection);
    }
    write(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n" +
                          chunk(":\n\n"));
}

// To all who are due; returns how long to wait for the next, in milliseconds.
int sendHeartbeats() {
    static const std::string text = chunk(":\n\n");
    for (const uint64_t time = now(); !silent.empty(); write(*silent.front(), text)) {
        const uint64_t due = silent.front()->lastSent + heartbeat;
        if (due > time) {
            return static_cast<int>(due - time);
        }
    }
    return -1;
}

void publish(Connection& from, const std::string& path, std::string_view body) {
    std::string event = "id: 1700000000000-" + std::to_string(published++) + "\ndata: ";
    event = chunk(event.append(body).append("\n\n"));
    for (Connection* subscriber : channels[path]) {
        write(*subscriber, event);
    }
    write(from, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
}

// Takes one request off what has come in; false if it is not whole.
bool takeRequest(Connection& connection) {
    std::string& in = connection.in;
    const size_t head = in.find("\r\n\r\n");
    if (head == std::string::npos) {
        return false;
    }
    const size_t header = in.find("\r\nContent-Length: ");
    const size_t length = header < head ? std::strtoul(in.c_str() + header + 18, nullptr, 10) : 0;
    if (in.size() < head + 4 + length) {
        return false;
    }
    const size_t start = in.find(' ') + 1;
    const std::string path = in.substr(start, in.find(' ', start) - start);
    if (in.starts_with("POST")) {
        publish(connection, path, std::string_view(in).substr(head + 4, length));
    } else {
        subscribe(connection, path);
    }
    in.erase(0, head + 4 + length);
    return true;
}

void leave(Connection* connection) {
    if (connection->channel) {
        Channel& channel = *connection->channel;
        channel[connection->place] = channel.back();
        channel[connection->place]->place = connection->place;
        channel.pop_back();
        if (heartbeat != 0) {
            silent.erase(connection->silence);
        }
    }
    close(connection->fd);
    delete connection;
}

void read(Connection* connection) {
    char buffer[32 * 1024];
    const ssize_t count = recv(connection->fd, buffer, sizeof buffer, 0);
    if (count <= 0) {
        leave(connection);
        return;
    }
    connection->in.append(buffer, static_cast<size_t>(count));
    while (takeRequest(*connection)) {
    }
}

void acceptAll(int listener) {
    const int on = 1;
    for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(*new Connection{fd}, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int listenOn(uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
        std::perror("floor");
        std::exit(1);
    }
    return fd;
}

} // namespace

int main(int argc, char** argv) {
    heartbeat = argc > 2 ? std::strtoul(argv[2], nullptr, 10) * 1000 : 0;
    Connection listener = {listenOn(static_cast<uint16_t>(std::atoi(argv[1])))};
    epoll = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (epoll_event events[512];;) {
        const int count = epoll_wait(epoll, events, 512, sendHeartbeats());
        for (int i = 0; i < count; i++) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (connection == &listener) {
                acceptAll(listener.fd);
            } else if (events[i].events & EPOLLOUT) {
                flush(*connection);
            } else {
                read(connection);
            }
        }
    }
}
