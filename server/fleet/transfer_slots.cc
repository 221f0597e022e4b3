#include "server/fleet/transfer_slots.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::server {

namespace asio = boost::asio;

asio::awaitable<TransferSlots::Slot> TransferSlots::acquire() {
  if (free_ > 0) {
    --free_;
    co_return Slot(*this);
  }
  // A timer that never expires is woken by cancellation: the slot has then been handed over.
  auto turn = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor,
                                                   asio::steady_timer::time_point::max());
  waiting_.push_back(turn);
  boost::system::error_code woken;
  co_await turn->async_wait(asio::redirect_error(asio::use_awaitable, woken));
  co_return Slot(*this);
}

void TransferSlots::release() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  waiting_.front()->cancel();
  waiting_.pop_front();
}

}  // namespace fl::server
