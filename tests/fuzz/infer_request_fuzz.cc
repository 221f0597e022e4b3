// Inference requests: what is read fits the contract, and nothing is made larger than the request.
#include <algorithm>

#include "common/serving/infer_request.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;

namespace {

TaskContract contract() {
  TaskContract made;
  made.inputs = {{"x", Datatype::fp32, {-1, 2}}, {"n", Datatype::int64, {-1, -1, -1}}};
  made.outputs = {{"y", Datatype::fp32, {-1, 4}}};
  return made;
}

void require_fit(const serving::InferRequest& request, std::size_t outputs) {
  for (const Tensor& tensor : request.inputs) {
    require(tensor.data.size() == element_count(tensor.shape) * size_of(tensor.datatype),
            "a tensor has its bytes");
    require(tensor.shape.front() == request.inputs.front().shape.front(), "the inputs are one batch");
  }
  require(request.inputs.size() == 2, "every input is there");
  require(!request.outputs.empty() && request.outputs.size() <= outputs, "outputs are asked for");
  require(std::all_of(request.outputs.begin(), request.outputs.end(),
                      [&](const serving::RequestedOutput& output) { return output.index < outputs; }),
          "every output is one that there is");
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const std::vector<std::string> outputs = {"y", "label"};
  const std::size_t length = take_byte(input);
  const std::optional<std::size_t> json_length = length == 0 ? std::nullopt : std::optional(length);
  const auto request = unless_refused([&]() -> std::optional<serving::InferRequest> {
    try {
      return serving::decode_request(input, json_length, contract(), outputs);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::resource_exhausted) return std::nullopt;
      throw;
    }
  });
  if (request && *request) require_fit(**request, outputs.size());
}
