#include "common/model/contract_json.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace fl {
namespace {

template <typename Element>
boost::json::array json_of(const std::vector<Element>& elements) {
  return boost::json::array(elements.begin(), elements.end());
}

boost::json::array json_of(const std::vector<TensorSpec>& specs) {
  boost::json::array array;
  for (const TensorSpec& spec : specs) {
    array.push_back(boost::json::object{
        {"name", spec.name}, {"datatype", name(spec.datatype)}, {"shape", json_of(spec.shape)}});
  }
  return array;
}

boost::json::object json_of(const DataContract& data) {
  boost::json::object object{{"format", name(data.format)}};
  if (data.format == DataFormat::windows || data.format == DataFormat::table) {
    object["columns"] = json_of(data.columns);
    object["label"] = data.label;
    object["scale"] = json_of(data.scale);
  }
  if (data.format == DataFormat::windows) {
    object["window"] = data.window;
    object["step"] = data.step;
  }
  if (data.format == DataFormat::images) {
    object["height"] = data.height;
    object["width"] = data.width;
  }
  if (data.format == DataFormat::text) {
    object["alphabet"] = data.alphabet;
    object["length"] = data.length;
  }
  return object;
}

std::vector<TensorSpec> read_specs(json::ObjectReader& object, std::string_view key) {
  std::vector<TensorSpec> specs;
  const std::string path = object.path_of(key);
  for (const boost::json::value& element : json::read_array(object.value(key), path)) {
    json::ObjectReader each(element, path + "[" + std::to_string(specs.size()) + "]");
    TensorSpec& spec = specs.emplace_back();
    each.required("name", spec.name);
    each.required("datatype", spec.datatype, datatype_from_name);
    each.required("shape", spec.shape);
    each.finish();
  }
  return specs;
}

DataContract read_data(json::ObjectReader object) {
  DataContract data;
  object.required("format", data.format, data_format_from_name);
  if (data.format == DataFormat::windows || data.format == DataFormat::table) {
    object.required("columns", data.columns);
    object.required("label", data.label);
    object.optional("scale", data.scale);
  }
  if (data.format == DataFormat::windows) {
    object.required("window", data.window);
    object.required("step", data.step);
  }
  if (data.format == DataFormat::images) {
    object.required("height", data.height);
    object.required("width", data.width);
  }
  if (data.format == DataFormat::text) {
    object.required("alphabet", data.alphabet);
    object.required("length", data.length);
  }
  object.finish();
  return data;
}

}  // namespace

boost::json::object json_of(const TaskContract& contract) {
  return {{"inputs", json_of(contract.inputs)},
          {"outputs", json_of(contract.outputs)},
          {"loss", name(contract.loss)},
          {"labels", json_of(contract.labels)},
          {"data", json_of(contract.data)}};
}

TaskContract read_task_contract(json::ObjectReader object) {
  TaskContract contract;
  contract.inputs = read_specs(object, "inputs");
  contract.outputs = read_specs(object, "outputs");
  object.required("loss", contract.loss, loss_from_name);
  object.required("labels", contract.labels);
  contract.data = read_data(object.object("data"));
  object.finish();
  return contract;
}

std::string to_json(const TaskContract& contract) {
  return boost::json::serialize(json_of(contract));
}

TaskContract task_contract_from_json(std::string_view text) {
  const boost::json::value document = json::parse(text, "the task's contract", model_limits::manifest_bytes);
  return read_task_contract({document, ""});
}

}  // namespace fl
