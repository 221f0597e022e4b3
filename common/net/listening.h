#pragma once

#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/endpoint.h"

namespace fl::net {

/// Listens on an IP address; port 0 takes a free one. Throws Error(unavailable) with `remedy` at its end
/// where that is not possible, naming the endpoint.
boost::asio::ip::tcp::acceptor listen_on(boost::asio::io_context& context, const Endpoint& endpoint,
                                         const std::string& remedy);

}  // namespace fl::net
