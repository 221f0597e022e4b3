#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace fl::serving {

/// The threads of an endpoint, which read requests, run batches and write answers: one more than batches may
/// run at a time, so that one is left to read. What something throws there ends that and nothing else.
class ServingThreads {
 public:
  explicit ServingThreads(std::size_t executors);
  ServingThreads(const ServingThreads&) = delete;
  ServingThreads& operator=(const ServingThreads&) = delete;
  ~ServingThreads() { finish(); }

  boost::asio::io_context& context() { return context_; }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  /// Waits until nothing is left to do. Nothing may be begun any more.
  void finish();

 private:
  void run();

  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::jthread> threads_;
};

}  // namespace fl::serving
