#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/endpoint.h"
#include "common/net/waiting.h"

/// Private to common/net.
namespace fl::net {

/// A socket that is connected to `server`, whose addresses are tried in turn, each for its share of the time.
/// Throws Error: unavailable where the name has no address or none answers, timeout, cancelled.
boost::asio::awaitable<boost::asio::ip::tcp::socket> connect_socket(const Endpoint& server,
                                                                    Deadline deadline);

}  // namespace fl::net
