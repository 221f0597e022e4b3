#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::net {

/// Runs `work` on `executor` (a thread pool's, a strand's) and comes back with its result, or what it throws,
/// to the awaiting coroutine's own executor. A coroutine that is cancelled meanwhile waits for `work` to end.
/// The result must be default-constructible. `work` should have a name at the caller: GCC 12 destroys some
/// temporaries of a co_await expression twice.
template <typename Executor, typename Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> run_on(Executor executor, Work work) {
  using Result = std::invoke_result_t<Work&>;
  auto run = [](Work job) -> boost::asio::awaitable<Result> { co_return job(); };
  boost::asio::awaitable<Result> job = run(std::move(work));
  // Cancelled before it begins, what is spawned would end the process.
  auto uncancelled =
      boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(), boost::asio::use_awaitable);
  co_return co_await boost::asio::co_spawn(executor, std::move(job), uncancelled);
}

}  // namespace fl::net
