#include "tests/unit/serving/conformance.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <boost/json.hpp>
#include <doctest/doctest.h>

namespace fl::test {
namespace {

namespace json = boost::json;

HttpAnswer ask(const DoorUnderTest& door, const std::string& method, const std::string& target,
               const HttpClient::Fields& more = {}, const std::string& body = "") {
  HttpClient::Fields fields = door.fields;
  for (const auto& [name, value] : more) fields[name] = value;
  return HttpClient(door.port, door.tls).ask(method, target, fields, body);
}

HttpAnswer infer(const DoorUnderTest& door, const std::string& body, const HttpClient::Fields& more = {}) {
  return ask(door, "POST", "/v2/models/har/infer", more, body);
}

json::value body_of(const HttpAnswer& answer) {
  CAPTURE(answer.body);
  CHECK(answer.fields.at("content-type") == "application/json");
  return json::parse(answer.body);
}

void check_error(const HttpAnswer& answer, unsigned status, const std::string& words = "") {
  CAPTURE(answer.body);
  CHECK(answer.status == status);
  const json::value body = body_of(answer);
  REQUIRE(body.is_object());
  REQUIRE(body.as_object().contains("error"));
  CHECK(body.as_object().size() == 1);
  const std::string sentence(body.at("error").as_string());
  CHECK_FALSE(sentence.empty());
  CHECK(sentence.find(words) != std::string::npos);
}

std::string input(const std::string& shape, const std::string& data, const std::string& name = "x",
                  const std::string& datatype = "FP32") {
  return R"({"name":")" + name + R"(","shape":)" + shape + R"(,"datatype":")" + datatype + R"(","data":)" +
         data + "}";
}

std::string request(const std::string& inputs, const std::string& more = "") {
  return "{" + more + R"("inputs":[)" + inputs + "]}";
}

const json::object& output_named(const json::value& response, const std::string& name) {
  for (const json::value& output : response.at("outputs").as_array()) {
    if (output.at("name").as_string() == name.c_str()) return output.as_object();
  }
  throw std::runtime_error("there is no output " + name);
}

std::vector<float> floats_of(const json::value& data) {
  std::vector<float> values;
  for (const json::value& each : data.as_array()) values.push_back(each.to_number<float>());
  return values;
}

std::string raw(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string many_zeros(int count) {
  std::string zeros = "0";
  for (int i = 1; i < count; ++i) zeros += ",0";
  return zeros;
}

/// A request with one raw input, and its fields.
HttpAnswer infer_raw(const DoorUnderTest& door, const std::string& header, const std::string& bytes) {
  return infer(door, header + bytes,
               {{"Inference-Header-Content-Length", std::to_string(header.size())},
                {"Content-Type", "application/octet-stream"}});
}

std::string raw_input(std::size_t size, const std::string& shape = "[2,2]") {
  return R"({"name":"x","shape":)" + shape + R"(,"datatype":"FP32","parameters":{"binary_data_size":)" +
         std::to_string(size) + "}}";
}

void check_metadata(const DoorUnderTest& door) {
  const json::value server = body_of(ask(door, "GET", "/v2"));
  CHECK(server.at("name").as_string() == door.server_name.c_str());
  CHECK_FALSE(server.at("version").as_string().empty());
  CHECK(server.at("extensions") == json::value(json::array{"binary_tensor_data"}));
  CHECK(body_of(ask(door, "GET", "/v2/health/live")).at("live") == json::value(true));
  CHECK(body_of(ask(door, "GET", "/v2/health/ready")).at("ready") == json::value(true));

  const std::string number = std::to_string(door.version);
  for (const std::string& at : {std::string("/v2/models/har"), "/v2/models/har/versions/" + number}) {
    const json::value model = body_of(ask(door, "GET", at));
    CHECK(model.at("name") == json::value("har"));
    CHECK(model.at("versions") == json::value(json::array{number}));
    CHECK_FALSE(model.at("platform").as_string().empty());
    CHECK(model.at("inputs") == json::parse(R"([{"name":"x","datatype":"FP32","shape":[-1,2]}])"));
    CHECK(model.at("outputs") == json::parse(R"([{"name":"y","datatype":"FP32","shape":[-1,3]},
                                                 {"name":"scores","datatype":"FP32","shape":[-1,3]},
                                                 {"name":"label","datatype":"BYTES","shape":[-1]}])"));
    const json::value ready = body_of(ask(door, "GET", at + "/ready"));
    CHECK(ready == json::value(json::object{{"name", "har"}, {"ready", true}}));
  }
  HttpClient client(door.port, door.tls);
  const HttpAnswer head = client.ask("HEAD", "/v2/health/live");
  CHECK(head.status == 200);
  CHECK(head.fields.at("content-length") == "13");
  CHECK(client.ask("GET", "/v2/health/live").body == R"({"live":true})");  // and nothing came between
}

void check_json_inference(const DoorUnderTest& door) {
  const HttpAnswer answer = infer(door, request(input("[2,2]", "[1.5,0,-2,7]"), R"("id":"a \"b\"",)"));
  CHECK(answer.status == 200);
  const json::value response = body_of(answer);
  CHECK(response.at("model_name") == json::value("har"));
  CHECK(response.at("model_version") == json::value(std::to_string(door.version)));
  CHECK(response.at("id") == json::value("a \"b\""));
  CHECK(response.at("parameters").at("lineage") == json::value(std::to_string(door.version)));
  CHECK(response.at("parameters").at("route") == json::value(door.route));
  const json::object& y = output_named(response, "y");
  CHECK(y.at("shape") == json::value(json::array{2, 3}));
  CHECK(y.at("datatype") == json::value("FP32"));
  CHECK(floats_of(y.at("data")) == std::vector<float>{1.5F, 0, 0, -2, 0, 0});
  const std::vector<float> scores = floats_of(output_named(response, "scores").at("data"));
  const double first = std::exp(1.5) / (std::exp(1.5) + 2);
  CHECK(scores.at(0) == doctest::Approx(first));
  CHECK(scores.at(1) == doctest::Approx((1 - first) / 2));
  CHECK(scores.at(3) == doctest::Approx(std::exp(-2) / (std::exp(-2) + 2)));
  CHECK(output_named(response, "label").at("shape") == json::value(json::array{2}));
  CHECK(output_named(response, "label").at("datatype") == json::value("BYTES"));
  CHECK(output_named(response, "label").at("data") == json::value(json::array{"c0", "c1"}));

  SUBCASE("data may be nested and outputs named") {
    const json::value named = body_of(infer(
        door, request(input("[2,2]", "[[1,2],[3,4]]"), R"("outputs":[{"name":"label"},{"name":"y"}],)")));
    const json::array& outputs = named.at("outputs").as_array();
    REQUIRE(outputs.size() == 2);
    CHECK(outputs[0].at("name") == json::value("label"));
    CHECK(floats_of(outputs[1].at("data")) == std::vector<float>{1, 0, 0, 3, 0, 0});
    CHECK_FALSE(named.as_object().contains("id"));
  }
  SUBCASE("what clients send of optional fields may say nothing") {
    const std::string nothing = R"("id":null,"outputs":null,"parameters":{"timeout":0,"mine":"x"},)";
    CHECK(infer(door, request(input("[1,2]", "[1,2]"), nothing)).status == 200);
  }
  SUBCASE("a version is asked for by its number") {
    const std::string at = "/v2/models/har/versions/" + std::to_string(door.version) + "/infer";
    CHECK(ask(door, "POST", at, {}, request(input("[1,2]", "[1,2]"))).status == 200);
  }
}

void check_binary_inference(const DoorUnderTest& door) {
  const std::string bytes = raw({1.5F, 0, -2, 7});
  const std::string all_raw = R"("parameters":{"binary_data_output":true},)";
  const HttpAnswer answer = infer_raw(door, request(raw_input(bytes.size()), all_raw), bytes);
  REQUIRE(answer.status == 200);
  CHECK(answer.fields.at("content-type") == "application/octet-stream");
  const std::size_t length = std::stoul(answer.fields.at("inference-header-content-length"));
  const json::value response = json::parse(answer.body.substr(0, length));
  std::string rest = answer.body.substr(length);
  for (const json::value& output : response.at("outputs").as_array()) {
    const auto size = output.at("parameters").at("binary_data_size").to_number<std::size_t>();
    REQUIRE(size <= rest.size());
    CHECK_FALSE(output.as_object().contains("data"));
    if (output.at("name") == json::value("y")) CHECK(rest.substr(0, size) == raw({1.5F, 0, 0, -2, 0, 0}));
    if (output.at("name") == json::value("label"))
      CHECK(rest.substr(0, size) == std::string("\x02\0\0\0c0\x02\0\0\0c1", 12));
    rest.erase(0, size);
  }
  CHECK(rest.empty());

  SUBCASE("raw inputs are answered in JSON where nothing else is asked for") {
    const HttpAnswer plain = infer_raw(door, request(raw_input(bytes.size())), bytes);
    CHECK(floats_of(output_named(body_of(plain), "y").at("data")) ==
          std::vector<float>{1.5F, 0, 0, -2, 0, 0});
    CHECK_FALSE(plain.fields.contains("inference-header-content-length"));
  }
  SUBCASE("one output of several is asked for raw") {
    const std::string outputs =
        R"("outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"label"}],)";
    const HttpAnswer mixed = infer(door, request(input("[1,2]", "[4,5]"), outputs));
    const std::size_t json_length = std::stoul(mixed.fields.at("inference-header-content-length"));
    CHECK(mixed.body.substr(json_length) == raw({4, 0, 0}));
    CHECK(output_named(json::parse(mixed.body.substr(0, json_length)), "label").contains("data"));
  }
}

void check_errors(const DoorUnderTest& door) {
  const std::string good = request(input("[1,2]", "[1,2]"));
  check_error(ask(door, "GET", "/v2/models/nobody"), 404, "nobody");
  check_error(ask(door, "POST", "/v2/models/nobody/infer", {}, good), 404, "har");
  check_error(ask(door, "GET", "/v2/models/har/versions/99/ready"), 404, "99");
  check_error(ask(door, "GET", "/v3"), 404, "/v2");
  const HttpAnswer read = ask(door, "GET", "/v2/models/har/infer");
  check_error(read, 405, "POST");
  CHECK(read.fields.at("allow") == "POST");
  check_error(ask(door, "DELETE", "/v2"), 405, "GET");
  check_error(infer(door, request(input("[1,2]", "[1,2]"), R"("outputs":[{"name":"z"}],)")), 400, "z");
  for (const char* const parameter :
       {R"("outputs":[{"name":"y","parameters":{"classification":1}}],)",
        R"("outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}],)",
        R"("parameters":{"sequence_id":1},)"}) {
    CAPTURE(parameter);
    check_error(infer(door, request(input("[1,2]", "[1,2]"), parameter)), 501, "not supported");
  }
  check_error(infer(door, good, {{"Content-Encoding", "gzip"}}), 415, "Content-Encoding");
  check_error(ask(door, "GET", "/v2/health/live", {}, "body"), 400, "no body");
}

void check_abuse(const DoorUnderTest& door) {
  const std::string nested = std::string(5000, '[') + std::string(5000, ']');
  for (const std::string& body : {
           std::string(),
           std::string("nonsense"),
           std::string("[]"),
           std::string("{}"),
           request(""),
           request(input("[4611686018427387904,4]", "[1,2]")),
           request(input("[9223372036854775807,2]", "[1,2]")),
           request(input("[-1,2]", "[1,2]")),
           request(input("[1,3]", "[1,2,3]")),
           request(input("[2]", "[1,2]")),
           request(input("[0,2]", "[]")),
           request(input("[1,2]", "[1,2,3]")),
           request(input("[1000000000,2]", "[1,2]")),
           request(raw_input(8, "[1000000000000000,2]")),
           request(input("[1,2]", "[1]")),
           request(input("[1,2]", nested)),
           R"({"x":)" + nested + "}",
           request(input("[1,2]", "[1,NaN]")),
           request(input("[1,2]", "[1,Infinity]")),
           request(input("[1,2]", "[1,1e39]")),
           request(input("[1,2]", R"([1,"2"])")),
           request(input("[1,2]", "[1,2]", "y")),
           request(input("[1,2]", "[1,2]", "x", "INT64")),
           request(input("[1,2]", "[1,2]", "x", "FP128")),
           request(input("[1,2]", "[1,2]") + "," + input("[1,2]", "[1,2]")),
           request(input("[1,2]", "[1,2]"), R"("outputs":[{"name":"y"},{"name":"y"}],)"),
           request(raw_input(8, "[1,2]")),
           request(input("[1,4000]", "[" + many_zeros(4000) + "]")),
           request(input("[1,2]", "[" + many_zeros(100'000) + "]")),
       }) {
    CAPTURE(body);
    check_error(infer(door, body), 400);
  }
  const std::string bytes = raw({1, 2, 3, 4});
  check_error(infer_raw(door, request(raw_input(8)), bytes), 400, "8");
  check_error(infer_raw(door, request(raw_input(16)), bytes + "x"), 400);
  check_error(infer_raw(door, request(raw_input(16)), bytes.substr(1)), 400);
  check_error(infer_raw(door, request(raw_input(16)), raw({1, std::nanf(""), 3, 4})), 400);
  for (const char* const length : {"1000000", "-1", "x", "18446744073709551616", ""}) {
    CAPTURE(length);
    check_error(infer(door, request(input("[1,2]", "[1,2]")), {{"Inference-Header-Content-Length", length}}),
                400);
  }
  check_error(infer(door, request(input("[4097,2]", "[" + many_zeros(2 * 4097) + "]"))), 413, "4096");

  // Refused before a byte of it is read.
  HttpClient huge(door.port, door.tls);
  std::string head = "POST /v2/models/har/infer HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(door.port) +
                     "\r\nContent-Length: 67108865\r\n";
  head += HttpClient::lines_of(door.fields);
  huge.send(head + "\r\n");
  check_error(huge.answer(), 413, "67108864");
  CHECK(huge.is_closed());
}

void check_connections(const DoorUnderTest& door) {
  const std::string body = request(input("[1,2]", "[1,2]"));
  HttpClient client(door.port, door.tls);
  for (int i = 0; i < 3; ++i)
    CHECK(client.ask("POST", "/v2/models/har/infer", door.fields, body).status == 200);
  check_error(client.ask("POST", "/v2/models/har/infer", door.fields, "{}"), 400);
  CHECK(client.ask("GET", "/v2", door.fields).status == 200);

  SUBCASE("requests that are sent without waiting are answered in their order") {
    std::string head = "Host: 127.0.0.1:" + std::to_string(door.port) + "\r\n";
    head += HttpClient::lines_of(door.fields);
    client.send("POST /v2/models/har/infer HTTP/1.1\r\n" + head +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body +
                "GET /v2/health/live HTTP/1.1\r\n" + head + "Connection: close\r\n\r\n");
    CHECK(client.answer().body.find("model_name") != std::string::npos);
    CHECK(client.answer().body == R"({"live":true})");
    CHECK(client.is_closed());
  }
  SUBCASE("a body may wait until it is wanted") {
    HttpClient::Fields fields = door.fields;
    std::string head = "POST /v2/models/har/infer HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(door.port) +
                       "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    head += HttpClient::lines_of(fields);
    client.send(head + "\r\n");
    CHECK(client.answer(false).status == 100);
    client.send(body);
    CHECK(client.answer().status == 200);
  }
  SUBCASE("a body of unknown length is refused") {
    for (const char* const coding : {"chunked", "gzip", "chunked, x", "identity"}) {
      CAPTURE(coding);
      HttpClient other(door.port, door.tls);
      HttpClient::Fields fields = door.fields;
      fields["Transfer-Encoding"] = coding;
      fields["Host"] = "127.0.0.1:" + std::to_string(door.port);
      std::string head = "POST /v2/models/har/infer HTTP/1.1\r\n";
      head += HttpClient::lines_of(fields);
      other.send(head + "\r\n5\r\nhello\r\n0\r\n\r\n");
      check_error(other.answer(), 411, "Content-Length");
      CHECK(other.is_closed());
    }
  }
  SUBCASE("who is refused is told so although all of the body was sent, and may ask again") {
    const std::string large(500'000, 'x');
    const HttpAnswer refused = client.ask("POST", "/v2/models/har/infer", {}, large);
    CHECK(refused.status == 401);
    CHECK(client.ask("POST", "/v2/models/har/infer", door.fields, body).status == 200);
    HttpClient huge(door.port, door.tls);
    const HttpAnswer told = huge.ask("POST", "/v2/models/har/infer", {}, std::string(8'000'000, 'x'));
    CHECK(told.status == 401);
    CHECK(huge.is_closed());
  }
}

}  // namespace

void check_conformance(const DoorUnderTest& door) {
  SUBCASE("metadata") {
    check_metadata(door);
  }
  SUBCASE("inference in JSON") {
    check_json_inference(door);
  }
  SUBCASE("inference in binary") {
    check_binary_inference(door);
  }
  SUBCASE("errors (I9)") {
    check_errors(door);
  }
  SUBCASE("abuse (I8)") {
    check_abuse(door);
  }
  SUBCASE("connections") {
    check_connections(door);
  }
}

}  // namespace fl::test
