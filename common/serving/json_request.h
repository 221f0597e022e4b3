#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/tensor.h"

/// The JSON of a request of the Open Inference Protocol v2 as it stands there, not yet held against a model.
namespace fl::serving {

/// An input, as the request describes it.
struct JsonInput {
  std::string name;
  std::optional<Datatype> datatype;
  std::optional<Shape> shape;
  std::optional<std::uint64_t> binary_size;  ///< binary_data_size: its bytes follow the JSON.
  bool has_data = false;
  Bytes data;               ///< Of the values that stand in the JSON.
  Shape nested;             ///< The sizes of the arrays they stand in, from the outermost on.
  std::uint64_t count = 0;  ///< Of the values.
  bool overflows = false;   ///< There are more than could be kept; they were counted.
};

struct JsonOutput {
  std::string name;
  std::optional<bool> binary;  ///< binary_data
};

struct JsonRequest {
  std::string id;
  std::vector<JsonInput> inputs;
  std::vector<JsonOutput> outputs;
  bool binary_outputs = false;           ///< binary_data_output
  std::optional<std::uint64_t> timeout;  ///< timeout: microseconds
};

/// Reads `text` without a copy of it; numbers go to tensors as they come, those of floats to the nearest
/// one. Keys that the protocol does not have are passed over, up to 1,024 bytes each. No more of
/// the values of all inputs is kept than `most_data` bytes. Throws Error(invalid_argument) naming the place;
/// failed_precondition for what the protocol's extensions have and this program does not do: classification,
/// shared memory, sequences.
JsonRequest read_json_request(std::string_view text, std::size_t most_data);

}  // namespace fl::serving
