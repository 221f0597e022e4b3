#include "common/serving/metadata.h"

#include <boost/json.hpp>

namespace fl::serving {
namespace {

namespace json = boost::json;

json::object tensor(const std::string& name, std::string_view datatype, const Shape& shape) {
  return {{"name", name}, {"datatype", datatype}, {"shape", json::array(shape.begin(), shape.end())}};
}

}  // namespace

std::string server_metadata(const std::string& name, const std::string& version) {
  return json::serialize(
      json::object{{"name", name}, {"version", version}, {"extensions", json::array{"binary_tensor_data"}}});
}

std::string model_metadata(const ServedVersion& version) {
  const ModelIdentity& model = version.model();
  json::array inputs;
  for (const TensorSpec& input : model.contract.inputs)
    inputs.push_back(tensor(input.name, name(input.datatype), input.shape));
  json::array outputs;
  for (const ServedOutput& output : version.outputs())
    outputs.push_back(
        tensor(output.name, output.kind == ServedOutput::Kind::label ? "BYTES" : "FP32", output.shape));
  json::object metadata{{"name", model.name},
                        {"versions", json::array{std::to_string(model.version)}},
                        {"platform", "pytorch_torchscript"},
                        {"inputs", std::move(inputs)},
                        {"outputs", std::move(outputs)}};
  json::object parameters{{"lineage", model.lineage}};
  if (!model.contract.labels.empty())
    parameters["labels"] = json::array(model.contract.labels.begin(), model.contract.labels.end());
  metadata["parameters"] = std::move(parameters);
  return json::serialize(metadata);
}

std::string model_ready(const std::string& model, bool ready) {
  return json::serialize(json::object{{"name", model}, {"ready", ready}});
}

}  // namespace fl::serving
