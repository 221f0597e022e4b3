#include "tests/unit/net/loopback.h"

#include <exception>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>

namespace fl::test {

void Loopback::run_all(std::vector<std::function<Task<>()>> functions) {
  std::exception_ptr failure;
  std::size_t running = functions.size();
  const auto ended = [&](const std::exception_ptr& thrown) {
    if (thrown && !failure) failure = thrown;
    --running;
  };
  for (auto& function : functions) boost::asio::co_spawn(context_, std::move(function), ended);
  context_.restart();
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (running > 0 && std::chrono::steady_clock::now() < deadline) {
    if (context_.run_one_until(deadline) == 0) break;
  }
  if (failure) std::rethrow_exception(failure);
  if (running > 0) throw std::runtime_error("a coroutine has not ended after a minute");
}

}  // namespace fl::test
