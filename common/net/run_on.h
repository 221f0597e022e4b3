#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace fl::net {

/// Runs `work` on `executor` (a thread pool's, a strand's) and comes back, or throws what it throws, to the
/// awaiting coroutine's own executor. A coroutine that is cancelled meanwhile waits for `work` to end.
boost::asio::awaitable<void> run_on(boost::asio::any_io_executor executor, std::function<void()> work);

/// The same with a result. `work` should have a name at the caller: GCC 12 destroys some temporaries of a
/// co_await expression twice.
template <typename Work>
  requires(!std::is_void_v<std::invoke_result_t<Work&>>)
boost::asio::awaitable<std::invoke_result_t<Work&>> run_on(boost::asio::any_io_executor executor, Work work) {
  std::optional<std::invoke_result_t<Work&>> result;
  std::function<void()> run = [&] { result.emplace(work()); };
  co_await run_on(std::move(executor), std::move(run));
  co_return *std::move(result);
}

}  // namespace fl::net
