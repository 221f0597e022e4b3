#include "common/serving/batch_queue.h"

#include <algorithm>

#include "common/base/error.h"

namespace fl::serving {

BatchQueue::BatchQueue(const Settings& settings) : settings_(settings) {
  if (settings.batch > 0 && settings.executors > 0) return;
  throw Error(ErrorCode::invalid_argument,
              "a batch has an example at least, and there is an executor at least");
}

BatchQueue::Admission BatchQueue::add(Ticket ticket, const Size& size, Moment deadline, Moment now) {
  const bool is_full = waiting_ + size.examples > settings_.most_examples ||
                       waiting_bytes_ + size.bytes > settings_.most_bytes;
  if (!queue_.empty() && is_full) return Admission::full;
  const std::size_t ahead = running_ + batches_of(waiting_ + size.examples);
  const bool runs_at_once =
      ahead <= settings_.executors || (queue_.empty() && running_ < settings_.executors);
  if (!runs_at_once) {
    const std::size_t turns = (ahead + settings_.executors - 1) / settings_.executors;
    const Duration expected = batch_time_.value_or(Duration()) * static_cast<Duration::rep>(turns);
    if (now + expected > deadline) return Admission::late;
  }
  queue_.push_back({ticket, size, deadline, now});
  waiting_ += size.examples;
  waiting_bytes_ += size.bytes;
  return Admission::waits;
}

BatchQueue::Batch BatchQueue::take(Moment now) {
  Batch batch;
  const bool runs = waiting_ >= settings_.batch || (!queue_.empty() && now >= due());
  std::size_t taken = 0;
  while (!queue_.empty()) {
    const Request& next = queue_.front();
    const bool is_late = now > next.deadline;
    if (!is_late) {
      if (!runs) break;
      if (taken > 0 && taken + next.size.examples > settings_.batch) break;
      taken += next.size.examples;
    }
    (is_late ? batch.late : batch.run).push_back(next.ticket);
    remove(queue_.begin());
  }
  running_ += batch.run.empty() ? 0 : 1;
  return batch;
}

std::optional<BatchQueue::Moment> BatchQueue::next_look() const {
  if (queue_.empty()) return std::nullopt;
  return waiting_ >= settings_.batch ? queue_.front().came : due();
}

void BatchQueue::ended(std::size_t examples, std::optional<Duration> time) {
  constexpr int weight = 8;
  --running_;
  if (!time) return;
  const Duration one = *time / static_cast<Duration::rep>(std::max<std::size_t>(batches_of(examples), 1));
  batch_time_ = batch_time_ ? *batch_time_ + (one - *batch_time_) / weight : one;
}

std::optional<BatchQueue::Moment> BatchQueue::first_deadline() const {
  if (queue_.empty()) return std::nullopt;
  return std::min_element(queue_.begin(), queue_.end(),
                          [](const Request& a, const Request& b) { return a.deadline < b.deadline; })
      ->deadline;
}

std::vector<BatchQueue::Ticket> BatchQueue::take_late(Moment now) {
  std::vector<Ticket> late;
  for (auto request = queue_.begin(); request != queue_.end();) {
    if (now <= request->deadline) {
      ++request;
      continue;
    }
    late.push_back(request->ticket);
    waiting_ -= request->size.examples;
    waiting_bytes_ -= request->size.bytes;
    request = queue_.erase(request);
  }
  return late;
}

std::size_t BatchQueue::batches_of(std::size_t examples) const {
  return (examples + settings_.batch - 1) / settings_.batch;
}

BatchQueue::Moment BatchQueue::due() const {
  const Request& first = queue_.front();
  if (settings_.delay == Duration()) return first.came;
  const Duration one = batch_time_.value_or(Duration());
  Moment due = first.came + settings_.delay;
  for (const Request& request : queue_) due = std::min(due, std::max(request.deadline - one, request.came));
  return due;
}

void BatchQueue::remove(const std::deque<Request>::const_iterator& request) {
  waiting_ -= request->size.examples;
  waiting_bytes_ -= request->size.bytes;
  queue_.erase(request);
}

}  // namespace fl::serving
