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

/// Tells a peer whose handshake has not begun that it is not served now, by an alert of TLS, and closes.
/// Waits for nothing, so the word may be lost.
void turn_away(boost::asio::ip::tcp::socket socket);

}  // namespace fl::net
