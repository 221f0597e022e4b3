#include "server/program/contract_options.h"

#include <charconv>
#include <string_view>

#include "common/base/bytes.h"

namespace fl::server {
namespace {

using program::Arguments;
using program::UsageError;

/// Runs `parse` on an option's value; what it throws names the option.
template <typename Parse>
auto parsed(const Arguments& arguments, const std::string& name, Parse parse) {
  try {
    return parse(arguments.text(name));
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(arguments.where(name) + ": " + error.what());
  }
}

/// "\n", "\t", "\s" for a space, "\c" for a comment's '#', "\\" and "\x41" as the characters they stand for:
/// a configuration file cuts spaces off and takes '#' for a comment.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    const char kind = i + 1 < text.size() ? text[++i] : '\0';
    switch (kind) {
      case 'n':
        result += '\n';
        break;
      case 't':
        result += '\t';
        break;
      case 's':
        result += ' ';
        break;
      case 'c':
        result += '#';
        break;
      case '\\':
        result += '\\';
        break;
      case 'x':
        if (text.size() < i + 3) throw UsageError(R"(after \x come two hexadecimal digits)");
        result += as_text(from_hex(text.substr(i + 1, 2)));
        i += 2;
        break;
      default:
        throw UsageError(R"(after a backslash comes n, t, s, c, x and two digits, or a backslash)");
    }
  }
  return result;
}

std::int64_t dimension(const std::string& text, const std::string& where) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (fault != std::errc() || stop != end || (value < 1 && value != -1)) {
    throw UsageError(where + ": '" + text + "' is no dimension; it is a positive number, or -1 for any");
  }
  return value;
}

/// "6,50" or "INT64:50": the shape of one example.
TensorSpec spec_of(const Arguments& arguments, const std::string& option, const std::string& name) {
  TensorSpec spec{name, Datatype::fp32, {-1}};
  std::string text = arguments.text(option);
  const std::size_t colon = text.find(':');
  if (colon != std::string::npos) {
    spec.datatype = parsed(arguments, option,
                           [&](const std::string&) { return datatype_from_name(text.substr(0, colon)); });
    text.erase(0, colon + 1);
  }
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    spec.shape.push_back(dimension(text.substr(0, comma), arguments.where(option)));
    text.erase(0, comma + 1);
  }
  return spec;
}

std::vector<TensorSpec> specs_of(const Arguments& arguments, const std::string& prefix) {
  std::vector<TensorSpec> specs;
  for (const std::string& option : arguments.names_with(prefix)) {
    specs.push_back(spec_of(arguments, option, option.substr(prefix.size())));
  }
  return specs;
}

/// Without the spaces around it, as the names in a file's first row are read.
std::string one_column(const Arguments& arguments, const std::string& option) {
  const std::vector<std::string> columns = arguments.list(option);
  if (columns.size() == 1) return columns.front();
  throw UsageError(arguments.where(option) + ": there are " + std::to_string(columns.size()) +
                   " columns, it takes one");
}

DataContract data_of(const Arguments& arguments) {
  DataContract data;
  if (!arguments.has("data.format")) {
    throw UsageError("the option --data.format is missing: windows, table, images or text");
  }
  data.format = parsed(arguments, "data.format", data_format_from_name);
  if (arguments.has("data.columns")) data.columns = arguments.list("data.columns");
  if (arguments.has("data.label")) data.label = one_column(arguments, "data.label");
  if (arguments.has("data.scale")) data.scale = arguments.numbers("data.scale");
  if (arguments.has("data.window")) data.window = arguments.integer("data.window", 1);
  // Windows that follow each other without overlap, unless it is said otherwise.
  data.step = arguments.has("data.step") ? arguments.integer("data.step", 1) : data.window;
  if (arguments.has("data.height")) data.height = arguments.integer("data.height", 1);
  if (arguments.has("data.width")) data.width = arguments.integer("data.width", 1);
  if (arguments.has("data.alphabet")) data.alphabet = parsed(arguments, "data.alphabet", unescaped);
  if (arguments.has("data.length")) data.length = arguments.integer("data.length", 1);
  return data;
}

TensorSpec input_for(const DataContract& data) {
  const auto columns = static_cast<std::int64_t>(data.columns.size());
  switch (data.format) {
    case DataFormat::windows:
      return {"input", Datatype::fp32, {-1, columns, data.window}};
    case DataFormat::images:
      return {"input", Datatype::fp32, {-1, 1, data.height, data.width}};
    case DataFormat::text:
      return {"input", Datatype::int64, {-1, data.length}};
    default:
      return {"input", Datatype::fp32, {-1, columns}};
  }
}

TensorSpec output_for(const TaskContract& contract) {
  const auto labels = static_cast<std::int64_t>(contract.labels.size());
  const bool yes_or_no = contract.loss == Loss::bce_with_logits && labels <= 2;
  return {"output", Datatype::fp32, {-1, labels == 0 || yes_or_no ? 1 : labels}};
}

std::vector<std::string> labels_of(const Arguments& arguments, const DataContract& data) {
  if (arguments.has("labels")) return arguments.list("labels");
  std::vector<std::string> labels;
  for (const char character : data.alphabet) labels.emplace_back(1, character);
  return labels;
}

}  // namespace

void add_contract_options(program::Options& options) {
  options.group("What the model takes and gives")
      .value("data.format", "FORMAT", "windows (of time series), table, images or text")
      .value("data.columns", "A,B,...", "windows, table: the feature columns, in the input's order")
      .value("data.label", "COLUMN", "windows, table: the column of the label or target value")
      .value("data.scale", "F,G,...", "windows, table: a factor for each column")
      .value("data.window", "N", "windows: samples in a window")
      .value("data.step", "N",
             "windows: samples from a window's start to the next one's; without it, the window")
      .value("data.height", "N", "images: rows")
      .value("data.width", "N", "images: columns")
      .value("data.alphabet", "CHARACTERS",
             R"(text: the characters, in order; \n, \t, \s (space), \c (#), \\, \x41)")
      .value("data.length", "N", "text: characters in an input")
      .value("labels", "A,B,...", "the classes, in the order of the outputs; none for regression")
      .value(
          "loss", "LOSS",
          "cross_entropy, mse, bce_with_logits or own (the archive's loss(x, y)); without it, cross_entropy "
          "where there are labels, else mse")
      .value("input.*", "[TYPE:]SHAPE",
             "an input by name and shape of one example, as --input.x 6,50 or --input.ids INT64:20, in the "
             "order "
             "of forward(); without it, one that follows from the data")
      .value("output.*", "[TYPE:]SHAPE", "an output; without it, one that follows from labels and loss");
}

TaskContract contract_of(const Arguments& arguments) {
  TaskContract contract;
  contract.inputs = specs_of(arguments, "input.");
  contract.outputs = specs_of(arguments, "output.");
  // The examples of a model of several inputs come from the app, not from files.
  if (arguments.has("data.format") || contract.inputs.size() < 2) contract.data = data_of(arguments);
  contract.labels = labels_of(arguments, contract.data);
  contract.loss = contract.labels.empty() ? Loss::mse : Loss::cross_entropy;
  if (arguments.has("loss")) contract.loss = parsed(arguments, "loss", loss_from_name);
  if (contract.inputs.empty()) contract.inputs.push_back(input_for(contract.data));
  if (contract.outputs.empty()) contract.outputs.push_back(output_for(contract));
  contract.validate();
  return contract;
}

}  // namespace fl::server
