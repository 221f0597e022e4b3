// fl_fuzz_seeds FOLDER: writes what each fuzz target begins with, FOLDER/TARGET/NAME, the same bytes each
// time.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include "client/store/example_codec.h"
#include "common/base/files.h"
#include "common/model/layout_json.h"
#include "common/model/manifest.h"
#include "common/model/plan.h"
#include "common/model/safetensors.h"
#include "common/net/enrolment_token.h"
#include "protocol/compression.h"
#include "protocol/frame.h"
#include "tests/unit/model/safetensors_file.h"
#include "tests/unit/model/sample_contract.h"
#include "tests/unit/protocol/samples.h"

using namespace fl;

namespace {

class Seeds {
 public:
  Seeds(const std::filesystem::path& root, const std::string& target) : folder_(root / target) {
    std::filesystem::create_directories(folder_);
  }
  void add(const std::string& name, ByteView content) const {
    write_file_atomically(folder_ / name, content);
  }
  void add(const std::string& name, std::string_view text) const { add(name, as_bytes(text)); }

 private:
  std::filesystem::path folder_;
};

void append(Bytes& bytes, ByteView more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes with_choices(std::initializer_list<unsigned> choices, ByteView rest) {
  Bytes bytes;
  for (const unsigned choice : choices) bytes.push_back(static_cast<std::byte>(choice));
  append(bytes, rest);
  return bytes;
}

void wire_seeds(const std::filesystem::path& root) {
  const Seeds messages(root, "message");
  Bytes stream;
  for (const flatbuffers::DetachedBuffer& sample : test::sample_messages()) {
    const ByteView payload = wire::as_bytes(sample);
    messages.add(wire::body_name(*wire::verified_message(payload)), payload);
    append(stream, wire::frame_header(wire::FrameKind::message, payload.size()));
    append(stream, payload);
  }
  const Seeds frames(root, "frame");
  frames.add("messages", with_choices({255, 0, 9}, stream));
  Bytes chunks;
  for (const std::size_t length : {1U, 8U, 100U, 64U}) {
    append(chunks, wire::frame_header(wire::FrameKind::chunk, length));
    append(chunks, Bytes(length, std::byte{0x5a}));
  }
  frames.add("chunks", with_choices({1, 4, 30}, chunks));
  frames.add("too-large", with_choices({1, 1, 3}, wire::frame_header(wire::FrameKind::chunk, 33)));
  frames.add("unknown-kind", with_choices({1, 1, 3}, wire::frame_header(wire::FrameKind{4}, 1)));
}

void compressed_seeds(const std::filesystem::path& root) {
  const Seeds seeds(root, "compressed_chunk");
  wire::ChunkCompressor compressor;
  const Bytes zeros(5000);
  seeds.add("zeros", with_choices({255}, compressor.compress(zeros)));
  seeds.add("too-long", with_choices({70}, compressor.compress(zeros)));
  Bytes small(5000);
  for (std::size_t i = 0; i < small.size(); ++i) small[i] = static_cast<std::byte>(i * i % 11);
  seeds.add("small-integers", with_choices({255}, compressor.compress(small)));
}

void update_seeds(const std::filesystem::path& root) {
  const Seeds seeds(root, "update");
  const std::vector<float> good = {0.0F, -0.0F, 1.0F, -1.0F, 1e-40F, 0.3F, -0x1p-149F, 0.999F};
  seeds.add("good", with_choices({20, 7}, as_bytes(std::span(good))));
  seeds.add("largest-weight", with_choices({39, 29}, as_bytes(std::span(good))));
  const std::vector<float> bad = {0.5F, std::numeric_limits<float>::quiet_NaN(),
                                  std::numeric_limits<float>::infinity(), -2.0F};
  seeds.add("bad", with_choices({20, 0}, as_bytes(std::span(bad))));
}

void json_seeds(const std::filesystem::path& root) {
  const Seeds manifests(root, "manifest");
  for (const TaskContract& contract :
       {test::windows_contract(), test::table_contract(), test::images_contract(), test::text_contract()}) {
    Manifest manifest;
    manifest.task = "har";
    manifest.version = 7;
    manifest.archive_bytes = 100;
    manifest.weights_count = 8;
    manifest.contract = contract;
    const std::string format(name(contract.data.format));
    manifests.add(format, to_json(manifest));
    manifests.add(format + "-contract", to_json(contract));
  }
  Plan plan;
  const Seeds plans(root, "plan");
  plans.add("defaults", to_json(plan));
  plan.training.optimizer = Optimizer::adam;
  plan.training.schedule = Schedule::cosine;
  plan.training.epochs = 0;
  plan.training.steps = 10;
  plan.round.strategy = "fedadam";
  plan.round.server_tau = 1e-3;
  plans.add("adam", to_json(plan));
  plans.add("empty", "{}");
}

void layout_seeds(const std::filesystem::path& root) {
  Layout layout;
  layout.add("w", Datatype::fp32, {2, 3}, Role::trained);
  layout.add("b", Datatype::fp32, {2}, Role::trained);
  layout.add("n", Datatype::int64, {}, Role::buffer);
  Seeds(root, "layout").add("three", to_json(layout));
  const Seeds files(root, "safetensors");
  const std::vector<float> weights = {1.0F, -2.0F, 0.5F, 1e-40F, -0.0F, 3e38F, 7.0F, 8.0F, 9.0F};
  files.add("fp32", to_safetensors(layout, weights));
  files.add("mixed", test::put_together(R"({"__metadata__":{"made":"by hand"},)"
                                        R"("w":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},)"
                                        R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},)"
                                        R"("n":{"dtype":"F64","shape":[],"data_offsets":[16,24]}})",
                                        std::string(24, '\x31')));
  files.add("array", test::put_together("[]", ""));
}

std::string idx(const std::string& magic_and_sizes, const std::string& content) {
  std::string text;
  for (const char number : magic_and_sizes) text += std::string(3, '\0') + number;
  text[2] = '\x08';
  return text + content;
}

void data_seeds(const std::filesystem::path& root) {
  const Seeds tables(root, "csv");
  tables.add("plain", with_choices({1}, as_bytes("1.5,x\r\n-2e3,\"a,\"\"b\"\"\"\n\n 7 , y ")));
  tables.add("one-column", with_choices({0}, as_bytes("1\n\"\"\nx y\n")));
  const Seeds examples(root, "examples");
  examples.add("windows", with_choices({0, 0}, as_bytes("x,y,z,label\n1,2,3,sitting\n4,5,6,walking\n")));
  examples.add("table", with_choices({1, 0}, as_bytes("rooms,area,price\n3,80.5,100\n4,\"90\",-2e5\n")));
  const std::string images = idx(std::string("\x03\x02\x02\x03", 4), std::string(12, 'i'));
  const std::string digits = idx(std::string("\x01\x02", 2), std::string("\x00\x02", 2));
  examples.add("images", with_choices({2, static_cast<unsigned>(images.size())}, as_bytes(images + digits)));
  examples.add("text", with_choices({3, 0}, as_bytes("abc\nabcabc xyz bca\ncab")));
}

void infer_request_seeds(const std::filesystem::path& root) {
  const Seeds seeds(root, "infer_request");
  const std::string n = R"({"name":"n","shape":[1,1,2],"datatype":"INT64","data":[[[7,-8]]]})";
  const std::string json =
      R"({"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.5,1e3]},)" + n +
      R"(],"outputs":[{"name":"label"}]})";
  seeds.add("json", with_choices({0}, as_bytes(json)));
  const std::string header = R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":)"
                             R"({"binary_data_size":8}},)" +
                             n + R"(],"parameters":{"binary_data_output":true}})";
  Bytes binary = with_choices({static_cast<unsigned>(header.size())}, as_bytes(header));
  append(binary, Bytes(8));
  seeds.add("binary", binary);
}

void text_seeds(const std::filesystem::path& root) {
  net::EnrolmentToken token;
  token.server = {"example.org", 7443};
  token.secret.assign(32, std::byte{7});
  Seeds(root, "token").add("token", token.text() + "\n");
  const Seeds endpoints(root, "endpoint");
  endpoints.add("name", "example.org:7443");
  endpoints.add("ipv6", "[fe80::1]:65535");
  const std::vector<Tensor> tensors = {make_tensor(std::vector<float>{1.0F, 2.0F}, {2}),
                                       make_tensor(std::vector<std::int64_t>{3}, {})};
  Seeds(root, "example_codec").add("two", client::encode(tensors));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fl_fuzz_seeds FOLDER\n", stderr);
    return 2;
  }
  for (const auto& write : {wire_seeds, compressed_seeds, update_seeds, json_seeds, layout_seeds, data_seeds,
                            infer_request_seeds, text_seeds}) {
    write(argv[1]);
  }
  return 0;
}
