#include "common/serving/batch_queue.h"

#include <algorithm>

namespace fl::serving {

BatchQueue::Admission BatchQueue::add(Ticket ticket, std::size_t examples, Moment deadline, Moment now) {
  if (!queue_.empty() && waiting_ + examples > settings_.most_examples) return Admission::full;
  if (now + expected(waiting_, examples) > deadline) return Admission::late;
  queue_.push_back({ticket, examples, deadline, now});
  waiting_ += examples;
  return Admission::waits;
}

BatchQueue::Batch BatchQueue::take(Moment now) {
  Batch batch;
  const bool is_full = waiting_ >= settings_.batch;
  const bool is_due = !queue_.empty() && now - queue_.front().came >= settings_.delay;
  std::size_t taken = 0;
  while (!queue_.empty()) {
    const Request& next = queue_.front();
    const bool is_late = now + expected(0, next.examples) > next.deadline;
    if (!is_late) {
      if (!is_full && !is_due) break;
      if (taken > 0 && taken + next.examples > settings_.batch) break;
      taken += next.examples;
    }
    (is_late ? batch.late : batch.run).push_back(next.ticket);
    waiting_ -= next.examples;
    queue_.pop_front();
  }
  return batch;
}

std::optional<BatchQueue::Moment> BatchQueue::next_look() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.front().came + settings_.delay;
}

void BatchQueue::ran(Duration time) {
  constexpr int weight = 8;
  batch_time_ = batch_time_ ? *batch_time_ + (time - *batch_time_) / weight : time;
}

void BatchQueue::drop(Ticket ticket) {
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [ticket](const Request& request) { return request.ticket == ticket; });
  if (found == queue_.end()) return;
  waiting_ -= found->examples;
  queue_.erase(found);
}

BatchQueue::Duration BatchQueue::expected(std::size_t waiting, std::size_t examples) const {
  const std::size_t batches = (waiting + examples + settings_.batch - 1) / settings_.batch;
  const std::size_t turns = (batches + settings_.executors - 1) / settings_.executors;
  return batch_time_.value_or(Duration()) * static_cast<Duration::rep>(turns);
}

}  // namespace fl::serving
