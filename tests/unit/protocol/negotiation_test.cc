#include <array>
#include <string>

#include <doctest/doctest.h>

#include "protocol/limits.h"
#include "protocol/message.h"

using namespace fl;
using Features = std::vector<std::string>;

namespace {

constexpr std::array<std::string_view, 3> ours = {"zstd", "half", "sparse"};

Features negotiated(const Features& theirs) {
  const auto message = wire::make_message<wire::Hello>([&](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateHello(builder, 1, 1, builder.CreateVectorOfStrings(theirs));
  });
  const auto* hello = wire::verified_message(wire::as_bytes(message))->body_as_Hello();
  return wire::negotiated_features(hello->features(), ours);
}

}  // namespace

TEST_CASE("the version agreed on is the highest that both speak") {
  static_assert(limits::protocol_version_min == 1 && limits::protocol_version_max == 1);
  CHECK(wire::negotiated_version(1, 1) == 1);
  CHECK(wire::negotiated_version(0, 1) == 1);
  CHECK(wire::negotiated_version(1, 9) == 1);
  CHECK(wire::negotiated_version(0, 65535) == 1);
}

TEST_CASE("ranges without a version in common give none") {
  CHECK(wire::negotiated_version(2, 9) == 0);
  CHECK(wire::negotiated_version(0, 0) == 0);
  CHECK(wire::negotiated_version(1, 0) == 0);
  CHECK(wire::negotiated_version(9, 1) == 0);
  CHECK(wire::negotiated_version(65535, 65535) == 0);
}

TEST_CASE("features agreed on are theirs that we have in their order") {
  CHECK(negotiated({"sparse", "unknown", "zstd"}) == Features{"sparse", "zstd"});
  CHECK(negotiated({"ZSTD", "zst", "zstd2", ""}).empty());
  CHECK(negotiated({}).empty());
  CHECK(wire::negotiated_features(nullptr, ours).empty());
}

TEST_CASE("a feature named twice counts once and features beyond the limit do not count (I8)") {
  CHECK(negotiated({"zstd", "zstd", "half", "zstd"}) == Features{"zstd", "half"});
  Features many(limits::features, "unknown");
  many.emplace_back("zstd");
  CHECK(negotiated(many).empty());
}
