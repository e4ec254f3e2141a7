#include "publish/body_pieces.hpp"

#include <algorithm>

namespace sse {

BodyPieces::Next BodyPieces::next(const ngx_http_request_t& r, size_t most, Buffer& block,
                                  std::string_view& piece) noexcept {
    if (!inBuffers_) {
        link_ = r.request_body == nullptr ? nullptr : r.request_body->bufs;
        offset_ = 0;
        inBuffers_ = true;
    }
    if (allTaken()) {
        inBuffers_ = false;
        return Next::End;
    }
    const ngx_buf_t& buffer = *link_->buf;
    auto length =
        static_cast<size_t>(std::min<off_t>(static_cast<off_t>(most), ngx_buf_size(link_->buf) - offset_));
    if (ngx_buf_in_memory(link_->buf)) {
        piece = {reinterpret_cast<const char*>(buffer.pos) + offset_, length};
        offset_ += static_cast<off_t>(length);
        return Next::Piece;
    }
    block.clear();
    char* place = block.extend(length);
    ssize_t read = place == nullptr ? NGX_ERROR
                                    : ngx_read_file(buffer.file, reinterpret_cast<u_char*>(place), length,
                                                    buffer.file_pos + offset_);
    if (read <= 0) {
        return Next::Failed;
    }
    piece = {place, static_cast<size_t>(read)};
    offset_ += read;
    return Next::Piece;
}

bool BodyPieces::allTaken() noexcept {
    while (link_ != nullptr && offset_ >= ngx_buf_size(link_->buf)) {
        link_ = link_->next;
        offset_ = 0;
    }
    return link_ == nullptr;
}

void BodyPieces::release(ngx_http_request_t* r) noexcept {
    ngx_http_request_body_t* body = r->request_body;
    for (ngx_chain_t* link = body == nullptr ? nullptr : body->bufs; link != nullptr;) {
        ngx_chain_t* used = link;
        link = link->next;
        used->buf->pos = used->buf->last;
        ngx_free_chain(r->pool, used);
        body->bufs = link;
    }
}

} // namespace sse
