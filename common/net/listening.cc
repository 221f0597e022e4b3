#include "common/net/listening.h"

#include <array>

#include <boost/asio/buffer.hpp>

#include "common/base/error.h"

namespace fl::net {

using boost::asio::ip::tcp;

tcp::acceptor listen_on(boost::asio::io_context& context, const Endpoint& endpoint,
                        const std::string& remedy) {
  try {
    const auto address = boost::asio::ip::make_address(endpoint.host);
    return tcp::acceptor(context, tcp::endpoint(address, endpoint.port));
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::unavailable,
                "cannot listen on " + endpoint.text() + ": " + error.code().message() + "; " + remedy);
  }
}

void turn_away(tcp::socket socket) {
  // Fatal, internal_error, as TLS sends it before there are keys.
  constexpr std::array<unsigned char, 7> alert{21, 3, 3, 0, 2, 2, 80};
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.send(boost::asio::buffer(alert), 0, ignored);
}

}  // namespace fl::net
