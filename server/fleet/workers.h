#pragma once

#include <cstddef>

#include <boost/asio/thread_pool.hpp>

namespace fl::server {

/// The threads for what the one thread of the context must not wait for. In two groups, so that no transfer
/// waits until a large model has been folded.
struct Workers {
  explicit Workers(std::size_t for_models = 2, std::size_t for_transfers = 8)
      : models(for_models), transfers(for_transfers) {}

  void join() {
    models.join();
    transfers.join();
  }

  /// Folding and averaging: seconds of a processor's time.
  boost::asio::thread_pool models;
  /// Chunks of updates and of versions, and syncing: little work, that may wait for the disk.
  boost::asio::thread_pool transfers;
};

}  // namespace fl::server
