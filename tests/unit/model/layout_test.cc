#include "common/model/layout.h"

#include <doctest/doctest.h>

#include "tests/unit/model/refusal.h"

using namespace fl;
using test::contains;
using test::refusal;

namespace {

Layout sample() {
  Layout layout;
  layout.add("w", Datatype::fp32, {2, 3}, Role::trained);
  layout.add("scale", Datatype::fp16, {}, Role::buffer);
  return layout;
}

Digest hash_of(const std::string& name, Datatype datatype, Shape shape, Role role) {
  Layout layout;
  layout.add(name, datatype, std::move(shape), role);
  return layout.hash();
}

}  // namespace

TEST_CASE("a layout places tensors one after another without gaps") {
  Layout layout = sample();
  layout.add("nothing", Datatype::fp32, {0, 4}, Role::buffer);
  layout.add("mean", Datatype::fp64, {5}, Role::buffer);
  REQUIRE(layout.entries().size() == 4);
  CHECK(layout.size() == 12);
  CHECK(layout.entries()[0].offset == 0);
  CHECK(layout.entries()[0].count == 6);
  CHECK(layout.entries()[1].offset == 6);
  CHECK(layout.entries()[1].count == 1);
  CHECK(layout.entries()[2].count == 0);
  CHECK(layout.entries()[3].offset == 7);
  CHECK(layout.entries()[3].archive_type == Datatype::fp64);
}

TEST_CASE("a layout hashes the bytes that the protocol describes") {
  const std::string_view bytes("fl layout 1\nw\0FP32\0trained\0002,3\nscale\0FP16\0buffer\0\n", 50);
  CHECK(sample().hash() == sha256(as_bytes(bytes)));
  CHECK(sample().hash().hex() == "6c5713a9f598592179fdd516b517805a30df36144e014688f65d590106f6ab73");
  CHECK(Layout().hash() == sha256(as_bytes("fl layout 1\n")));
}

TEST_CASE("whatever differs in a layout changes its hash") {
  const Digest base = hash_of("w", Datatype::fp32, {2, 3}, Role::trained);
  CHECK(base == hash_of("w", Datatype::fp32, {2, 3}, Role::trained));
  CHECK(base != hash_of("v", Datatype::fp32, {2, 3}, Role::trained));
  CHECK(base != hash_of("w", Datatype::fp16, {2, 3}, Role::trained));
  CHECK(base != hash_of("w", Datatype::fp32, {3, 2}, Role::trained));
  CHECK(base != hash_of("w", Datatype::fp32, {23}, Role::trained));
  CHECK(base != hash_of("w", Datatype::fp32, {2, 3}, Role::personal));
  CHECK(base != Layout().hash());
}

TEST_CASE("a layout refuses names that cannot be told apart (I9)") {
  Layout layout = sample();
  const auto add = [&](const std::string& name) {
    return refusal(ErrorCode::invalid_data, [&] { layout.add(name, Datatype::fp32, {1}, Role::buffer); });
  };
  CHECK(contains(add("w"), "'w' is taken"));
  CHECK(contains(add(""), "is empty"));
  CHECK(contains(add(std::string("w\0", 2)), "control character"));
  CHECK(contains(add("w\n"), "control character"));
  CHECK(contains(add("\xff"), "UTF-8"));
  CHECK(contains(add("\xc0\xaf"), "UTF-8"));
  CHECK(contains(add("\xed\xa0\x80"), "UTF-8"));
  CHECK(contains(add("\xe2\x82"), "UTF-8"));
  CHECK(contains(add(std::string(257, 'w')), "256 bytes"));
  CHECK(layout.entries().size() == 2);
  layout.add("größe.\xf0\x9f\x98\x80", Datatype::fp32, {1}, Role::buffer);
  layout.add(std::string(256, 'w'), Datatype::fp32, {1}, Role::buffer);
  CHECK(layout.size() == 9);
}

TEST_CASE("a layout refuses shapes that are none and stays as it was (I8)") {
  Layout layout = sample();
  const std::int64_t large = std::int64_t{1} << 61U;
  CHECK_THROWS_AS(layout.add("a", Datatype::fp32, {-1, 3}, Role::buffer), Error);
  CHECK_THROWS_AS(layout.add("a", Datatype::fp32, {large, 8}, Role::buffer), Error);
  CHECK_THROWS_AS(layout.add("a", Datatype::fp32, {large, 2}, Role::buffer), Error);
  CHECK(layout.size() == 7);
  layout.add("a", Datatype::fp32, {3}, Role::buffer);
  CHECK(layout.size() == 10);
}

TEST_CASE("in a layout trained tensors come before buffers") {
  Layout layout = sample();
  CHECK(
      contains(refusal(ErrorCode::invalid_data, [&] { layout.add("b", Datatype::fp32, {2}, Role::trained); }),
               "'b' follows a buffer"));
}

TEST_CASE("roles have names") {
  CHECK(name(Role::trained) == "trained");
  CHECK(name(Role::buffer) == "buffer");
  CHECK(name(Role::personal) == "personal");
}

TEST_CASE("weights are read from exactly their bytes (I8)") {
  const Weights weights{1.5F, -2.0F, 3.0F};
  CHECK(weights_from(as_bytes(weights), 3) == weights);
  CHECK(weights_from({}, 0).empty());
  CHECK(contains(refusal(ErrorCode::invalid_data, [&] { weights_from(as_bytes(weights), 4); }),
                 "12 bytes of weights, the model has 16"));
  CHECK(contains(refusal(ErrorCode::invalid_data, [&] { weights_from(as_bytes(weights).first(11), 3); }),
                 "11 bytes of weights, the model has 12"));
}
