#include "common/serving/infer_response.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl::serving {
namespace {

std::string json_text(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

void append_number(std::string& json, float value, const std::string& output) {
  if (!std::isfinite(value)) {
    throw Error(ErrorCode::invalid_data,
                "output " + in_quotes(output) +
                    " has NaN or infinity, which JSON has no number for; ask for it in binary");
  }
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  json.append(text.data(), end);
}

void append_shape(std::string& json, const Shape& shape) {
  json += '[';
  for (std::size_t i = 0; i < shape.size(); ++i) json += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  json += ']';
}

void append_data(std::string& json, const ResponseOutput& output) {
  json += ",\"data\":[";
  bool first = true;
  const auto separate = [&] { json += std::exchange(first, false) ? "" : ","; };
  if (const auto* const numbers = std::get_if<std::vector<float>>(&output.values)) {
    json.reserve(json.size() + numbers->size() * 12);
    for (const float value : *numbers) {
      separate();
      append_number(json, value, output.name);
    }
  } else {
    for (const std::string& text : std::get<std::vector<std::string>>(output.values)) {
      separate();
      json += json_text(text);
    }
  }
  json += ']';
}

/// As the binary extension has it: floats as they are, texts with their length before them.
Bytes raw_bytes(const ResponseOutput& output) {
  Bytes raw;
  const auto append = [&raw](ByteView bytes) { raw.insert(raw.end(), bytes.begin(), bytes.end()); };
  if (const auto* const numbers = std::get_if<std::vector<float>>(&output.values)) {
    append(as_bytes(std::span<const float>(*numbers)));
    return raw;
  }
  for (const std::string& text : std::get<std::vector<std::string>>(output.values)) {
    const auto length = static_cast<std::uint32_t>(text.size());
    append(std::as_bytes(std::span(&length, 1)));
    append(as_bytes(text));
  }
  return raw;
}

void append_output(std::string& json, Bytes& raw, const ResponseOutput& output) {
  const bool is_text = std::holds_alternative<std::vector<std::string>>(output.values);
  json += "{\"name\":" + json_text(output.name) + ",\"datatype\":" + (is_text ? "\"BYTES\"" : "\"FP32\"") +
          ",\"shape\":";
  append_shape(json, output.shape);
  if (output.binary) {
    const Bytes bytes = raw_bytes(output);
    json += ",\"parameters\":{\"binary_data_size\":" + std::to_string(bytes.size()) + "}";
    raw.insert(raw.end(), bytes.begin(), bytes.end());
  } else {
    append_data(json, output);
  }
  json += '}';
}

}  // namespace

EncodedResponse encode_response(const InferResponse& response) {
  std::string json = "{\"model_name\":" + json_text(response.model_name);
  if (!response.model_version.empty()) json += ",\"model_version\":" + json_text(response.model_version);
  if (!response.id.empty()) json += ",\"id\":" + json_text(response.id);
  if (!response.parameters.empty()) {
    json += ",\"parameters\":{";
    for (std::size_t i = 0; i < response.parameters.size(); ++i) {
      const auto& [key, value] = response.parameters[i];
      json += (i == 0 ? "" : ",") + json_text(key) + ":" + json_text(value);
    }
    json += '}';
  }
  json += ",\"outputs\":[";
  Bytes raw;
  bool is_binary = false;
  for (const ResponseOutput& output : response.outputs) {
    if (&output != response.outputs.data()) json += ',';
    append_output(json, raw, output);
    is_binary = is_binary || output.binary;
  }
  json += "]}";
  EncodedResponse encoded;
  const ByteView text = as_bytes(std::string_view(json));
  encoded.body.assign(text.begin(), text.end());
  encoded.body.insert(encoded.body.end(), raw.begin(), raw.end());
  if (is_binary) encoded.json_length = json.size();
  return encoded;
}

std::string error_body(const std::string& sentence) {
  return "{\"error\":" + json_text(sentence) + "}";
}

}  // namespace fl::serving
