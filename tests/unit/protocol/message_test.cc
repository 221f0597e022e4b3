#include "protocol/message.h"

#include <cstring>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "protocol/limits.h"
#include "tests/unit/protocol/samples.h"

using namespace fl;
using flatbuffers::FlatBufferBuilder;
using test::read_everything;
using test::sample_messages;

namespace {

// Exactly as long as the payload, so that a sanitizer sees what reads further; operator new aligns it.
Bytes bytes_of_sample(const flatbuffers::DetachedBuffer& sample) {
  const ByteView view = wire::as_bytes(sample);
  return {view.begin(), view.end()};
}

/// Whatever the bytes are, they are refused or can be read.
bool is_harmless(const Bytes& payload) {
  const wire::Message* const message = wire::verified_message(payload);
  if (message == nullptr) return false;
  CHECK(*wire::body_name(*message) != '\0');
  read_everything(*message);
  return true;
}

const wire::TrainingPlan& plan_of(const wire::Message& message) {
  return *message.body_as_WorkOffer()->plan();
}

}  // namespace

TEST_CASE("there is a sample of every kind of message and each verifies") {
  std::set<wire::Body> kinds;
  for (const auto& sample : sample_messages()) {
    const wire::Message* const message = wire::verified_message(wire::as_bytes(sample));
    REQUIRE(message != nullptr);
    CHECK((read_everything(*message) > 0 || message->body_type() == wire::Body::KeepAlive));
    kinds.insert(message->body_type());
  }
  CHECK(kinds.size() == static_cast<std::size_t>(wire::Body::MAX));
}

TEST_CASE("what is put into a message comes out of it") {
  const auto samples = sample_messages();
  for (const auto& sample : samples) {
    const wire::Message& message = *wire::verified_message(wire::as_bytes(sample));
    if (const auto* hello = message.body_as_Hello()) {
      CHECK(hello->version_min() == 1);
      CHECK(hello->version_max() == 3);
      CHECK(hello->features()->Get(1)->str() == "half");
      CHECK(wire::text_of(hello->software()) == "fl-client 0.1.0");
    } else if (const auto* announce = message.body_as_UpdateAnnounce()) {
      CHECK(announce->length() == 4096);
      CHECK(announce->hash()->size() == 32);
      CHECK(announce->test_accuracy() == 0.75);
    } else if (message.body_as_WorkOffer() != nullptr) {
      CHECK(message.body_as_WorkOffer()->max_delta() == 4.0F);
      CHECK(plan_of(message).optimizer() == wire::Optimizer::adam);
      CHECK(plan_of(message).schedule() == wire::Schedule::cosine);
      CHECK(plan_of(message).gradient_clip() == 1.0);
    } else if (const auto* refusal = message.body_as_Refusal()) {
      CHECK(refusal->code() == wire::RefusalCode::internal);
      CHECK(refusal->closes());
    } else if (const auto* transfer = message.body_as_Transfer()) {
      CHECK(transfer->length() == std::uint64_t{1} << 33U);
    }
  }
}

TEST_CASE("absent fields read as empty") {
  const auto message = wire::make_message<wire::EnrolRequest>(
      [](FlatBufferBuilder& builder) { return wire::EnrolRequestBuilder(builder).Finish(); });
  const auto* request = wire::verified_message(wire::as_bytes(message))->body_as_EnrolRequest();
  CHECK(wire::text_of(request->name()).empty());
  CHECK(wire::bytes_of(request->token()).empty());
}

TEST_CASE("a message cut off anywhere is refused or harmless (I8)") {
  for (const auto& sample : sample_messages()) {
    const Bytes whole = bytes_of_sample(sample);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      is_harmless(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    }
  }
  CHECK(wire::verified_message({}) == nullptr);
}

TEST_CASE("every change of one byte leaves a message that is refused or can be read (I8)") {
  Random random(11);
  std::size_t refused = 0;
  for (const auto& sample : sample_messages()) {
    Bytes bytes = bytes_of_sample(sample);
    for (std::byte& byte : bytes) {
      const std::byte before = byte;
      for (const std::byte value :
           {std::byte{0}, std::byte{0x7f}, std::byte{0xff}, static_cast<std::byte>(random())}) {
        byte = value;
        if (!is_harmless(bytes)) ++refused;
      }
      byte = before;
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("random changes of many bytes leave messages that are refused or can be read (I8)") {
  Random random(12);
  const auto samples = sample_messages();
  std::size_t harmless = 0;
  for (int round = 0; round < 100000; ++round) {
    Bytes bytes = bytes_of_sample(samples[random.below(samples.size())]);
    for (std::uint64_t change = 1 + random.below(6); change > 0; --change) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random());
    }
    if (is_harmless(bytes)) ++harmless;
  }
  CHECK(harmless > 0);
  CHECK(harmless < 100000);
}

TEST_CASE("random bytes behind the right identifier are refused or can be read (I8)") {
  Random random(13);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(8 + random.below(120));
    for (std::byte& byte : bytes)
      byte = static_cast<std::byte>(random.below(4) == 0 ? random() : random.below(24));
    std::memcpy(bytes.data() + 4, "FLM1", 4);
    is_harmless(bytes);
  }
}

TEST_CASE("a message without its identifier or without a known body is refused (I8)") {
  Bytes bytes = bytes_of_sample(sample_messages().front());
  bytes[4] = std::byte{'X'};
  CHECK(wire::verified_message(bytes) == nullptr);

  for (const unsigned kind : {0U, static_cast<unsigned>(wire::Body::MAX) + 1, 255U}) {
    FlatBufferBuilder builder;
    const auto body = wire::CreateKeepAlive(builder).Union();
    wire::FinishMessageBuffer(builder, wire::CreateMessage(builder, static_cast<wire::Body>(kind), body));
    CHECK(wire::verified_message(wire::as_bytes(builder.Release())) == nullptr);
  }

  FlatBufferBuilder builder;
  wire::MessageBuilder lacking(builder);
  lacking.add_body_type(wire::Body::KeepAlive);
  const auto start = builder.EndTable(lacking.start_);
  builder.Finish(flatbuffers::Offset<wire::Message>(start), wire::MessageIdentifier());
  CHECK(wire::verified_message(wire::as_bytes(builder.Release())) == nullptr);
}

TEST_CASE("a message over the limit is refused before it is looked at (I8)") {
  const auto message = wire::make_message<wire::RenewReply>([](FlatBufferBuilder& builder) {
    return wire::CreateRenewReply(builder, wire::field_of(builder, Bytes(limits::message_bytes)));
  });
  CHECK(message.size() > limits::message_bytes);
  CHECK(wire::verified_message(wire::as_bytes(message)) == nullptr);
}
