#include "common/net/run_on.h"

#include <exception>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::net {

namespace asio = boost::asio;

namespace {

/// What `work` throws is handed over here: thrown out of a coroutine, it would be kept by that one's frame
/// too, which ends on the executor while the awaiting thread reads it.
asio::awaitable<void> done(std::function<void()> work, std::exception_ptr& failure) {
  // Where nothing was awaited, co_spawn puts what comes after the work at the end of the executor's line.
  co_await asio::dispatch(asio::use_awaitable);
  try {
    work();
  } catch (...) {
    failure = std::current_exception();
  }
}

}  // namespace

asio::awaitable<void> run_on(asio::any_io_executor executor, std::function<void()> work) {
  std::exception_ptr failure;
  asio::awaitable<void> job = done(std::move(work), failure);
  // Cancelled before it begins, what is spawned would end the process.
  auto uncancelled = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
  co_await asio::co_spawn(executor, std::move(job), uncancelled);
  if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
}

}  // namespace fl::net
