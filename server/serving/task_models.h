#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/engine/engine.h"
#include "common/serving/repository.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"

namespace fl::server {

/// Puts each task's newest version into a repository, and the next one once it is opened; and other versions
/// that are asked for by their numbers. Opens on the threads that call.
class TaskModels {
 public:
  struct Settings {
    std::size_t executors = 1;  ///< Of each version: copies of the model, which run at the same time.
    serving::BatchQueue::Settings batches;
  };
  /// Told what did not open, once each.
  using OnTrouble = std::function<void(const std::string& sentence)>;

  /// Refers to what it is given, which outlives it. `engine` is called when there is a version to open.
  TaskModels(const BlobStore& blobs, std::function<std::shared_ptr<Engine>()> engine,
             serving::Repository& repository, serving::ServingMetrics& metrics,
             boost::asio::any_io_executor threads, const Settings& settings, OnTrouble on_trouble);

  /// Has the repository know all tasks, before any of their versions is open. Any thread.
  void announce(const Ledger& ledger) const;
  /// Opens what is new in the ledger, and one version that was asked for, which takes as long as it takes.
  /// `snapshot` gives the ledger as it is now, and is held no longer than to read from it. One thread at a
  /// time.
  void follow(const std::function<Ledger()>& snapshot);
  /// Asks for a version by its number, to be opened the next time. Any thread.
  void want(const std::string& task, std::uint64_t version);

 private:
  struct Found {
    TaskRecord task;
    VersionRecord version;
  };

  std::vector<Found> newer(const Ledger& ledger) const;
  /// A version that was asked for; nothing where none was, or it cannot be opened.
  std::optional<Found> next_wanted(const Ledger& ledger);
  void serve_newest(const Found& found);
  void serve_wanted(const Found& found);
  void complain(const Found& found, const std::string& reason);
  std::shared_ptr<serving::ServedVersion> open(const TaskRecord& task, const VersionRecord& version);

  const BlobStore& blobs_;
  const std::function<std::shared_ptr<Engine>()> engine_;
  serving::Repository& repository_;
  serving::ServingMetrics& metrics_;
  const boost::asio::any_io_executor threads_;
  const Settings settings_;
  const OnTrouble on_trouble_;
  std::map<std::string, std::uint64_t> seen_;  // the newest version of each task that needs no more opening
  std::set<std::string> complaints_;           // said once
  std::mutex mutex_;                           // guards what follows
  std::set<std::pair<std::string, std::uint64_t>> wanted_;
};

}  // namespace fl::server
