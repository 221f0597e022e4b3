#include "common/serving/serving_threads.h"

#include <exception>

namespace fl::serving {

ServingThreads::ServingThreads(std::size_t executors)
    : context_(static_cast<int>(executors + 1)), work_(context_.get_executor()) {
  try {
    for (std::size_t i = 0; i < executors + 1; ++i) threads_.emplace_back([this] { run(); });
  } catch (...) {
    context_.stop();
    throw;
  }
}

void ServingThreads::finish() {
  work_.reset();
  threads_.clear();
}

void ServingThreads::run() {
  for (bool ended = false; !ended;) {
    try {
      context_.run();
      ended = true;
    } catch (const std::exception&) {
      continue;  // such as no memory for one request
    }
  }
}

}  // namespace fl::serving
