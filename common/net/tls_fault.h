#pragma once

#include "common/base/error.h"

struct ssl_st;

namespace fl::net {

/// What went wrong in a TLS connection, from OpenSSL's queue of errors, which is emptied: the sentence says
/// what the peer did or lacks. Error(unauthenticated) where one side does not believe the other or they have
/// no protocol in common, Error(unavailable) where the peer cannot serve us now, Error(protocol) for the
/// rest.
Error tls_fault(const ssl_st* ssl);

}  // namespace fl::net
