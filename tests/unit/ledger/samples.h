#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "server/ledger/ledger.h"

/// Records to fill ledgers with.
namespace fl::test {

inline Timestamp at(std::int64_t seconds) {
  return Timestamp(Milliseconds(seconds * 1000));
}

inline Digest digest_of(const std::string& text) {
  return sha256(as_bytes(text));
}

inline server::TaskRecord sample_task(const std::string& name = "har") {
  server::TaskRecord task;
  task.name = name;
  task.plan.round.goal = 3;
  task.contract.inputs = {{"input", Datatype::fp32, {-1, 2}}};
  task.contract.outputs = {{"output", Datatype::fp32, {-1, 2}}};
  task.contract.labels = {"rest", "walk"};
  task.contract.data.columns = {"x", "y"};
  task.contract.data.label = "label";
  task.layout.add("weight", Datatype::fp32, {2, 2}, Role::trained);
  task.layout.add("bias", Datatype::fp32, {2}, Role::trained);
  task.archive_hash = digest_of("archive");
  task.archive_bytes = 7;
  task.created = at(100);
  return task;
}

inline server::VersionRecord sample_version(std::uint64_t version = 1, std::uint64_t round = 0,
                                            const std::string& task = "har") {
  server::VersionRecord record;
  record.task = task;
  record.version = version;
  record.round = round;
  record.manifest.text = "{\"version\":" + std::to_string(version) + "}";
  record.manifest.signature.fill(std::byte{7});
  record.weights_hash = digest_of("weights " + std::to_string(version));
  record.published = at(100 + static_cast<std::int64_t>(version));
  return record;
}

inline server::DeviceRecord sample_device(const std::string& id) {
  server::DeviceRecord device;
  device.id = id;
  device.name = "name of " + id;
  device.certificate_serial = "01AB";
  device.enrolled = at(10);
  device.certificate_expires = at(1000);
  device.last_seen = at(10);
  return device;
}

inline void enrol(server::Ledger& ledger, const std::string& id) {
  ledger.add_token(digest_of("token of " + id), "", at(1'000'000));
  ledger.enrol(digest_of("token of " + id), sample_device(id), at(1));
}

inline server::RoundRecord sample_round(std::uint64_t number, std::uint64_t base_version,
                                        const std::string& task = "har") {
  server::RoundRecord round;
  round.task = task;
  round.round = number;
  round.base_version = base_version;
  round.quantum = 0x1p-40;
  round.opened = at(200);
  round.deadline = at(800);
  return round;
}

inline server::ParticipantRecord accepted_update(const std::string& device, std::uint32_t examples = 10) {
  server::ParticipantRecord update;
  update.device = device;
  update.state = server::ParticipantState::accepted;
  update.at = at(300);
  update.update_hash = digest_of("update of " + device);
  update.update_bytes = 24;
  update.examples = examples;
  update.steps = 3;
  update.train_loss = 0.5;
  update.test_examples = 4;
  update.test_loss = 0.75;
  update.test_accuracy = 0.25;
  return update;
}

inline server::ParticipantRecord refused_update(const std::string& device, const std::string& reason) {
  server::ParticipantRecord update;
  update.device = device;
  update.state = server::ParticipantState::refused;
  update.reason = reason;
  update.at = at(301);
  return update;
}

inline server::EvaluationRecord sample_evaluation(std::uint64_t number, std::uint64_t version,
                                                  const std::string& task = "har") {
  server::EvaluationRecord evaluation;
  evaluation.task = task;
  evaluation.evaluation = number;
  evaluation.version = version;
  evaluation.opened = at(300);
  evaluation.deadline = at(900);
  return evaluation;
}

inline server::EvaluatorRecord sample_report(const std::string& device, std::uint64_t examples = 8) {
  server::EvaluatorRecord report;
  report.device = device;
  report.state = server::EvaluatorState::reported;
  report.at = at(400);
  report.examples = examples;
  report.loss_sum = 2.5;
  report.correct = 6.0;
  return report;
}

/// A ledger with a task, devices "a", "b" and "c" and an open round 1 of "a" and "b".
inline void fill(server::Ledger& ledger) {
  ledger.add_task(sample_task(), sample_version());
  for (const char* id : {"a", "b", "c"}) enrol(ledger, id);
  ledger.begin_round(sample_round(1, 1), {"a", "b"});
}

/// The code of the Error that `action` throws; nothing where it throws none.
inline std::optional<ErrorCode> code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace fl::test
