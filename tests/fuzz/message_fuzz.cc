// The root of FlatBuffers messages: what verifies can be read to its last field, and by a device's
// conversions.
#include <array>

#include "client/agent/messages.h"
#include "protocol/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/protocol/samples.h"

using namespace fl;
using namespace fl::fuzz;

namespace {

void read_as_device(const wire::Message& message) {
  if (const auto* notice = message.body_as_VersionNotice()) {
    unless_refused([&] { return client::notice_from(*notice); });
  }
  if (const auto* offer = message.body_as_WorkOffer()) {
    const auto work = unless_refused([&] { return client::offer_from(*offer, client::Moment()); });
    if (work) work->plan.validate();
  }
  if (const auto* offer = message.body_as_EvaluationOffer()) {
    client::evaluation_offer_from(*offer, client::Moment());
  }
  if (const auto* refusal = message.body_as_Refusal()) {
    require(*client::error_from(*refusal).what() != '\0', "a refusal says what is wrong");
  }
  if (const auto* reply = message.body_as_UpdateReply()) {
    client::settlement_of(reply->outcome());
    require(client::sentence_of(reply->sentence()).size() <= limits::sentence_bytes, "a sentence is bounded");
  }
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  constexpr std::array<std::string_view, 2> features = {"zstd", "half"};
  const wire::Message* const message = wire::verified_message(input);
  if (message == nullptr) return;
  require(*wire::body_name(*message) != '\0', "a message that verifies is of a known kind");
  test::read_everything(*message);
  read_as_device(*message);
  if (const auto* hello = message->body_as_Hello()) {
    require(wire::negotiated_features(hello->features(), features).size() <= features.size(),
            "no feature is agreed on twice");
  }
}
