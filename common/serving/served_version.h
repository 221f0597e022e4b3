#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/engine/engine.h"
#include "common/model/contract.h"
#include "common/serving/batcher.h"
#include "common/serving/serving_metrics.h"

namespace fl::serving {

/// Which model it is that answers.
struct ModelIdentity {
  std::string name;
  std::uint64_t version = 0;
  std::string lineage;  ///< The global version, and how often it was trained here: "7", "7+2".
  TaskContract contract;
};

/// One of the outputs that a request may ask for.
struct ServedOutput {
  enum class Kind : std::uint8_t {
    given,   ///< One of the contract's, by its place there.
    scores,  ///< A probability for each label.
    label,   ///< The likeliest.
  };

  std::string name;
  Kind kind = Kind::given;
  Shape shape;  ///< -1 for a dimension of any size.
};

/// A version of a model that answers: opened once for each executor. Never changes; any thread.
class ServedVersion {
 public:
  ServedVersion(ModelIdentity model, std::vector<std::unique_ptr<Model>> opened,
                boost::asio::any_io_executor threads, const BatchQueue::Settings& settings,
                std::shared_ptr<VersionMetrics> metrics);

  const ModelIdentity& model() const { return model_; }
  /// The contract's and behind them, of a task with labels, "scores" and "label", where the contract has no
  /// outputs of these names.
  const std::vector<ServedOutput>& outputs() const { return outputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }

  Batcher& batcher() { return batcher_; }
  VersionMetrics& metrics() { return *metrics_; }

 private:
  const ModelIdentity model_;
  const std::vector<ServedOutput> outputs_;
  const std::vector<std::string> output_names_;
  const std::shared_ptr<VersionMetrics> metrics_;
  Batcher batcher_;
};

}  // namespace fl::serving
