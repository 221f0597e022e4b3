#include "server/fleet/transfer_slots.h"

#include <algorithm>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::server {

namespace asio = boost::asio;

namespace {

constexpr Seconds grace{30};
constexpr double slowest_rate = 65'536.0;  // bytes a second

}  // namespace

struct TransferSlots::Waiter {
  Waiter(const void* who, const asio::any_io_executor& executor)
      : owner(who), turn(executor, asio::steady_timer::time_point::max()) {}
  const void* owner;
  asio::steady_timer turn;  // never expires; its cancellation ends the wait
  bool granted = false;
};

asio::awaitable<std::optional<TransferSlots::Slot>> TransferSlots::acquire(const void* owner) {
  if (free_ > 0) {
    --free_;
    co_return Slot(*this);
  }
  const auto waiter = std::make_shared<Waiter>(owner, co_await asio::this_coro::executor);
  waiting_.push_back(waiter);
  boost::system::error_code woken;
  co_await waiter->turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  if (!waiter->granted) co_return std::nullopt;
  co_return Slot(*this);
}

bool TransferSlots::should_make_way(std::uint64_t bytes, Seconds since) const {
  return !waiting_.empty() && since > grace && static_cast<double>(bytes) < slowest_rate * since.count();
}

void TransferSlots::call_off(const void* owner) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& waiter) { return waiter->owner == owner; });
  if (found == waiting_.end()) return;
  (*found)->turn.cancel();
  waiting_.erase(found);
}

void TransferSlots::release() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  waiting_.front()->granted = true;
  waiting_.front()->turn.cancel();
  waiting_.pop_front();
}

}  // namespace fl::server
