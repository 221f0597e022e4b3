#include "server/care/evaluation_check.h"

namespace fl::server {
namespace {

constexpr std::uint32_t page = 256;

void check_one(const Ledger& ledger, const EvaluationRecord& evaluation, Findings& findings) {
  std::uint32_t devices = 0;
  std::uint64_t examples = 0;
  for (const EvaluatorRecord& device : ledger.evaluators(evaluation.task, evaluation.evaluation)) {
    if (device.state != EvaluatorState::reported) continue;
    ++devices;
    examples += device.examples;
  }
  if (devices == evaluation.summary.devices && examples == evaluation.summary.examples) return;
  findings.push_back({Finding::Kind::fault,
                      "evaluation " + std::to_string(evaluation.evaluation) + " of '" + evaluation.task + "'",
                      "counts " + std::to_string(evaluation.summary.devices) + " devices and " +
                          std::to_string(evaluation.summary.examples) + " examples, but " +
                          std::to_string(devices) + " devices reported on " + std::to_string(examples),
                      "no round and no version depends on it; its figures are not to be relied on. A backup "
                      "has them as they "
                      "were"});
}

}  // namespace

void check_evaluations(const Ledger& ledger, const std::string& task, Findings& findings) {
  std::vector<EvaluationRecord> evaluations;
  std::uint64_t after = 0;
  do {
    evaluations = ledger.evaluations(task, after, page);
    for (const EvaluationRecord& evaluation : evaluations) {
      after = evaluation.version;
      if (evaluation.state != EvaluationState::open) check_one(ledger, evaluation, findings);
    }
  } while (evaluations.size() == page);
}

}  // namespace fl::server
