#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>
#include <spdlog/logger.h>

#include "common/model/signing.h"
#include "common/net/connection.h"
#include "server/entrance/refusals.h"
#include "server/fleet/certificate_office.h"

namespace fl::server {

/// The conversation of fl-enroll/1: one EnrolRequest, one EnrolReply or Refusal. Throws what the connection
/// throws.
boost::asio::awaitable<void> enrol_device(net::Connection& connection, CertificateOffice& certificates,
                                          PublicKey signing_key, Refusals& refusals, Metrics& metrics,
                                          std::shared_ptr<spdlog::logger> log);

}  // namespace fl::server
