#include "common/net/waiting.h"

#include <algorithm>
#include <exception>
#include <tuple>

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Deadline deadline_after(std::chrono::steady_clock::duration limit) {
  constexpr std::chrono::hours year{24 * 365};
  return std::chrono::steady_clock::now() + std::min<std::chrono::steady_clock::duration>(limit, year);
}

asio::awaitable<Waited> wait_for(tcp::socket& socket, tcp::socket::wait_type what, Deadline deadline) {
  asio::steady_timer timer(socket.get_executor(), deadline);
  auto either = asio::experimental::make_parallel_group(socket.async_wait(what, asio::deferred),
                                                        timer.async_wait(asio::deferred));
  const auto done = co_await either.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const error_code& socket_error = std::get<1>(done);
  const error_code& timer_error = std::get<2>(done);
  if (!socket_error) co_return Waited::ready;
  co_return timer_error ? Waited::cancelled : Waited::timeout;
}

struct Turns::Waiter {
  Waiter(Turns& line, const asio::any_io_executor& executor, Deadline deadline)
      : turns(line), timer(executor, deadline), place(line.waiting_.insert(line.waiting_.end(), this)) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    if (!granted) turns.waiting_.erase(place);
  }

  Turns& turns;
  asio::steady_timer timer;  // its end is also how a turn is told
  std::list<Waiter*>::iterator place;
  bool granted = false;
};

bool Turns::try_take() {
  if (taken_) return false;
  taken_ = true;
  return true;
}

asio::awaitable<Waited> Turns::wait(asio::any_io_executor executor, Deadline deadline) {
  Waiter waiter(*this, executor, deadline);
  error_code error;
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (waiter.granted) co_return Waited::ready;
  co_return error ? Waited::cancelled : Waited::timeout;
}

void Turns::give_back() noexcept {
  if (waiting_.empty()) {
    taken_ = false;
    return;
  }
  Waiter* const next = waiting_.front();
  waiting_.pop_front();
  next->granted = true;
  try {
    next->timer.cancel();
  } catch (const std::exception&) {
    return;  // it finds its turn at its deadline
  }
}

void Turns::cancel_all() {
  for (Waiter* const waiter : waiting_) waiter->timer.cancel();
}

}  // namespace fl::net
