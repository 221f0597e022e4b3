#include "client/agent/messages.h"

#include <functional>
#include <limits>

#include <doctest/doctest.h>

#include "protocol/message.h"
#include "tests/unit/client/examples.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

template <typename Table>
const Table& body_of(const flatbuffers::DetachedBuffer& buffer) {
  const wire::Message* message = wire::verified_message(wire::as_bytes(buffer));
  REQUIRE(message != nullptr);
  const Table* body = message->body_as<Table>();
  REQUIRE(body != nullptr);
  return *body;
}

struct OfferFields {
  std::uint32_t max_examples = 100;
  float max_delta = 1.0F;
  std::uint32_t epochs = 1;
  double learning_rate = 0.1;
  std::uint8_t optimizer = 0;
  bool has_plan = true;
  std::uint32_t deadline_ms = 1000;
  std::uint8_t encoding = 0;
  std::uint32_t max_staleness = 0;
  std::uint64_t control_elements = 0;
  float max_control = 0.0F;
};

Offer offer_with(const OfferFields& fields) {
  const auto buffer = wire::make_message<wire::WorkOffer>([&](flatbuffers::FlatBufferBuilder& builder) {
    const auto task = builder.CreateString("har");
    const auto plan = wire::CreateTrainingPlan(builder, static_cast<wire::Optimizer>(fields.optimizer),
                                               fields.learning_rate, 0, 0, 0.9, 0.999, 1e-8,
                                               wire::Schedule::constant, 1, 1.0, fields.epochs, 0, 16, 0, 0);
    return wire::CreateWorkOffer(builder, task, 4, 3, fields.has_plan ? plan : 0, 99, fields.max_examples,
                                 fields.max_delta, fields.deadline_ms,
                                 static_cast<wire::Encoding>(fields.encoding), fields.max_staleness,
                                 fields.control_elements, 0, fields.max_control);
  });
  return offer_from(body_of<wire::WorkOffer>(buffer), Moment());
}

}  // namespace

TEST_CASE("an offer is understood field for field") {
  const Offer offer = offer_with({});
  CHECK(offer.task == "har");
  CHECK(offer.round == 4);
  CHECK(offer.version == 3);
  CHECK(offer.seed == 99);
  CHECK(offer.plan.learning_rate == 0.1);
  CHECK(offer.plan.batch_size == 16);
  CHECK(offer.deadline == Moment() + std::chrono::seconds(1));
  CHECK(offer.max_staleness == 0);
  CHECK(offer_with({.max_staleness = 7}).max_staleness == 7);
}

TEST_CASE("an offer that no device could follow is refused by name (I8)") {
  const auto refused = [](OfferFields fields) {
    return code_thrown_by([&] { offer_with(fields); }) == ErrorCode::protocol;
  };
  CHECK(refused({.max_examples = 0}));
  CHECK(refused({.max_delta = 0.0F}));
  CHECK(refused({.max_delta = -1.0F}));
  CHECK(refused({.max_delta = std::numeric_limits<float>::quiet_NaN()}));
  CHECK(refused({.epochs = 0}));
  CHECK(refused({.learning_rate = -1.0}));
  CHECK(refused({.optimizer = 17}));
  CHECK(refused({.has_plan = false}));
  CHECK(refused({.control_elements = 3, .max_control = 0.0F}));
  CHECK(refused({.control_elements = 3, .max_control = std::numeric_limits<float>::infinity()}));
  CHECK(refused({.control_elements = ~std::uint64_t{0}, .max_control = 1.0F}));
  CHECK(offer_with({.control_elements = 3, .max_control = 1.0F}).control_elements == 3);
}

TEST_CASE("an encoding that a device does not know or has no room for the deltas leaves it fp32") {
  CHECK(offer_with({.encoding = 2}).encoding == Encoding::int8);
  CHECK(offer_with({.max_delta = 65'504.0F, .encoding = 1}).encoding == Encoding::fp16);
  CHECK(offer_with({.max_delta = 65'505.0F, .encoding = 1}).encoding == Encoding::fp32);
  CHECK(offer_with({.encoding = 3}).encoding == Encoding::fp32);
}

TEST_CASE("an announcement says what the update is and how the version before it did") {
  FinishedUpdate update;
  update.task = "har";
  update.round = 3;
  update.version = 2;
  update.bytes = Bytes(8);
  update.encoding = Encoding::fp16;
  update.hash = sha256(as_bytes("x"));
  update.examples = 12;
  const auto buffer = announce_message(update);
  const auto& announce = body_of<wire::UpdateAnnounce>(buffer);
  CHECK(announce.length() == 8);
  CHECK(announce.encoding() == wire::Encoding::fp16);
  CHECK(announce.examples() == 12);
  CHECK(announce.test_examples() == 0);
  CHECK(announce.test_accuracy() == -1.0);
  CHECK(wire::bytes_of(announce.hash()).size() == 32);
  update.test = {5, 0.25, 0.75};
  const auto tested = announce_message(update);
  CHECK(body_of<wire::UpdateAnnounce>(tested).test_accuracy() == 0.75);
}

TEST_CASE("a report holds how many examples were tested and sums over them (I1)") {
  const EvaluationOffer offer{"har", 5, 3, Moment()};
  const auto buffer = report_message(offer, {8, 0.25, 0.75});
  const auto& report = body_of<wire::EvaluationReport>(buffer);
  CHECK(wire::text_of(report.task()) == "har");
  CHECK(report.evaluation() == 5);
  CHECK(report.version() == 3);
  CHECK(report.examples() == 8);
  CHECK(report.loss_sum() == 2.0);
  CHECK(report.correct() == 6.0);
  const auto without = report_message(offer, {8, 0.25, std::nullopt});
  CHECK(body_of<wire::EvaluationReport>(without).correct() == -1.0);
}

TEST_CASE("an evaluation that is offered is understood and no deadline is beyond a week (I8)") {
  const auto buffer = wire::make_message<wire::EvaluationOffer>([](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateEvaluationOffer(builder, builder.CreateString("har"), 5, 3, UINT32_MAX);
  });
  const EvaluationOffer offer = evaluation_offer_from(body_of<wire::EvaluationOffer>(buffer), Moment());
  CHECK(offer.task == "har");
  CHECK(offer.evaluation == 5);
  CHECK(offer.version == 3);
  CHECK(offer.deadline == Moment() + std::chrono::hours(24 * 7));
}

TEST_CASE(
    "a device names the features without which it gets neither evaluations nor differences nor compresses") {
  const auto buffer = hello_message();
  const auto& hello = body_of<wire::Hello>(buffer);
  REQUIRE(hello.features()->size() == 3);
  CHECK(hello.features()->Get(0)->str() == "evaluation");
  CHECK(hello.features()->Get(1)->str() == "differences");
  CHECK(hello.features()->Get(2)->str() == "zstd");
}

TEST_CASE("a notice without a whole signature is refused (I6)") {
  const auto buffer = wire::make_message<wire::VersionNotice>([](flatbuffers::FlatBufferBuilder& builder) {
    const auto task = builder.CreateString("har");
    const auto manifest = wire::field_of(builder, as_bytes("{}"));
    return wire::CreateVersionNotice(builder, task, 1, manifest, wire::field_of(builder, Bytes(63)));
  });
  CHECK(code_thrown_by([&] { notice_from(body_of<wire::VersionNotice>(buffer)); }) == ErrorCode::protocol);
}

TEST_CASE("a sentence of the server is cut and cleaned before it reaches a log") {
  flatbuffers::FlatBufferBuilder builder;
  const auto message = wire::make_message<wire::UpdateReply>([](flatbuffers::FlatBufferBuilder& inner) {
    return wire::CreateUpdateReply(inner, wire::Outcome::accepted,
                                   inner.CreateString("a\nb\x1b[31m" + std::string(5000, 'x')));
  });
  const std::string sentence = sentence_of(body_of<wire::UpdateReply>(message).sentence());
  CHECK(sentence.size() == 1024);
  CHECK(sentence.starts_with("a b [31m"));
  CHECK(sentence_of(nullptr).empty());
}

TEST_CASE("every outcome has its consequence") {
  CHECK(settlement_of(wire::Outcome::accepted) == Settlement::done);
  CHECK(settlement_of(wire::Outcome::already_accepted) == Settlement::done);
  CHECK(settlement_of(wire::Outcome::round_closed) == Settlement::dropped);
  CHECK(settlement_of(wire::Outcome::wrong_hash) == Settlement::retry);
  CHECK(settlement_of(wire::Outcome::server_failure) == Settlement::retry);
  CHECK(settlement_of(wire::Outcome::not_finite) == Settlement::unwelcome);
  CHECK(settlement_of(static_cast<wire::Outcome>(200)) == Settlement::unwelcome);
}

TEST_CASE("what leads to a version is understood and passed over where it is none (I8)") {
  struct Fields {
    std::size_t base_bytes = 32;
    std::size_t hash_bytes = 32;
    std::uint8_t encoding = 2;
  };
  const auto difference_with = [](const Fields& fields) {
    const auto buffer = wire::make_message<wire::VersionNotice>([&](flatbuffers::FlatBufferBuilder& builder) {
      const auto task = builder.CreateString("har");
      const auto signature = wire::field_of(builder, Bytes(64));
      const auto base = wire::field_of(builder, Bytes(fields.base_bytes, std::byte{1}));
      const auto hash = wire::field_of(builder, Bytes(fields.hash_bytes, std::byte{2}));
      const auto difference =
          wire::CreateDifference(builder, base, hash, 17, static_cast<wire::Encoding>(fields.encoding), 9);
      return wire::CreateVersionNotice(builder, task, 3, 0, signature, difference);
    });
    return notice_from(body_of<wire::VersionNotice>(buffer)).difference;
  };
  const std::optional<Difference> difference = difference_with({});
  REQUIRE(difference);
  CHECK(difference->base == Digest::from_bytes(Bytes(32, std::byte{1})));
  CHECK(difference->hash == Digest::from_bytes(Bytes(32, std::byte{2})));
  CHECK(difference->bytes == 17);
  CHECK(difference->encoding == Encoding::int8);
  CHECK(difference->encoded == 9);
  CHECK_FALSE(difference_with({.base_bytes = 31}));
  CHECK_FALSE(difference_with({.hash_bytes = 0}));
  CHECK_FALSE(difference_with({.encoding = 3}));
}
