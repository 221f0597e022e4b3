#include "server/aggregation/shared_work.h"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/post.hpp>

namespace fl::server {
namespace {

/// Outlives the call: a worker may come when all is done.
class SharedWork {
 public:
  SharedWork(std::size_t parts, const std::function<void(std::size_t)>& work) : parts_(parts), work_(work) {}

  void help() {
    while (const std::optional<std::size_t> part = begin()) {
      std::exception_ptr failure;
      try {
        work_(*part);
      } catch (...) {
        failure = std::current_exception();
      }
      end(std::move(failure));
    }
  }

  void wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return under_way_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  std::optional<std::size_t> begin() {
    const std::lock_guard lock(mutex_);
    if (next_ == parts_) return std::nullopt;
    ++under_way_;
    return next_++;
  }

  void end(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (failure) next_ = parts_;
    if (failure && !failure_) failure_ = std::move(failure);
    if (--under_way_ == 0) ended_.notify_all();
  }

  std::size_t parts_;
  const std::function<void(std::size_t)>& work_;  // of the caller, who waits while a part is under way
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t next_ = 0;
  std::size_t under_way_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void share_work(boost::asio::thread_pool& workers, std::size_t parts,
                const std::function<void(std::size_t)>& work) {
  const auto shared = std::make_shared<SharedWork>(parts, work);
  for (std::size_t helper = 1; helper < parts; ++helper) {
    boost::asio::post(workers, [shared] { shared->help(); });
  }
  shared->help();
  shared->wait();
}

}  // namespace fl::server
