#include "common/serving/infer_request.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/serving/json_request.h"

using namespace fl;
using namespace fl::serving;

namespace {

/// x: FP32 [-1, 2, 3]; n: INT64 [-1, -1].
TaskContract contract() {
  TaskContract made;
  made.inputs = {{"x", Datatype::fp32, {-1, 2, 3}}, {"n", Datatype::int64, {-1, -1}}};
  made.outputs = {{"y", Datatype::fp32, {-1, 4}}};
  return made;
}

const std::vector<std::string> output_names = {"y", "label"};

TaskContract contract_of(Datatype datatype) {
  TaskContract made;
  made.inputs = {{"x", datatype, {-1, 2}}};
  made.outputs = {{"y", Datatype::fp32, {-1, 4}}};
  return made;
}

InferRequest decode(const std::string& body, const TaskContract& of = contract()) {
  return decode_request(as_bytes(body), std::nullopt, of, output_names);
}

const std::string n_input = R"({"name":"n","shape":[1,1],"datatype":"INT64","data":[7]})";
const std::string x_input = R"({"name":"x","shape":[1,2,3],"datatype":"FP32","data":[1,2,3,4,5,6]})";

std::string with_x(const std::string& x) {
  return R"({"inputs":[)" + x + "," + n_input + "]}";
}

std::string with_one(const std::string& datatype, const std::string& data,
                     const std::string& shape = "[1,2]") {
  return R"({"inputs":[{"name":"x","shape":)" + shape + R"(,"datatype":")" + datatype + R"(","data":)" +
         data + "}]}";
}

void check_refused(const std::string& body, const std::string& words, const TaskContract& of = contract()) {
  CAPTURE(body);
  try {
    decode(body, of);
    FAIL_CHECK("it was read");
  } catch (const Error& error) {
    CAPTURE(error.what());
    CHECK(error.code() == ErrorCode::invalid_argument);
    CHECK(std::string(error.what()).find(words) != std::string::npos);
  }
}

template <typename Value>
std::vector<Value> values_of(const Tensor& tensor) {
  std::vector<Value> values(tensor.data.size() / sizeof(Value));
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

}  // namespace

TEST_CASE("a request gives its tensors in the contract's order and its outputs in its own") {
  const InferRequest request =
      decode(R"({"id":"a \u00e9","inputs":[)" + n_input + "," + x_input +
             R"(],"outputs":[{"name":"label"},{"name":"y","parameters":{"binary_data":true}}]})");
  CHECK(request.id == "a \xc3\xa9");
  REQUIRE(request.inputs.size() == 2);
  CHECK(request.inputs[0].shape == Shape{1, 2, 3});
  CHECK(values_of<float>(request.inputs[0]) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(values_of<std::int64_t>(request.inputs[1]) == std::vector<std::int64_t>{7});
  REQUIRE(request.outputs.size() == 2);
  CHECK(request.outputs[0].index == 1);
  CHECK_FALSE(request.outputs[0].binary);
  CHECK(request.outputs[1].index == 0);
  CHECK(request.outputs[1].binary);
}

TEST_CASE("a request that names no outputs gets all of them") {
  const InferRequest request = decode(with_x(x_input));
  REQUIRE(request.outputs.size() == 2);
  CHECK(request.outputs[0].index == 0);
  CHECK(request.outputs[1].index == 1);
  const InferRequest binary =
      decode(R"({"parameters":{"binary_data_output":true},"inputs":[)" + x_input + "," + n_input + "]}");
  CHECK(binary.outputs[0].binary);
  CHECK(binary.outputs[1].binary);
}

TEST_CASE("data is flat or nested as its shape") {
  for (const char* const data : {"[1,2,3,4,5,6]", "[[[1,2,3],[4,5,6]]]", "[ [ [1e0,2.0,3],[4,5,60E-1] ] ]"}) {
    const InferRequest request =
        decode(with_x(R"({"name":"x","shape":[1,2,3],"datatype":"FP32","data":)" + std::string(data) + "}"));
    CHECK(values_of<float>(request.inputs[0]) == std::vector<float>{1, 2, 3, 4, 5, 6});
  }
}

TEST_CASE("the keys of an input may come in any order") {
  const std::string x = R"({"data":[[[1,2,3],[4,5,6]]],"shape":[1,2,3],"name":"x","datatype":"FP32"})";
  const std::string n = R"({"data":[9007199254740993],"name":"n","datatype":"INT64","shape":[1,1]})";
  const InferRequest request = decode(R"({"inputs":[)" + n + "," + x + "]}");
  CHECK(values_of<float>(request.inputs[0]) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(values_of<std::int64_t>(request.inputs[1]) == std::vector<std::int64_t>{9007199254740993});
}

TEST_CASE("what the protocol does not have is passed over") {
  decode(R"({"more":{"inputs":[1,{"data":[true]}]},"list":[[1],{"a":null}],"inputs":[)" + x_input + "," +
         n_input + R"(],"parameters":{"priority":1,"binary_data":"x","note":[1,2]}})");
}

TEST_CASE("every datatype has its values to the last bit and refuses what it has no room for (I9)") {
  struct Case {
    Datatype datatype;
    const char* good;
    std::vector<const char*> bad;
  };
  const std::array<Case, 8> cases{{
      {Datatype::boolean, "[true,0]", {"[2,1]", "[1.0,0]", "[-1,0]"}},
      {Datatype::uint8, "[0,255]", {"[256,0]", "[-1,0]", "[1.5,0]", "[true,0]"}},
      {Datatype::int8, "[-128,127]", {"[128,0]", "[-129,0]"}},
      {Datatype::int16, "[-32768,32767]", {"[32768,0]"}},
      {Datatype::int32, "[-2147483648,2147483647]", {"[2147483648,0]", "[1e2,0]"}},
      {Datatype::int64, "[-9223372036854775808,9223372036854775807]", {"[9223372036854775808,0]"}},
      {Datatype::fp32,
       "[0.1,3.4028235e38]",
       {"[3.5e38,0]", "[1e999,0]", "[false,0]", "[\"1\",0]", "[null,0]"}},
      {Datatype::fp64, "[0.1,1.7976931348623157e308]", {"[1e999,0]"}},
  }};
  for (const Case& each : cases) {
    const std::string datatype(name(each.datatype));
    CAPTURE(datatype);
    const InferRequest request = decode(with_one(datatype, each.good), contract_of(each.datatype));
    CHECK(request.inputs[0].data.size() == 2 * size_of(each.datatype));
    for (const char* const bad : each.bad)
      check_refused(with_one(datatype, bad), "'data' of input 0", contract_of(each.datatype));
  }
  const InferRequest doubles = decode(with_one("FP64", "[0.1,-5e-324]"), contract_of(Datatype::fp64));
  CHECK(values_of<double>(doubles.inputs[0]) == std::vector<double>{0.1, -5e-324});
  const InferRequest tiny = decode(with_one("FP32", "[1e-400,-1e-60]"), contract_of(Datatype::fp32));
  CHECK(values_of<float>(tiny.inputs[0]) == std::vector<float>{0.0F, 0.0F});
  check_refused(with_one("FP16", "[1,2]"), "send it in binary", contract_of(Datatype::fp16));
}

TEST_CASE("floats written shortest are read back to the bit") {
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    const auto value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    std::array<char, 32> text{};
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    const std::string number(text.data(), static_cast<std::size_t>(end - text.data()));
    const InferRequest request = decode(with_one("FP32", "[" + number + ",0]"), contract_of(Datatype::fp32));
    const std::vector<float> read = values_of<float>(request.inputs[0]);
    CHECK(std::bit_cast<std::uint32_t>(read[0]) == bits);
  }
}

TEST_CASE("raw tensors follow the JSON in the order of the inputs") {
  const std::array<float, 6> x{1, 2, 3, 4, 5, 6};
  const std::array<std::int64_t, 2> n{-1, 8};
  std::string body =
      R"({"inputs":[{"name":"n","shape":[1,2],"datatype":"INT64","parameters":{"binary_data_size":16}},)"
      R"({"name":"x","shape":[1,2,3],"datatype":"FP32","parameters":{"binary_data_size":24}}]})";
  const std::size_t length = body.size();
  body.append(reinterpret_cast<const char*>(n.data()), sizeof n);
  body.append(reinterpret_cast<const char*>(x.data()), sizeof x);
  const InferRequest request = decode_request(as_bytes(body), length, contract(), output_names);
  CHECK(values_of<float>(request.inputs[0]) == std::vector<float>(x.begin(), x.end()));
  CHECK(values_of<std::int64_t>(request.inputs[1]) == std::vector<std::int64_t>(n.begin(), n.end()));

  const auto refused = [&](const std::string& changed, std::size_t json_length, const std::string& words) {
    CAPTURE(words);
    try {
      decode_request(as_bytes(changed), json_length, contract(), output_names);
      FAIL_CHECK("it was read");
    } catch (const Error& error) {
      CAPTURE(error.what());
      CHECK(error.code() == ErrorCode::invalid_argument);
      CHECK(std::string(error.what()).find(words) != std::string::npos);
    }
  };
  refused(body + "x", length, "1 bytes follow the JSON that belong to no input");
  refused(body.substr(0, body.size() - 1), length, "23 are left");
  refused(body, body.size() + 1, "Inference-Header-Content-Length says");
  refused(body, length - 1, "no JSON at byte");
  const float bad = std::numeric_limits<float>::quiet_NaN();
  std::string with_nan = body;
  std::memcpy(with_nan.data() + length + 20, &bad, sizeof bad);
  refused(with_nan, length, "value 1 of input 'x' is NaN");
}

TEST_CASE("what a raw tensor says of its size is its shape's (I8)") {
  const auto body = [](const std::string& parameters) {
    return R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32",)" + parameters + "}]}";
  };
  const TaskContract of = contract_of(Datatype::fp32);
  check_refused(body(R"("parameters":{"binary_data_size":9})"), "its shape [1, 2] has 2 of 4 bytes each", of);
  check_refused(body(R"("parameters":{"binary_data_size":8})"), "0 are left", of);
  check_refused(body(R"("parameters":{"binary_data_size":-8})"), "must be a number of bytes", of);
  check_refused(body(R"("parameters":{"binary_data_size":"8"})"), "must not be a text", of);
  check_refused(body(R"("parameters":{"binary_data_size":8},"data":[1,2])"), "has both", of);
  check_refused(body(R"("parameters":{})"), "has neither", of);
}

TEST_CASE("shapes that do not fit are refused before anything is made of them (I8)") {
  for (const char* const shape : {"[0,2]", "[1]", "[]", "[1,3]", "[1,2,1]", "[2,1]"})
    check_refused(with_one("FP32", "[1,2]", shape), "the model takes [-1, 2]", contract_of(Datatype::fp32));
  for (const char* const shape : {"[-1,2]", "[1.5,2]", "[1e0,2]", "[9223372036854775808,2]"})
    check_refused(with_one("FP32", "[1,2]", shape), "a dimension is an integer from 0 on",
                  contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[1,2]", "[1,[2]]"), "must not be an array", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[1,2,3]"), "has 3 values", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[[1],[2]]"), "nested as [2, 1]", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[[1,2],3]"), "side by side", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[3,[1,2]]"), "side by side", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[[1,2],[3]]", "[2,2]"), "different lengths", contract_of(Datatype::fp32));
  check_refused(with_one("FP32", "[[[1,2]]]"), "nested as [1, 1, 2]", contract_of(Datatype::fp32));
  TaskContract open;
  open.inputs = {{"x", Datatype::fp32, {-1, -1, -1, -1}}};
  check_refused(
      R"({"inputs":[{"name":"x","shape":[4000,3037000500,3037000500,9],"datatype":"FP32","data":[1]}]})",
      "input 'x'", open);
}

TEST_CASE("what is beyond the limits is refused as too large (I8)") {
  const auto check_too_large = [](const std::string& body, std::optional<std::size_t> json_length,
                                  const RequestLimits& limits) {
    try {
      decode_request(as_bytes(body), json_length, contract_of(Datatype::fp32), output_names, limits);
      FAIL_CHECK("it was read");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::resource_exhausted);
    }
  };
  const std::string body = with_one("FP32", "[1,2]");
  check_too_large(body, std::nullopt, {body.size() - 1, 1000, 10});
  check_too_large(body, std::nullopt, {1000, body.size() - 1, 10});
  check_too_large(with_one("FP32", "[1,2,3,4,5,6]", "[3,2]"), std::nullopt, {1000, 1000, 2});
  const std::string header =
      R"({"inputs":[{"name":"x","shape":[3,2],"datatype":"FP32","parameters":{"binary_data_size":24}}]})";
  check_too_large(header + std::string(24, '\0'), header.size(), {1000, 1000, 2});
}

TEST_CASE("a request that is no request says what is wrong (I9)") {
  check_refused("", "no JSON");
  check_refused("{", "no JSON");
  check_refused("{} {}", "no JSON");
  check_refused("[]", "must be a JSON object");
  check_refused("7", "must not be a number");
  check_refused("{}", "input 'x' is missing");
  check_refused(R"({"inputs":7})", "'inputs' must not be a number");
  check_refused(R"({"inputs":{}})", "'inputs' must not be an object");
  check_refused(R"({"inputs":[7]})", "an element of 'inputs' must not be a number");
  check_refused(R"({"inputs":null})", "is null");
  check_refused(R"({"id":7})", "'id' must not be a number");
  check_refused(R"({"inputs":[],"inputs":[]})", "input 'x' is missing");
  check_refused(R"({"inputs":[)" + x_input + R"(],"inputs":[]})", "twice");
  check_refused(R"({"inputs":[)" + x_input + "]}", "input 'n' is missing");
  check_refused(R"({"inputs":[)" + x_input + "," + x_input + "]}", "input 'x' stands there twice");
  check_refused(with_x(R"({"name":"z","shape":[1],"datatype":"FP32","data":[1]})"), "there is no input 'z'");
  check_refused(with_x(R"({"name":"x","shape":[1,2,3],"datatype":"FP64","data":[1,2,3,4,5,6]})"),
                "is FP64, the model takes FP32");
  check_refused(with_x(R"({"name":"x","shape":[1,2,3],"datatype":"FP99","data":[1]})"), "no datatype 'FP99'");
  check_refused(with_x(R"({"name":"x","shape":[1,2,3],"data":[1,2,3,4,5,6]})"), "has no 'datatype'");
  check_refused(with_x(R"({"name":"x","datatype":"FP32","data":[1,2,3,4,5,6]})"), "has no 'shape'");
  check_refused(
      R"({"inputs":[{"name":"x","shape":[2,2,3],"datatype":"FP32","data":[1,2,3,4,5,6,1,2,3,4,5,6]},)" +
          n_input + "]}",
      "batches of different sizes");
  check_refused(R"({"outputs":[{"name":"q"}],"inputs":[)" + x_input + "," + n_input + "]}",
                "there is no output 'q'");
  check_refused(R"({"outputs":[{"name":"y"},{"name":"y"}],"inputs":[)" + x_input + "," + n_input + "]}",
                "asked for twice");
  check_refused(std::string(30, '[') + std::string(30, ']'), "must be a JSON object");
  check_refused(R"({"a":)" + std::string(100, '[') + std::string(100, ']') + "}", "no JSON");
  check_refused(with_one("FP32", std::string(20, '[') + "1,2" + std::string(20, ']')), "nested too deep",
                contract_of(Datatype::fp32));
  check_refused("{\"id\":\"\xff\"}", "no JSON");
}

TEST_CASE("a key that stands there twice is refused whatever it says (I8)") {
  check_refused(
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2],"datatype":"INT64"}]})",
      "'datatype' of input 0 stands there twice", contract_of(Datatype::int64));
  check_refused(R"({"inputs":[{"name":"q","name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})",
                "'name' of input 0 stands there twice", contract_of(Datatype::fp32));
  check_refused(R"({"inputs":[{"name":"x","shape":[1,2],"shape":[1,2],"datatype":"FP32","data":[1,2]}]})",
                "'shape' of input 0 stands there twice", contract_of(Datatype::fp32));
  check_refused(R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1],"data":[2]}]})",
                "'data' of input 0 stands there twice", contract_of(Datatype::fp32));
}

TEST_CASE("values that no batch of the model could have are not kept (I8)") {
  std::string values = "0";
  for (int i = 0; i < 50'000; ++i) values += ",0";
  const std::string begin = R"({"inputs":[{"name":"x","shape":[1,2],)";
  const std::string type_first = begin + R"("datatype":"INT64","data":[)" + values + "]}]}";
  const std::string data_first = begin + R"("data":[)" + values + R"(],"datatype":"INT64"}]})";
  for (const std::string& body : {type_first, data_first}) {
    const JsonRequest read = read_json_request(body, 1000);
    CHECK(read.inputs.front().data.size() <= 1000);
    CHECK(read.inputs.front().overflows);
    CHECK(read.inputs.front().count == 50'001);
    check_refused(body, "50001 values", contract_of(Datatype::int64));
  }
}

TEST_CASE("texts that are passed over may be long and those that are read may not (I8)") {
  const std::string long_text(100'000, 'a');
  decode(R"({"note":")" + long_text + R"(","inputs":[)" + x_input + "," + n_input + "]}");
  check_refused(R"({"id":")" + long_text + R"(","inputs":[)" + x_input + "," + n_input + "]}",
                "'id' is too long");
}

TEST_CASE("halves that are NaN or infinite are refused (I9)") {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP16","parameters":{"binary_data_size":4}}]})";
  const auto decode_halves = [&](std::string_view raw) {
    const std::string body = json + std::string(raw);
    return decode_request(as_bytes(body), json.size(), contract_of(Datatype::fp16), output_names);
  };
  CHECK(decode_halves(std::string_view("\x00\x3c\xff\x7b", 4)).inputs[0].data.size() == 4);
  CHECK_THROWS_AS(decode_halves(std::string_view("\x00\x3c\x00\x7c", 4)), Error);
  CHECK_THROWS_AS(decode_halves(std::string_view("\x01\xfe\x00\x3c", 4)), Error);
}

TEST_CASE("changed requests are read or refused but never crash (I8)") {
  Random random(11);
  const std::string good = R"({"id":"7","inputs":[)" + n_input + "," + x_input +
                           R"(],"outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = good;
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      const std::size_t place = random.below(changed.size());
      switch (random.below(3)) {
        case 0:
          changed[place] = good[random.below(good.size())];
          break;
        case 1:
          changed.erase(place, 1 + random.below(8));
          break;
        default:
          changed.insert(place, good.substr(random.below(good.size()), 1 + random.below(16)));
      }
      if (changed.empty()) break;
    }
    try {
      decode(changed);
    } catch (const Error& error) {
      const bool is_refusal =
          error.code() == ErrorCode::invalid_argument || error.code() == ErrorCode::resource_exhausted;
      CHECK(is_refusal);
    }
  }
}
