#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include <boost/asio/any_io_executor.hpp>

#include "client/agent/events.h"
#include "client/agent/trial.h"
#include "client/store/model_stores.h"
#include "common/serving/repository.h"

namespace fl::client {

/// What of a home's versions is opened, and how.
struct LocalModelsSettings {
  std::size_t executors = 1;  ///< Of each task: copies of the model, which run at the same time.
  serving::BatchQueue::Settings batches;
  std::chrono::milliseconds look_time{1'000};  ///< From one look at the home to the next.
};

/// Puts the version that serves in a home into a repository, of each task, and the next one once it is
/// opened, as another process that owns the home adopts it.
///
/// Opens on a thread of its own, which ends with this. Refers to what it is given, which outlives it.
class LocalModels {
 public:
  /// Opens what is there; then `on_event` and `engine` are called on the thread. A version that does not
  /// open leaves the one before it, and `on_event` hears of it.
  LocalModels(ModelStores& stores, EngineSource engine, serving::Repository& repository,
              serving::ServingMetrics& metrics, boost::asio::any_io_executor threads,
              const LocalModelsSettings& settings, EventListener on_event);
  LocalModels(const LocalModels&) = delete;
  LocalModels& operator=(const LocalModels&) = delete;

 private:
  void look_on(const std::stop_token& stop);
  void look();
  void look_at(const std::string& task, ModelStore& store);
  void open(ModelStore& store, const StoredVersion& champion);
  bool answers(const Manifest& manifest) const;
  bool has_just_failed(const std::string& task, std::uint64_t version) const;

  struct Failure {
    std::uint64_t version = 0;
    std::chrono::steady_clock::time_point moment;
  };

  ModelStores& stores_;
  const EngineSource engine_;
  serving::Repository& repository_;
  serving::ServingMetrics& metrics_;
  const boost::asio::any_io_executor threads_;
  const LocalModelsSettings settings_;
  const EventListener on_event_;
  std::map<std::string, Failure> failed_;  // what did not open last, of each task
  std::set<std::string> told_;             // what went wrong, said once
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace fl::client
