#include "common/serving/infer_response.h"

#include <limits>
#include <span>
#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include "common/base/error.h"

using namespace fl;
using namespace fl::serving;
namespace json = boost::json;

namespace {

InferResponse sample() {
  InferResponse response;
  response.model_name = "har";
  response.model_version = "7";
  response.id = "a \"quoted\" one";
  response.parameters = {{"route", "local"}};
  response.outputs = {{"y", {2, 2}, std::vector<float>{0.1F, -1.5e-30F, 3.4028235e38F, 0.0F}, false},
                      {"label", {2}, std::vector<std::string>{"sitting", "a\nb"}, false}};
  return response;
}

std::string text_of(const EncodedResponse& response) {
  return std::string(as_text(response.body));
}

}  // namespace

TEST_CASE("a response is the protocol's JSON and its floats come back to the bit") {
  const EncodedResponse encoded = encode_response(sample());
  CHECK_FALSE(encoded.json_length);
  const json::value read = json::parse(text_of(encoded));
  CHECK(read.at("model_name") == "har");
  CHECK(read.at("model_version") == "7");
  CHECK(read.at("id") == "a \"quoted\" one");
  CHECK(read.at("parameters").at("route") == "local");
  const json::value& y = read.at("outputs").at(0);
  CHECK(json::serialize(y.at("shape")) == "[2,2]");
  CHECK(y.at("datatype") == "FP32");
  const InferResponse response = sample();
  const auto& numbers = std::get<std::vector<float>>(response.outputs[0].values);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    CHECK(static_cast<float>(y.at("data").at(i).to_number<double>()) == numbers[i]);
  const json::value& label = read.at("outputs").at(1);
  CHECK(label.at("datatype") == "BYTES");
  CHECK(label.at("data").at(1) == "a\nb");
}

TEST_CASE("a response to a request without id or version has none") {
  InferResponse bare = sample();
  bare.id.clear();
  bare.model_version.clear();
  bare.parameters.clear();
  const json::object read = json::parse(text_of(encode_response(bare))).as_object();
  CHECK(read.size() == 2);
}

TEST_CASE("outputs asked for in binary follow the JSON in order") {
  InferResponse response = sample();
  for (ResponseOutput& output : response.outputs) output.binary = true;
  const EncodedResponse encoded = encode_response(response);
  REQUIRE(encoded.json_length);
  const std::string body = text_of(encoded);
  const json::value read = json::parse(body.substr(0, *encoded.json_length));
  CHECK(read.at("outputs").at(0).at("parameters").at("binary_data_size") == 16);
  CHECK(read.at("outputs").at(1).at("parameters").at("binary_data_size") == 4 + 7 + 4 + 3);
  CHECK_FALSE(read.at("outputs").at(0).as_object().contains("data"));
  const std::string raw = body.substr(*encoded.json_length);
  const auto& numbers = std::get<std::vector<float>>(response.outputs[0].values);
  REQUIRE(raw.size() == 16 + 18);
  CHECK(raw.substr(0, 16) == as_text(as_bytes(std::span<const float>(numbers))));
  CHECK(raw.substr(16) == std::string("\x07\0\0\0sitting\x03\0\0\0a\nb", 18));
}

TEST_CASE("an output that JSON has no number for is refused by name and goes in binary (I9)") {
  InferResponse response = sample();
  std::get<std::vector<float>>(response.outputs[0].values)[2] = std::numeric_limits<float>::infinity();
  try {
    encode_response(response);
    FAIL_CHECK("it was written");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_data);
    CHECK(std::string(error.what()).find("output 'y'") == 0);
  }
  response.outputs[0].binary = true;
  CHECK(encode_response(response).json_length);
}

TEST_CASE("an error is an object with its sentence") {
  CHECK(error_body("there is no \"x\"\n") == R"({"error":"there is no \"x\"\n"})");
}
