#include "common/net/listening.h"

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

}  // namespace fl::net
