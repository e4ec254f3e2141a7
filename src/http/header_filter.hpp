// What every answer of an endpoint carries, also those that nginx gives itself there: errors, redirects.
#pragma once

namespace sse {

// Installs the filter, while the configuration is read. It looks at the location that answers in the end,
// whatever other locations a request has passed through, and leaves all other locations alone.
void addHeaderFilter() noexcept;

} // namespace sse
