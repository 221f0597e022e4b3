#include "common/data/features.h"

#include <string>

namespace fl {

FeatureColumns::FeatureColumns(const CsvReader& file, const DataContract& contract) : scale_(contract.scale) {
  scale_.resize(contract.columns.size(), 1.0);
  for (const std::string& column : contract.columns) columns_.push_back(file.require(column));
}

void FeatureColumns::read(const CsvReader& row, std::span<float> values) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) values[i] = row.number(columns_[i], scale_[i]);
}

}  // namespace fl
