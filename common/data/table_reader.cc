#include "common/data/table_reader.h"

namespace fl {

std::optional<Example> TableReader::next() {
  if (!rows_.next()) return std::nullopt;
  const auto features = rows_.features();
  Example example;
  example.inputs.push_back(make_tensor(features, {static_cast<std::int64_t>(features.size())}));
  example.target = rows_.target() ? rows_.codec().tensor(*rows_.target()) : TargetCodec::none();
  return example;
}

}  // namespace fl
