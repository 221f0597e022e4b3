#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/base/clock.h"

namespace fl::serving {

/// What became of a request for a prediction.
enum class Outcome : std::uint8_t {
  answered,
  refused,  ///< It does not fit the model.
  busy,     ///< Too much waits.
  late,     ///< It would have been, or was, answered after its deadline.
  failed,   ///< The model failed, or went.
};

struct ServingFamilies;

/// The figures of one model version; gone from the text with it. Any thread.
class VersionMetrics {
 public:
  /// `families` outlive it.
  VersionMetrics(ServingFamilies& families, const std::string& model, std::uint64_t version);
  VersionMetrics(const VersionMetrics&) = delete;
  VersionMetrics& operator=(const VersionMetrics&) = delete;
  ~VersionMetrics();

  /// The time counts where it was answered.
  void ended(Outcome outcome, Seconds from_request_to_answer);
  void set_waiting(std::size_t examples);
  void waited(Seconds time);
  void ran(std::size_t examples, Seconds time);

 private:
  struct Figures;
  std::unique_ptr<Figures> figures_;
};

/// What is to be seen of predictions, as Prometheus counts and names it (docs/serving.md lists all). What
/// labels a figure is a model and version that serves, never what a peer says. Any thread.
class ServingMetrics {
 public:
  ServingMetrics();
  ServingMetrics(const ServingMetrics&) = delete;
  ServingMetrics& operator=(const ServingMetrics&) = delete;
  ~ServingMetrics();

  /// The same for all who ask for the same model and version at a time. Outlived by this.
  std::shared_ptr<VersionMetrics> version(const std::string& model, std::uint64_t number);
  /// A request was refused before it came to a model, for one of a fixed set of reasons.
  void turned_away(const std::string& reason);

  /// Every figure in Prometheus's text format.
  std::string text() const;

 private:
  struct Shared {
    std::unique_ptr<VersionMetrics> metrics;
    std::size_t users = 0;
  };
  using Key = std::pair<std::string, std::uint64_t>;

  void let_go(const Key& key);

  std::unique_ptr<ServingFamilies> families_;
  std::mutex mutex_;  // guards what follows
  std::map<Key, Shared> versions_;
};

}  // namespace fl::serving
