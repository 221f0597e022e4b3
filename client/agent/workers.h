#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fl::client {

/// Runs `work` on one of the pool's threads and gives its result, or what it throws, to the coroutine that
/// awaits it, on that coroutine's own executor. The result must be default-constructible.
template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_worker(boost::asio::thread_pool& pool, Work work) {
  using Result = std::invoke_result_t<Work&>;
  auto run = [](Work job) -> boost::asio::awaitable<Result> { co_return job(); };
  boost::asio::awaitable<Result> job = run(std::move(work));
  co_return co_await boost::asio::co_spawn(pool, std::move(job), boost::asio::use_awaitable);
}

}  // namespace fl::client
