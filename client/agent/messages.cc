#include "client/agent/messages.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "common/base/text.h"
#include "protocol/features.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

using flatbuffers::FlatBufferBuilder;

constexpr auto longest_deadline = std::chrono::hours(24 * 7);

Moment deadline_of(std::uint32_t milliseconds, Moment now) {
  return now + std::min<std::chrono::milliseconds>(std::chrono::milliseconds(milliseconds), longest_deadline);
}

[[noreturn]] void refuse_offer(const std::string& what) {
  throw Error(ErrorCode::protocol, "the server offers work that cannot be done: " + what);
}

TrainingPlan plan_from(const wire::TrainingPlan& plan) {
  if (plan.optimizer() > wire::Optimizer::MAX || plan.schedule() > wire::Schedule::MAX) {
    refuse_offer("an optimizer or a schedule that this version does not know");
  }
  TrainingPlan result;
  result.optimizer = static_cast<Optimizer>(plan.optimizer());
  result.learning_rate = plan.learning_rate();
  result.momentum = plan.momentum();
  result.weight_decay = plan.weight_decay();
  result.beta1 = plan.beta1();
  result.beta2 = plan.beta2();
  result.epsilon = plan.epsilon();
  result.schedule = static_cast<Schedule>(plan.schedule());
  result.schedule_period = plan.schedule_period();
  result.schedule_factor = plan.schedule_factor();
  result.epochs = plan.epochs();
  result.steps = plan.steps();
  result.batch_size = plan.batch_size();
  result.proximal_mu = plan.proximal_mu();
  result.gradient_clip = plan.gradient_clip();
  try {
    result.validate();
  } catch (const Error& error) {
    refuse_offer(error.what());
  }
  return result;
}

/// Nothing where it has not what a difference must have, or a newer server's encoding: the weights can be had
/// whole.
std::optional<Difference> difference_from(const wire::Difference* message) {
  if (message == nullptr || message->encoding() > wire::Encoding::MAX) return std::nullopt;
  const ByteView base = wire::bytes_of(message->base());
  const ByteView hash = wire::bytes_of(message->hash());
  if (base.size() != sizeof(Digest) || hash.size() != sizeof(Digest)) return std::nullopt;
  return Difference{Digest::from_bytes(base), Digest::from_bytes(hash), message->length(),
                    static_cast<Encoding>(message->encoding()), message->encoded()};
}

ErrorCode code_of(wire::RefusalCode code) {
  switch (code) {
    case wire::RefusalCode::token:
    case wire::RefusalCode::revoked:
      return ErrorCode::unauthenticated;
    case wire::RefusalCode::internal:
      return ErrorCode::unavailable;
    case wire::RefusalCode::version:
      return ErrorCode::failed_precondition;
    case wire::RefusalCode::not_found:
      return ErrorCode::not_found;
    default:
      return ErrorCode::protocol;
  }
}

}  // namespace

// The wire's enumerations are the plan's own, number for number.
static_assert(static_cast<int>(wire::Optimizer::adam) == static_cast<int>(Optimizer::adam));
static_assert(static_cast<int>(wire::Encoding::int8) == static_cast<int>(Encoding::int8));

/// A newer server's encoding that this device does not know is passed over: fp32 is always taken.
Encoding encoding_from(const wire::WorkOffer& message) {
  const bool known = message.encoding() <= wire::Encoding::MAX &&
                     message.max_delta() <= largest_encodable(static_cast<Encoding>(message.encoding()));
  return known ? static_cast<Encoding>(message.encoding()) : Encoding::fp32;
}
static_assert(static_cast<int>(wire::Schedule::cosine) == static_cast<int>(Schedule::cosine));

flatbuffers::DetachedBuffer hello_message() {
  return wire::make_message<wire::Hello>([](FlatBufferBuilder& builder) {
    const auto software = builder.CreateString("fl-client " FL_VERSION);
    const std::vector<std::string> ours{std::string(wire::evaluation_feature),
                                        std::string(wire::differences_feature),
                                        std::string(wire::zstd_feature)};
    const auto features = builder.CreateVectorOfStrings(ours);
    return wire::CreateHello(builder, limits::protocol_version_min, limits::protocol_version_max, features,
                             software);
  });
}

flatbuffers::DetachedBuffer keep_alive_message() {
  return wire::make_message<wire::KeepAlive>(
      [](FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); });
}

flatbuffers::DetachedBuffer subscribe_message(const std::string& task, std::uint64_t held_version) {
  return wire::make_message<wire::Subscribe>([&](FlatBufferBuilder& builder) {
    return wire::CreateSubscribe(builder, builder.CreateString(task), held_version);
  });
}

flatbuffers::DetachedBuffer fetch_message(const Digest& hash, std::uint64_t offset) {
  return wire::make_message<wire::Fetch>([&](FlatBufferBuilder& builder) {
    return wire::CreateFetch(builder, wire::field_of(builder, hash.bytes), offset);
  });
}

flatbuffers::DetachedBuffer work_request_message(const std::string& task, std::uint64_t version,
                                                 std::uint64_t examples) {
  return wire::make_message<wire::WorkRequest>([&](FlatBufferBuilder& builder) {
    return wire::CreateWorkRequest(builder, builder.CreateString(task), version, examples);
  });
}

flatbuffers::DetachedBuffer declined_message(const Decline& decline) {
  return wire::make_message<wire::WorkDeclined>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(decline.task);
    const auto reason = builder.CreateString(decline.reason.substr(0, limits::sentence_bytes));
    return wire::CreateWorkDeclined(builder, task, decline.round, reason, decline.evaluation);
  });
}

flatbuffers::DetachedBuffer announce_message(const FinishedUpdate& update) {
  return wire::make_message<wire::UpdateAnnounce>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(update.task);
    const auto layout_hash = wire::field_of(builder, update.layout_hash.bytes);
    const auto hash = wire::field_of(builder, update.hash.bytes);
    wire::UpdateAnnounceBuilder announce(builder);
    announce.add_task(task);
    announce.add_round(update.round);
    announce.add_version(update.version);
    announce.add_layout_hash(layout_hash);
    announce.add_hash(hash);
    announce.add_length(update.bytes.size());
    announce.add_examples(update.examples);
    announce.add_steps(update.steps);
    announce.add_train_loss(update.train_loss);
    announce.add_test_examples(
        static_cast<std::uint32_t>(std::min<std::uint64_t>(update.test.examples, UINT32_MAX)));
    announce.add_test_loss(update.test.loss);
    announce.add_test_accuracy(update.test.accuracy.value_or(-1.0));
    announce.add_encoding(static_cast<wire::Encoding>(update.encoding));
    return announce.Finish();
  });
}

FinishedUpdate update_from(const wire::UpdateAnnounce& message) {
  const ByteView layout_hash = wire::bytes_of(message.layout_hash());
  const ByteView hash = wire::bytes_of(message.hash());
  if (layout_hash.size() != sizeof(Digest) || hash.size() != sizeof(Digest) ||
      message.encoding() > wire::Encoding::MAX) {
    throw Error(ErrorCode::invalid_data, "the announcement has no hashes of 32 bytes, or no known encoding");
  }
  FinishedUpdate update;
  update.task = wire::text_of(message.task());
  update.round = message.round();
  update.version = message.version();
  update.layout_hash = Digest::from_bytes(layout_hash);
  update.hash = Digest::from_bytes(hash);
  update.encoding = static_cast<Encoding>(message.encoding());
  update.examples = message.examples();
  update.steps = message.steps();
  update.train_loss = message.train_loss();
  update.test.examples = message.test_examples();
  update.test.loss = message.test_loss();
  if (message.test_accuracy() >= 0.0) update.test.accuracy = message.test_accuracy();
  return update;
}

flatbuffers::DetachedBuffer report_message(const EvaluationOffer& offer, const Evaluation& evaluation) {
  const auto examples = static_cast<double>(evaluation.examples);
  return wire::make_message<wire::EvaluationReport>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationReport(builder, builder.CreateString(offer.task), offer.evaluation,
                                        offer.version, evaluation.examples, evaluation.loss * examples,
                                        evaluation.accuracy ? *evaluation.accuracy * examples : -1.0);
  });
}

flatbuffers::DetachedBuffer renew_message(ByteView certificate_request) {
  return wire::make_message<wire::RenewRequest>([&](FlatBufferBuilder& builder) {
    return wire::CreateRenewRequest(builder, wire::field_of(builder, certificate_request));
  });
}

flatbuffers::DetachedBuffer enrol_message(ByteView token, ByteView certificate_request,
                                          const std::string& name) {
  return wire::make_message<wire::EnrolRequest>([&](FlatBufferBuilder& builder) {
    const auto secret = wire::field_of(builder, token);
    const auto request = wire::field_of(builder, certificate_request);
    return wire::CreateEnrolRequest(builder, secret, request, builder.CreateString(name));
  });
}

Notice notice_from(const wire::VersionNotice& message) {
  Notice notice;
  notice.task = wire::text_of(message.task());
  notice.version = message.version();
  notice.manifest.text = as_text(wire::bytes_of(message.manifest()));
  const ByteView signature = wire::bytes_of(message.signature());
  if (signature.size() != notice.manifest.signature.size()) {
    throw Error(ErrorCode::protocol, "the server sends a manifest whose signature has not 64 bytes");
  }
  std::copy(signature.begin(), signature.end(), notice.manifest.signature.begin());
  notice.difference = difference_from(message.difference());
  return notice;
}

void take_control(Offer& offer, const wire::WorkOffer& message) {
  if (message.control_elements() == 0) return;
  if (message.control_elements() > limits::transfer_bytes / sizeof(float))
    refuse_offer("its control variate is larger than a transfer may be");
  if (!std::isfinite(message.max_control()) || message.max_control() <= 0.0F)
    refuse_offer("the cap on control variates is no cap");
  offer.control_elements = message.control_elements();
  offer.max_control = message.max_control();
  const ByteView hash = wire::bytes_of(message.control());
  if (hash.empty()) return;
  if (hash.size() != sizeof(Digest)) refuse_offer("its control variate has no hash of 32 bytes");
  offer.control = Digest::from_bytes(hash);
}

Offer offer_from(const wire::WorkOffer& message, Moment now) {
  if (message.plan() == nullptr) refuse_offer("it has no plan");
  if (message.max_examples() == 0) refuse_offer("no example may count");
  if (!std::isfinite(message.max_delta()) || message.max_delta() <= 0.0F)
    refuse_offer("the cap on deltas is no cap");
  Offer offer;
  offer.task = wire::text_of(message.task());
  offer.round = message.round();
  offer.version = message.version();
  offer.plan = plan_from(*message.plan());
  offer.seed = message.seed();
  offer.max_examples = message.max_examples();
  offer.max_delta = message.max_delta();
  offer.encoding = encoding_from(message);
  offer.max_staleness = message.max_staleness();
  take_control(offer, message);
  offer.deadline = deadline_of(message.deadline_ms(), now);
  return offer;
}

EvaluationOffer evaluation_offer_from(const wire::EvaluationOffer& message, Moment now) {
  EvaluationOffer offer;
  offer.task = wire::text_of(message.task());
  offer.evaluation = message.evaluation();
  offer.version = message.version();
  offer.deadline = deadline_of(message.deadline_ms(), now);
  return offer;
}

Error error_from(const wire::Refusal& refusal) {
  const std::string sentence = sentence_of(refusal.sentence());
  return {code_of(refusal.code()), sentence.empty() ? "the server refuses without saying why" : sentence};
}

Settlement settlement_of(wire::Outcome outcome) {
  switch (outcome) {
    case wire::Outcome::accepted:
    case wire::Outcome::already_accepted:
      return Settlement::done;
    case wire::Outcome::wrong_hash:
    case wire::Outcome::server_failure:
      return Settlement::retry;
    case wire::Outcome::round_closed:
    case wire::Outcome::not_selected:
    case wire::Outcome::stale_version:
      return Settlement::dropped;
    default:
      return Settlement::unwelcome;
  }
}

std::string sentence_of(const flatbuffers::String* sentence) {
  return without_controls(wire::text_of(sentence).substr(0, limits::sentence_bytes));
}

}  // namespace fl::client
