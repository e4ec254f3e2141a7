// nginx-internal: http/ngx_http_request.c, http/ngx_http_request.h, http/ngx_http_core_module.c
// (1.22.1, 1.26.3, 1.30.4, 1.31.4): nginx makes two lists with room for 20 headers each
// (ngx_http_alloc_request, ngx_http_process_request_line). Here each list moves to a block of the size of its
// content. What refers to the elements of a list:
//
// Pointers in r->headers_in and r->headers_out; before 1.23 also arrays of such pointers, there and nowhere
// else; since 1.23 also the elements' own `next`. All of these are updated.
//
// Copies of r->headers_in in subrequests (ngx_http_subrequest). While one of them runs nothing moves.
//
// Pointers that a module keeps in a context. Nothing moves unless all contexts of the request are known to
// have none.
//
// Variables, captures and contexts point to names and values, which stay where they are.
#include "http/header_room.hpp"

#include <algorithm>
#include <cstring>

namespace sse {

namespace {

// Modules whose contexts hold values and no header. (The last one counts headers: Debian has it in place of a
// member that nginx 1.22 and 1.26 do not have.)
constexpr std::string_view kWithoutHeaders[] = {
    "ngx_http_sse_module",    "ngx_http_chunked_filter_module", "ngx_http_copy_filter_module",
    "ngx_http_mirror_module", "ngx_http_userid_filter_module",  "ngx_http_auth_request_module",
    "ngx_http_realip_module", "ngx_http_secure_link_module",    "ngx_http_header_count_module",
};

bool isWithoutHeaders(const ngx_module_t& module) noexcept {
    return std::find(std::begin(kWithoutHeaders), std::end(kWithoutHeaders), module.name) !=
           std::end(kWithoutHeaders);
}

bool mayMove(const ngx_http_request_t& r) noexcept {
    for (ngx_uint_t i = 0; i < ngx_cycle->modules_n; ++i) {
        const ngx_module_t& module = *ngx_cycle->modules[i];
        if (module.type == NGX_HTTP_MODULE && r.ctx[module.ctx_index] != nullptr &&
            !isWithoutHeaders(module)) {
            return false;
        }
    }
    return &r == r.main && r.count == 1;
}

// Elements that have moved.
class Move {
public:
    Move(const ngx_table_elt_t* from, ngx_table_elt_t* to, size_t count) noexcept
        : from_(reinterpret_cast<uintptr_t>(from)), to_(to), count_(count) {}

    // Redirects the pointer to where its element is now, if it points to one of them.
    void follow(ngx_table_elt_t*& pointer) const noexcept {
        const uintptr_t distance = reinterpret_cast<uintptr_t>(pointer) - from_;
        if (distance < count_ * sizeof(ngx_table_elt_t)) {
            pointer = to_ + distance / sizeof(ngx_table_elt_t);
        }
    }

    // Does this for all pointers of a structure from one member to another. What else a version of nginx has
    // among them (arrays: their pointers, sizes and counts) does not point to an element, and stays.
    void followAll(void* first, void* end) const noexcept {
        for (auto* pointer = static_cast<ngx_table_elt_t**>(first); pointer != end; ++pointer) {
            follow(*pointer);
        }
    }

#if (nginx_version < 1023000)
    void followAll(const ngx_array_t& pointers) const noexcept {
        auto* first = static_cast<ngx_table_elt_t**>(pointers.elts);
        followAll(first, first + pointers.nelts);
    }
#endif

private:
    uintptr_t from_;
    ngx_table_elt_t* to_;
    size_t count_;
};

void followHeaders(ngx_http_request_t& r, const Move& move) noexcept {
    move.followAll(&r.headers_in.host, &r.headers_in.user);
    move.followAll(&r.headers_out.server, &r.headers_out.override_charset);
#if (nginx_version < 1023000)
    move.followAll(r.headers_in.cookies);
#if (NGX_HTTP_X_FORWARDED_FOR)
    move.followAll(r.headers_in.x_forwarded_for);
#endif
    move.followAll(r.headers_out.cache_control);
    move.followAll(r.headers_out.link);
#endif
}

// What the pool knows of a block that has an allocation of its own; NULL if it lies among others, or in no
// pool.
ngx_pool_large_t* ownBlock(const ngx_pool_t& pool, const void* block) noexcept {
    ngx_pool_large_t* large = pool.large;
    while (large != nullptr && large->alloc != block) {
        large = large->next;
    }
    return large;
}

// Lists that have grown are left alone: there is little to gain.
void shrink(ngx_http_request_t& r, ngx_list_t& list) noexcept {
    const ngx_list_part_t& part = list.part;
    if (list.last != &list.part || part.nelts == 0 || part.nelts >= list.nalloc) {
        return;
    }
    ngx_pool_large_t* block = ownBlock(*r.pool, part.elts);
    const size_t size = part.nelts * sizeof(ngx_table_elt_t);
    void* smaller = block == nullptr ? nullptr : ngx_alloc(size, r.connection->log);
    if (smaller == nullptr) {
        return;
    }
    std::memcpy(smaller, part.elts, size);
    auto* elements = static_cast<ngx_table_elt_t*>(smaller);
    const Move move(static_cast<const ngx_table_elt_t*>(part.elts), elements, part.nelts);
#if (nginx_version >= 1023000)
    for (size_t i = 0; i < part.nelts; ++i) {
        move.follow(elements[i].next);
    }
#endif
    followHeaders(r, move);
    ngx_free(block->alloc);
    block->alloc = smaller;
    list.part.elts = smaller;
    list.nalloc = part.nelts;
}

} // namespace

void freeSpareHeaderRoom(ngx_http_request_t* r) noexcept {
    if (mayMove(*r)) {
        shrink(*r, r->headers_in.headers);
        shrink(*r, r->headers_out.headers);
    }
}

} // namespace sse
