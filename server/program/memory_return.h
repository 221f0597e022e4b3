#pragma once

#include <cstdint>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fl::server {

/// Gives the memory of connections that have ended back to the system, which the allocator keeps: after a
/// crowd the server is as small as before. Looks every ten seconds, and acts once a hundred have ended since
/// it last did. Lives on the thread of its context, until it is destroyed.
class MemoryReturn {
 public:
  /// `departures` says how many connections have ended since the beginning; it is called until the end.
  MemoryReturn(boost::asio::io_context& context, std::function<std::uint64_t()> departures);

 private:
  void wait();
  void look();

  boost::asio::steady_timer timer_;
  std::function<std::uint64_t()> departures_;
  std::uint64_t returned_at_ = 0;  ///< Departures when memory was last given back.
};

}  // namespace fl::server
