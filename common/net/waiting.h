#pragma once

#include <chrono>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

/// Private to common/net: waiting with a deadline, on one strand.
namespace fl::net {

using Deadline = std::chrono::steady_clock::time_point;

/// `limit` from now; a limit beyond a year is a year, so that no clock overflows.
Deadline deadline_after(std::chrono::steady_clock::duration limit);

enum class Waited { ready, timeout, cancelled };

/// Until the socket can be read (or written), or the deadline. Only this wait ends with its deadline: another
/// on the same socket goes on. `cancelled` where the socket was closed or the coroutine cancelled.
boost::asio::awaitable<Waited> wait_for(boost::asio::ip::tcp::socket& socket,
                                        boost::asio::ip::tcp::socket::wait_type what, Deadline deadline);

/// Lets coroutines of one strand in one at a time, in the order in which they asked.
class Turns {
 public:
  /// Taken without waiting, or false.
  bool try_take();
  /// Waits for a turn that try_take() did not give; `ready` where it was given.
  boost::asio::awaitable<Waited> wait(boost::asio::any_io_executor executor, Deadline deadline);
  /// The next in line has its turn.
  void give_back() noexcept;
  /// All who wait wait no more.
  void cancel_all();

 private:
  struct Waiter;

  bool taken_ = false;
  std::list<Waiter*> waiting_;
};

/// Gives a turn back at the end of a scope.
class Turn {
 public:
  explicit Turn(Turns& turns) : turns_(turns) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { turns_.give_back(); }

 private:
  Turns& turns_;
};

}  // namespace fl::net
