// What nginx has read of a body so far, piece by piece, from memory or from a file.
#pragma once

#include "ngx.hpp"
#include "sse/buffer.hpp"

namespace sse {

class BodyPieces {
public:
    enum class Next { Piece, End, Failed };

    // The next piece of request_body->bufs, of at most `most` bytes (at least 1); it is valid until the next
    // call, and for as long as `block`, which receives what is in a file. After End it starts again, with
    // what nginx reads next.
    Next next(const ngx_http_request_t& r, size_t most, Buffer& block, std::string_view& piece) noexcept;

    // Whether all of what has been read has been taken.
    bool allTaken() noexcept;

    // Returns the buffers, all of which have been taken, so that nginx can fill them again.
    //
    // nginx-internal: http/ngx_http_request_body.c (1.22.1, 1.26.3, 1.30.4, 1.31.4): a buffer whose `pos` is
    // at its end is used again.
    static void release(ngx_http_request_t* r) noexcept;

private:
    ngx_chain_t* link_ = nullptr; // the current buffer, and where to continue in it
    off_t offset_ = 0;
    bool inBuffers_ = false;
};

} // namespace sse
