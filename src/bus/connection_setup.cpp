// Sets up a connection, from the name of a server until the server has accepted the greeting: addresses, the
// socket, TLS, the greeting.
#include <algorithm>
#include <cstring>

#include "bus/connection.hpp"

namespace sse {

namespace {

// The most time that resolving a name may take: another server may be known by its address.
constexpr ngx_msec_t kResolveTime = 3000;
// How often nginx may log what it notices about a server that cannot be reached.
constexpr ngx_msec_t kQuietTime = 10'000;

const char* errorText(ngx_err_t error, char (&room)[NGX_MAX_ERROR_STR]) noexcept {
    *ngx_strerror(error, reinterpret_cast<u_char*>(room), sizeof(room) - 1) = '\0';
    return room;
}

} // namespace

void Connection::begin() noexcept {
    address_ = next_;
    const bool isLoud = loudAt_ == 0 || ngx_current_msec - loudAt_ >= kQuietTime;
    loudAt_ = isLoud ? ngx_current_msec : loudAt_;
    log_ = *ngx_cycle->log;
    log_.log_level = isLoud ? log_.log_level : std::min<ngx_uint_t>(log_.log_level, NGX_LOG_ALERT);

    const BusAddress& address = config_->addresses[address_];
    if (address.isName && config_->resolver != nullptr) {
        resolve(address);
    } else {
        connect(address.addresses);
    }
}

// nginx-internal: core/ngx_resolver.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a result that is already known is
// reported before ngx_resolve_name() returns; after an error the context is gone.
void Connection::resolve(const BusAddress& address) noexcept {
    step_ = Step::Resolving;
    ngx_resolver_ctx_t* context = ngx_resolve_start(config_->resolver, nullptr);
    if (context == nullptr || context == NGX_NO_RESOLVER) {
        return fail("no memory to resolve the name");
    }
    context->name = address.host;
    context->data = this;
    context->timeout = std::min(config_->resolverTimeout, kResolveTime);
    context->cancelable = 1;
    context->handler = [](ngx_resolver_ctx_t* resolved) noexcept {
        static_cast<Connection*>(resolved->data)->onResolved(resolved);
    };
    resolving_ = context;
    const uint64_t life = life_;
    if (ngx_resolve_name(context) != NGX_OK && life_ == life) {
        resolving_ = nullptr;
        fail("the name cannot be resolved");
    }
}

// The result is gone after ngx_resolve_name_done().
void Connection::onResolved(ngx_resolver_ctx_t* context) noexcept {
    resolving_ = nullptr;
    if (context->state != NGX_OK || context->naddrs == 0) {
        ShortText<200> why("the name cannot be resolved: ");
        why.append(ngx_resolver_strerror(context->state));
        ngx_resolve_name_done(context);
        return fail(why.view());
    }
    const ngx_resolver_addr_t& found = context->addrs[choices_[address_] % context->naddrs];
    const socklen_t length = found.socklen;
    std::memcpy(&peer_, found.sockaddr, length);
    ngx_resolve_name_done(context);
    auto* peer = reinterpret_cast<sockaddr*>(&peer_);
    ngx_inet_set_port(peer, config_->addresses[address_].port);
    connectTo(peer, length);
}

void Connection::connect(std::span<const ngx_addr_t> addresses) noexcept {
    if (addresses.empty()) {
        return fail("the name has no address");
    }
    const ngx_addr_t& chosen = addresses[choices_[address_] % addresses.size()];
    std::memcpy(&peer_, chosen.sockaddr, chosen.socklen);
    connectTo(reinterpret_cast<sockaddr*>(&peer_), chosen.socklen);
}

// nginx-internal: os/unix/ngx_process_cycle.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a connection that is a
// `channel` is not reported when a worker exits with it (ngx_worker_process_exit), and is left alone by
// worker_shutdown_timeout.
void Connection::connectTo(sockaddr* address, socklen_t length) noexcept {
    ngx_str_t name = config_->addresses[address_].text;
    ngx_peer_connection_t peer{};
    peer.sockaddr = address;
    peer.socklen = length;
    peer.name = &name;
    peer.get = ngx_event_get_peer;
    peer.log = &log_;
    peer.log_error = NGX_ERROR_ERR;
    peer.so_keepalive = 1;

    const ngx_int_t rc = ngx_event_connect_peer(&peer);
    if (rc != NGX_OK && rc != NGX_AGAIN) {
        char room[NGX_MAX_ERROR_STR];
        return fail(rc == NGX_DECLINED ? errorText(ngx_socket_errno, room) : "there is no free connection");
    }
    connection_ = peer.connection;
    connection_->data = this;
    connection_->read->channel = connection_->write->channel = 1;
    connection_->read->handler = [](ngx_event_t* e) noexcept { ownerOf(e).onRead(); };
    connection_->write->handler = [](ngx_event_t* e) noexcept { ownerOf(e).onWrite(); };
    waitFor(Step::Connecting);
    if (rc == NGX_OK) {
        onConnected();
    }
}

Connection& Connection::ownerOf(ngx_event_t* event) noexcept {
    return *static_cast<Connection*>(static_cast<ngx_connection_t*>(event->data)->data);
}

void Connection::onConnected() noexcept {
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(connection_->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) {
        error = ngx_socket_errno;
    }
    if (error != 0) {
        char room[NGX_MAX_ERROR_STR];
        return fail(errorText(error, room));
    }
    if (connection_->tcp_nodelay == NGX_TCP_NODELAY_UNSET) {
        ngx_tcp_nodelay(connection_);
    }
    config_->ssl == nullptr ? greet() : startTls();
}

#if (NGX_SSL)

// nginx-internal: event/ngx_event_openssl.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): ngx_ssl_handshake() puts its
// own handlers in the place of ours, and then calls ssl->handler.
void Connection::startTls() noexcept {
    ngx_connection_t* c = connection_;
    const BusAddress& address = config_->addresses[address_];
    c->pool = ngx_create_pool(NGX_MIN_POOL_SIZE, &log_);
    if (c->pool == nullptr || ngx_ssl_create_connection(config_->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return fail("no memory for TLS");
    }
    // The output moves when it grows.
    SSL_set_mode(c->ssl->connection, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    const ngx_str_t& name = config_->serverName.len != 0 ? config_->serverName : address.host;
    if ((config_->serverName.len != 0 || address.isName) &&
        SSL_set_tlsext_host_name(c->ssl->connection, reinterpret_cast<char*>(name.data)) == 0) {
        return fail("the server's name cannot be sent");
    }
    waitFor(Step::Tls);
    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = [](ngx_connection_t* shaken) noexcept {
            static_cast<Connection*>(shaken->data)->onTls();
        };
        return;
    }
    onTls();
}

void Connection::onTls() noexcept {
    ngx_connection_t* c = connection_;
    if (c->ssl == nullptr || !c->ssl->handshaked) {
        return fail("the TLS handshake failed");
    }
    if (config_->verifies) {
        const long result = SSL_get_verify_result(c->ssl->connection);
        if (result != X509_V_OK) {
            ShortText<200> why("the server's certificate is not to be trusted: ");
            why.append(X509_verify_cert_error_string(result));
            return fail(why.view());
        }
        if (!isNamed(c)) {
            return fail("the server's certificate is for another name");
        }
    }
    c->read->handler = [](ngx_event_t* e) noexcept { ownerOf(e).onRead(); };
    c->write->handler = [](ngx_event_t* e) noexcept { ownerOf(e).onWrite(); };
    greet();
}

// Whether the certificate is that of the server that is meant.
bool Connection::isNamed(ngx_connection_t* c) const noexcept {
    const BusAddress& address = config_->addresses[address_];
    ngx_str_t name = config_->serverName.len != 0 ? config_->serverName : address.host;
    if (config_->serverName.len != 0 || address.isName) {
        return ngx_ssl_check_host(c, &name) == NGX_OK;
    }
    X509* certificate = SSL_get_peer_certificate(c->ssl->connection);
    const bool isMeant =
        certificate != nullptr && X509_check_ip_asc(certificate, reinterpret_cast<char*>(name.data), 0) == 1;
    X509_free(certificate);
    return isMeant;
}

#else

void Connection::startTls() noexcept {
    fail("this nginx has no TLS");
}

#endif

// --- The greeting ---

bool Connection::says(Greeting greeting) const noexcept {
    switch (greeting) {
    case Greeting::Auth:
        return config_->password.len != 0;
    case Greeting::Select:
        return config_->database != 0;
    default:
        return true;
    }
}

Connection::Greeting Connection::sayFrom(Greeting greeting) const noexcept {
    while (!says(greeting)) {
        greeting = static_cast<Greeting>(static_cast<int>(greeting) + 1);
    }
    return greeting;
}

// Sends the whole greeting at once: a server that does not admit us refuses the rest, too.
void Connection::greet() noexcept {
    waitFor(Step::Greeting);
    const std::string_view password = toView(config_->password);
    const std::string_view user = toView(config_->user);
    u_char room[NGX_INT_T_LEN];
    const std::string_view database(reinterpret_cast<char*>(room),
                                    static_cast<size_t>(ngx_sprintf(room, "%ui", config_->database) - room));

    if (says(Greeting::Auth)) {
        user.empty() ? add({"AUTH", password}) : add({"AUTH", user, password});
    }
    if (says(Greeting::Select)) {
        add({"SELECT", database});
    }
    add({"ROLE"});
    greeting_ = sayFrom(Greeting::Auth);
    flush();
}

// A server that does not know AUTH repeats what it was given in its error, and the error is logged.
void Connection::onGreeting(const Reply& reply) noexcept {
    if (reply.is(Reply::Type::Error)) {
        const bool tellsPassword = greeting_ == Greeting::Auth &&
                                   reply.text.find(toView(config_->password)) != std::string_view::npos;
        return fail(tellsPassword ? "the server does not take the password" : reply.text);
    }
    if (greeting_ == Greeting::Role) {
        const Reply* role = reply.at(0);
        return role != nullptr && role->text == "master" ? onMaster() : fail("the server is no master");
    }
    greeting_ = sayFrom(static_cast<Greeting>(static_cast<int>(greeting_) + 1));
}

void Connection::onMaster() noexcept {
    timer_.cancel();
    step_ = Step::Ready;
    readyAt_ = ngx_current_msec;
    loudAt_ = 0;
    log_.log_level = ngx_cycle->log->log_level;
    owner_.onReady(owner_.self);
}

} // namespace sse
