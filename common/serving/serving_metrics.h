#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

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

  void ended(Outcome outcome, Seconds from_request_to_answer);
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

  /// One at a time of each model and version; outlived by this.
  std::unique_ptr<VersionMetrics> version(const std::string& model, std::uint64_t number);
  /// A request was refused before it came to a model, for one of a fixed set of reasons.
  void turned_away(const std::string& reason);

  /// Every figure in Prometheus's text format.
  std::string text() const;

 private:
  std::unique_ptr<ServingFamilies> families_;
};

}  // namespace fl::serving
