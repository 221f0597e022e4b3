#include "common/model/data_contract_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <unordered_set>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl {
namespace {

// With any more or less, values of ordinary size would leave the range of fp32.
constexpr double smallest_scale = 1e-30;
constexpr double largest_scale = 1e30;

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

void check_stray_fields(const DataContract& data) {
  struct Field {
    const char* name;
    bool given;
    bool belongs;
  };
  const bool windows = data.format == DataFormat::windows;
  const bool columns = windows || data.format == DataFormat::table;
  const bool images = data.format == DataFormat::images;
  const bool text = data.format == DataFormat::text;
  const std::array<Field, 9> fields{{{"columns", !data.columns.empty(), columns},
                                     {"label", !data.label.empty(), columns},
                                     {"scale", !data.scale.empty(), columns},
                                     {"window", data.window != 0, windows},
                                     {"step", data.step != 0, windows},
                                     {"height", data.height != 0, images},
                                     {"width", data.width != 0, images},
                                     {"alphabet", !data.alphabet.empty(), text},
                                     {"length", data.length != 0, text}}};
  for (const Field& field : fields) {
    if (field.given && !field.belongs) {
      refuse("the data has a " + std::string(field.name) + ", data of the format " +
             std::string(name(data.format)) + " takes none: leave it out");
    }
  }
}

void check_positive(const char* key, std::int64_t value) {
  if (value >= 1 && value <= model_limits::example_elements) return;
  refuse("the data's " + std::string(key) + " is " + std::to_string(value) + ", it must be from 1 to " +
         std::to_string(model_limits::example_elements));
}

void check_input(const TaskContract& contract, Datatype datatype, const Shape& shape) {
  const TensorSpec& input = contract.inputs.front();
  if (input.datatype == datatype && input.shape == shape) return;
  refuse("the input " + in_quotes(input.name) + " is " + std::string(name(input.datatype)) + " " +
         describe(input.shape) + ", the data of the format " + std::string(name(contract.data.format)) +
         " gives " + std::string(name(datatype)) + " " + describe(shape));
}

void check_column_names(const DataContract& data) {
  if (data.columns.empty() || data.columns.size() > model_limits::columns) {
    refuse("the data has " + std::to_string(data.columns.size()) + " columns, it must have 1 to " +
           std::to_string(model_limits::columns));
  }
  std::unordered_set<std::string> seen;
  for (const std::string& column : data.columns) {
    const std::string fault = names::name_fault(column);
    if (!fault.empty()) refuse("the name of the data's column " + in_quotes(column) + " " + fault);
    if (!seen.insert(column).second) refuse("the data's column " + in_quotes(column) + " is there twice");
  }
  const std::string fault = names::name_fault(data.label);
  if (!fault.empty()) refuse("the name of the data's label column " + in_quotes(data.label) + " " + fault);
  if (seen.contains(data.label)) {
    refuse("the data's label column " + in_quotes(data.label) + " is one of its columns, it must be another");
  }
}

void check_scale(const DataContract& data) {
  if (!data.scale.empty() && data.scale.size() != data.columns.size()) {
    refuse("the data's scale has " + std::to_string(data.scale.size()) + " factors for " +
           std::to_string(data.columns.size()) + " columns, it must have one for each or none");
  }
  for (std::size_t i = 0; i < data.scale.size(); ++i) {
    const double magnitude = std::abs(data.scale[i]);
    const bool usable = magnitude >= smallest_scale && magnitude <= largest_scale;  // no for NaN
    if (!usable) {
      std::ostringstream sentence;
      sentence << "the data's scale for the column " << in_quotes(data.columns[i]) << " is " << data.scale[i]
               << ", its magnitude must be from " << smallest_scale << " to " << largest_scale;
      refuse(sentence.str());
    }
  }
}

void check_columns(const TaskContract& contract) {
  const DataContract& data = contract.data;
  check_column_names(data);
  check_scale(data);
  const auto columns = static_cast<std::int64_t>(data.columns.size());
  if (data.format == DataFormat::table) return check_input(contract, Datatype::fp32, {-1, columns});
  check_positive("window", data.window);
  check_positive("step", data.step);
  check_input(contract, Datatype::fp32, {-1, columns, data.window});
}

void check_images(const TaskContract& contract) {
  check_positive("height", contract.data.height);
  check_positive("width", contract.data.width);
  check_input(contract, Datatype::fp32, {-1, 1, contract.data.height, contract.data.width});
}

void check_alphabet(const std::string& alphabet) {
  if (alphabet.empty()) refuse("the data's alphabet is empty, text needs one");
  std::array<bool, 128> seen{};
  for (const char each : alphabet) {
    const auto code = static_cast<unsigned char>(each);
    if (code >= seen.size()) refuse("the data's alphabet holds a character that is not ASCII");
    if (seen[code]) {
      refuse("the data's alphabet holds the character " + in_quotes({&each, 1}) + " (" +
             std::to_string(code) + ") twice");
    }
    seen[code] = true;
  }
}

void check_text(const TaskContract& contract) {
  const DataContract& data = contract.data;
  check_alphabet(data.alphabet);
  check_positive("length", data.length);
  check_input(contract, Datatype::int64, {-1, data.length});
  if (contract.loss == Loss::own) return;
  if (contract.loss != Loss::cross_entropy) {
    refuse("the loss is " + std::string(name(contract.loss)) +
           ", for text, whose targets are characters, it must be cross_entropy or own");
  }
  if (contract.labels.size() != data.alphabet.size()) {
    refuse("there are " + std::to_string(contract.labels.size()) + " labels for an alphabet of " +
           std::to_string(data.alphabet.size()) + " characters, there must be one for each");
  }
}

}  // namespace

void check_data(const TaskContract& contract) {
  check_stray_fields(contract.data);
  switch (contract.data.format) {
    case DataFormat::windows:
    case DataFormat::table:
      return check_columns(contract);
    case DataFormat::images:
      return check_images(contract);
    case DataFormat::text:
      return check_text(contract);
  }
}

}  // namespace fl
