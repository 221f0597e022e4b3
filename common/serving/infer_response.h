#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/tensor.h"

namespace fl::serving {

/// One output of a response: numbers (FP32) or texts (BYTES), row-major.
struct ResponseOutput {
  std::string name;
  Shape shape;
  std::variant<std::vector<float>, std::vector<std::string>> values;
  bool binary = false;  ///< As raw bytes behind the JSON.
};

/// An answer of the Open Inference Protocol v2.
struct InferResponse {
  std::string model_name;
  std::string model_version;
  std::string id;  ///< Of the request; left out where it had none.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<ResponseOutput> outputs;
};

/// A body, and the header that goes with it.
struct EncodedResponse {
  Bytes body;
  /// Inference-Header-Content-Length: so much of the body is JSON. None where there are no raw tensors, and
  /// all of it is.
  std::optional<std::size_t> json_length;
};

/// The body of a response. Floats in JSON are the shortest text that gives the same float back. Throws
/// Error(invalid_data) naming the output that has NaN or infinity, which JSON has no number for.
EncodedResponse encode_response(const InferResponse& response);

/// {"error": "…"}
std::string error_body(const std::string& sentence);

}  // namespace fl::serving
