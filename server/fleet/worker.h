#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::server {

/// Runs `work` on `worker` and comes back to the awaiting coroutine's executor with its result or exception.
/// `work` should have a name at the caller: GCC 12 destroys some temporaries of a co_await expression twice.
template <typename Executor, typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_on(Executor worker, Work work) {
  using Result = std::invoke_result_t<Work>;
  auto body = [&work]() -> boost::asio::awaitable<Result> { co_return work(); };
  co_return co_await boost::asio::co_spawn(worker, body, boost::asio::use_awaitable);
}

}  // namespace fl::server
