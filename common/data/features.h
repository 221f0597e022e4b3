#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/data/csv.h"
#include "common/model/contract.h"

namespace fl {

/// The contract's feature columns in one CSV file.
class FeatureColumns {
 public:
  /// Throws Error(invalid_data) naming a column that the file has not.
  FeatureColumns(const CsvReader& file, const DataContract& contract);

  std::size_t count() const { return columns_.size(); }

  /// The present row's features, in the contract's order and scaled, into `values` (count() of them). Throws
  /// Error(invalid_data) with file, line and column where one is no number or too large for fp32.
  void read(const CsvReader& row, std::span<float> values) const;

 private:
  std::vector<std::size_t> columns_;
  std::vector<double> scale_;
};

}  // namespace fl
