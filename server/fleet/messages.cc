#include "server/fleet/messages.h"

#include "common/base/text.h"
#include "protocol/limits.h"

namespace fl::server {

using flatbuffers::FlatBufferBuilder;

namespace {

static_assert(Registry::most_tasks <= limits::tasks);

std::string_view bounded(std::string_view sentence) {
  return sentence.substr(0, limits::sentence_bytes);
}

auto text(FlatBufferBuilder& builder, std::string_view value) {
  return builder.CreateString(value.data(), value.size());
}

auto plan_field(FlatBufferBuilder& builder, const TrainingPlan& plan) {
  wire::TrainingPlanBuilder field(builder);
  field.add_optimizer(static_cast<wire::Optimizer>(plan.optimizer));
  field.add_learning_rate(plan.learning_rate);
  field.add_momentum(plan.momentum);
  field.add_weight_decay(plan.weight_decay);
  field.add_beta1(plan.beta1);
  field.add_beta2(plan.beta2);
  field.add_epsilon(plan.epsilon);
  field.add_schedule(static_cast<wire::Schedule>(plan.schedule));
  field.add_schedule_period(plan.schedule_period);
  field.add_schedule_factor(plan.schedule_factor);
  field.add_epochs(plan.epochs);
  field.add_steps(plan.steps);
  field.add_batch_size(plan.batch_size);
  field.add_proximal_mu(plan.proximal_mu);
  field.add_gradient_clip(plan.gradient_clip);
  return field.Finish();
}

auto difference_field(FlatBufferBuilder& builder, const Difference& difference) {
  const auto base = wire::field_of(builder, difference.base.bytes);
  const auto hash = wire::field_of(builder, difference.hash.bytes);
  return wire::CreateDifference(builder, base, hash, difference.bytes,
                                static_cast<wire::Encoding>(difference.encoding), difference.encoded);
}

}  // namespace

MessageBuffer welcome_message(std::uint16_t version, const std::vector<std::string>& features,
                              const std::vector<std::string>& tasks, Timestamp now) {
  return wire::make_message<wire::Welcome>([&](FlatBufferBuilder& builder) {
    const auto shared_features = builder.CreateVectorOfStrings(features);
    const auto task_names = builder.CreateVectorOfStrings(tasks);
    const auto software = text(builder, "fl-server " FL_VERSION);
    wire::WelcomeBuilder welcome(builder);
    welcome.add_version(version);
    welcome.add_features(shared_features);
    welcome.add_software(software);
    welcome.add_server_time_ms(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    welcome.add_keep_alive_ms(static_cast<std::uint32_t>(Milliseconds(limits::idle_time).count() / 3));
    welcome.add_tasks(task_names);
    return welcome.Finish();
  });
}

MessageBuffer task_message(std::string_view task) {
  return wire::make_message<wire::TaskNotice>(
      [&](FlatBufferBuilder& builder) { return wire::CreateTaskNotice(builder, text(builder, task)); });
}

MessageBuffer keep_alive_message() {
  return wire::make_message<wire::KeepAlive>(
      [](FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); });
}

MessageBuffer refusal_message(wire::RefusalCode code, std::string_view sentence, bool closes) {
  return wire::make_message<wire::Refusal>([&](FlatBufferBuilder& builder) {
    return wire::CreateRefusal(builder, code, text(builder, bounded(sentence)), closes);
  });
}

MessageBuffer version_message(const VersionRecord& version, bool with_difference) {
  return wire::make_message<wire::VersionNotice>([&](FlatBufferBuilder& builder) {
    const auto task = text(builder, version.task);
    const auto manifest = wire::field_of(builder, as_bytes(version.manifest.text));
    const auto signature = wire::field_of(builder, version.manifest.signature);
    flatbuffers::Offset<wire::Difference> difference;
    if (with_difference && version.difference) difference = difference_field(builder, *version.difference);
    return wire::CreateVersionNotice(builder, task, version.version, manifest, signature, difference);
  });
}

MessageBuffer subscribed_message(std::string_view task, std::uint64_t version) {
  return wire::make_message<wire::Subscribed>([&](FlatBufferBuilder& builder) {
    return wire::CreateSubscribed(builder, text(builder, task), version);
  });
}

MessageBuffer offer_message(std::string_view task, const Work& work) {
  return wire::make_message<wire::WorkOffer>([&](FlatBufferBuilder& builder) {
    const auto name = text(builder, task);
    const auto plan = plan_field(builder, work.plan);
    const auto control = work.control ? wire::field_of(builder, work.control->bytes) : 0;
    return wire::CreateWorkOffer(builder, name, work.round, work.version, plan, work.seed, work.max_examples,
                                 work.max_delta, static_cast<std::uint32_t>(work.time_left.count()),
                                 static_cast<wire::Encoding>(work.encoding), work.max_staleness,
                                 work.control_elements, control, work.max_control);
  });
}

MessageBuffer later_message(std::string_view task, const Later& later) {
  return wire::make_message<wire::WorkLater>([&](FlatBufferBuilder& builder) {
    const auto name = text(builder, task);
    const auto sentence = text(builder, bounded(later.reason));
    return wire::CreateWorkLater(builder, name, static_cast<std::uint32_t>(later.retry_after.count()),
                                 sentence, later.firm);
  });
}

MessageBuffer evaluation_offer_message(std::string_view task, const EvaluationWork& work) {
  return wire::make_message<wire::EvaluationOffer>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationOffer(builder, text(builder, task), work.evaluation, work.version,
                                       static_cast<std::uint32_t>(work.time_left.count()));
  });
}

MessageBuffer evaluation_reply_message(const Verdict& verdict) {
  return wire::make_message<wire::EvaluationReply>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationReply(builder, verdict.outcome, text(builder, bounded(verdict.sentence)));
  });
}

MessageBuffer go_message(std::uint64_t offset, bool compress) {
  return wire::make_message<wire::UpdateGo>(
      [&](FlatBufferBuilder& builder) { return wire::CreateUpdateGo(builder, offset, compress); });
}

MessageBuffer reply_message(const Verdict& verdict) {
  return wire::make_message<wire::UpdateReply>([&](FlatBufferBuilder& builder) {
    return wire::CreateUpdateReply(builder, verdict.outcome, text(builder, bounded(verdict.sentence)));
  });
}

MessageBuffer transfer_message(std::uint64_t length, std::uint64_t offset) {
  return wire::make_message<wire::Transfer>(
      [&](FlatBufferBuilder& builder) { return wire::CreateTransfer(builder, length, offset); });
}

MessageBuffer enrolled_message(std::string_view device, ByteView certificate, ByteView signing_key) {
  return wire::make_message<wire::EnrolReply>([&](FlatBufferBuilder& builder) {
    const auto id = text(builder, device);
    const auto issued = wire::field_of(builder, certificate);
    const auto key = wire::field_of(builder, signing_key);
    return wire::CreateEnrolReply(builder, id, issued, key);
  });
}

MessageBuffer renewed_message(ByteView certificate) {
  return wire::make_message<wire::RenewReply>([&](FlatBufferBuilder& builder) {
    return wire::CreateRenewReply(builder, wire::field_of(builder, certificate));
  });
}

std::string readable(std::string_view sentence) {
  constexpr std::size_t longest = 256;
  std::string text = without_controls(sentence.substr(0, longest));
  if (is_utf8(text)) return text;
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) >= 0x80) byte = '?';
  }
  return text;
}

Transfer transfer_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::fp16:
      return Transfer::fp16_update;
    case Encoding::int8:
      return Transfer::int8_update;
    case Encoding::fp32:
      break;
  }
  return Transfer::fp32_update;
}

Announcement announcement_from(const wire::UpdateAnnounce& message, const std::string& device) {
  Announcement update;
  update.device = device;
  update.round = message.round();
  update.version = message.version();
  update.layout_hash = Digest::from_bytes(wire::bytes_of(message.layout_hash()));
  update.hash = Digest::from_bytes(wire::bytes_of(message.hash()));
  update.length = message.length();
  update.encoding_is_known = message.encoding() <= wire::Encoding::MAX;
  if (update.encoding_is_known) update.record.encoding = static_cast<Encoding>(message.encoding());
  update.record.examples = message.examples();
  update.record.steps = message.steps();
  update.record.train_loss = message.train_loss();
  update.record.test_examples = message.test_examples();
  update.record.test_loss = message.test_loss();
  update.record.test_accuracy = message.test_accuracy();
  return update;
}

Report report_from(const wire::EvaluationReport& message, const std::string& device) {
  constexpr double no_right_and_wrong = -1.0;
  Report report;
  report.evaluation = message.evaluation();
  report.version = message.version();
  report.record.device = device;
  report.record.examples = message.examples();
  report.record.loss_sum = message.loss_sum();
  if (message.correct() != no_right_and_wrong) report.record.correct = message.correct();
  return report;
}

}  // namespace fl::server
