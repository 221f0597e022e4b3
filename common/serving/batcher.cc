#include "common/serving/batcher.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace fl::serving {
namespace {

std::int64_t examples_in(const std::vector<Tensor>& tensors) {
  return tensors.front().shape.front();
}

/// Whether two requests differ in their numbers of examples alone.
bool can_join(const std::vector<Tensor>& one, const std::vector<Tensor>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const Tensor& a, const Tensor& b) {
    return std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1, b.shape.end());
  });
}

/// One tensor of the examples of all, one after the other.
Tensor joined(const std::vector<const Tensor*>& parts) {
  Tensor whole{parts.front()->datatype, parts.front()->shape, {}};
  whole.shape.front() = 0;
  std::size_t bytes = 0;
  for (const Tensor* const part : parts) bytes += part->data.size();
  whole.data.reserve(bytes);
  for (const Tensor* const part : parts) {
    whole.shape.front() += part->shape.front();
    whole.data.insert(whole.data.end(), part->data.begin(), part->data.end());
  }
  return whole;
}

/// The examples from `first` on.
Tensor part_of(const Tensor& whole, std::int64_t first, std::int64_t count) {
  Tensor part{whole.datatype, whole.shape, {}};
  part.shape.front() = count;
  const std::size_t example = whole.data.size() / static_cast<std::size_t>(whole.shape.front());
  const auto begin = whole.data.begin() + first * static_cast<std::ptrdiff_t>(example);
  part.data.assign(begin, begin + count * static_cast<std::ptrdiff_t>(example));
  return part;
}

void require_examples(const std::vector<Tensor>& outputs, std::int64_t examples) {
  for (const Tensor& output : outputs) {
    if (!output.shape.empty() && output.shape.front() == examples) continue;
    throw Error(ErrorCode::invalid_data, "the model answered " + std::to_string(examples) +
                                             " examples with an output of shape " + describe(output.shape));
  }
}

BatchQueue::Settings with_executors(BatchQueue::Settings settings, std::size_t executors) {
  settings.executors = executors;
  return settings;
}

std::size_t bytes_in(const std::vector<Tensor>& tensors) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.data.size();
  return bytes;
}

}  // namespace

Batcher::Batcher(const BatchQueue::Settings& settings, std::vector<Executor> executors)
    : queue_(with_executors(settings, executors.size())) {
  try {
    for (Executor& executor : executors)
      threads_.emplace_back([this, executor = std::move(executor)] { work(executor); });
  } catch (...) {
    end();
    throw;
  }
}

Batcher::~Batcher() {
  end();
  threads_.clear();
}

void Batcher::end() {
  std::map<BatchQueue::Ticket, Request> left;
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
    left.swap(waiting_);
  }
  changed_.notify_all();
  for (const auto& [ticket, request] : left)
    request.on_answer(Error(ErrorCode::unavailable, "the model is being taken down; ask again"));
}

BatchQueue::Admission Batcher::submit(std::vector<Tensor> inputs, BatchQueue::Moment deadline,
                                      OnAnswer on_answer) {
  const BatchQueue::Size size{static_cast<std::size_t>(examples_in(inputs)), bytes_in(inputs)};
  const std::scoped_lock lock(mutex_);
  const BatchQueue::Ticket ticket = next_ticket_++;
  const auto place = waiting_.emplace(ticket, Request{std::move(inputs), std::move(on_answer)}).first;
  const auto admission = queue_.add(ticket, size, deadline, BatchQueue::Clock::now());
  if (admission == BatchQueue::Admission::waits) {
    changed_.notify_one();
  } else {
    waiting_.erase(place);
  }
  return admission;
}

Batcher::Counts Batcher::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void Batcher::work(const Executor& executor) {
  for (;;) {
    std::vector<Request> late;
    std::vector<Request> batch = next_batch(late);
    for (const Request& request : late)
      request.on_answer(Error(ErrorCode::timeout, "the request waited past its deadline"));
    if (batch.empty() && late.empty()) return;
    if (!batch.empty()) run_all(executor, batch);
  }
}

std::vector<Batcher::Request> Batcher::next_batch(std::vector<Request>& late) {
  std::unique_lock lock(mutex_);
  const auto requests_of = [this](const std::vector<BatchQueue::Ticket>& tickets) {
    std::vector<Request> requests;
    for (const BatchQueue::Ticket ticket : tickets)
      requests.push_back(std::move(waiting_.extract(ticket).mapped()));
    return requests;
  };
  while (!ending_) {
    const BatchQueue::Batch next = queue_.take(BatchQueue::Clock::now());
    late = requests_of(next.late);
    if (!next.run.empty() || !late.empty()) {
      // Another executor may sleep longer than what is left may wait.
      if (!queue_.empty()) changed_.notify_one();
      return requests_of(next.run);
    }
    if (const auto look = queue_.next_look()) {
      changed_.wait_until(lock, *look);
    } else {
      changed_.wait(lock);
    }
  }
  return {};
}

void Batcher::run_all(const Executor& executor, std::span<Request> batch) {
  const BatchQueue::Moment begin = BatchQueue::Clock::now();
  std::size_t examples = 0;
  for (const Request& request : batch) examples += static_cast<std::size_t>(examples_in(request.inputs));
  {
    const std::scoped_lock lock(mutex_);
    ++counts_.batches;
    counts_.requests += batch.size();
    counts_.examples += examples;
  }
  bool is_measured = true;
  for (auto first = batch.begin(); first != batch.end();) {
    const auto end = std::partition(
        first, batch.end(), [&](const Request& request) { return can_join(request.inputs, first->inputs); });
    is_measured = run(executor, {first, end}) && is_measured;
    first = end;
  }
  const std::scoped_lock lock(mutex_);
  const BatchQueue::Duration time = BatchQueue::Clock::now() - begin;
  queue_.ended(examples, is_measured ? std::optional(time) : std::nullopt);
}

bool Batcher::run(const Executor& executor, std::span<Request> requests) {
  std::vector<Answer> answers;
  try {
    const bool joins = requests.size() > 1;
    std::vector<Tensor> whole;
    for (std::size_t input = 0; joins && input < requests.front().inputs.size(); ++input) {
      std::vector<const Tensor*> parts;
      for (const Request& request : requests) parts.push_back(&request.inputs[input]);
      whole.push_back(joined(parts));
    }
    std::vector<TensorView> views;
    for (const Tensor& tensor : joins ? whole : requests.front().inputs) views.push_back(tensor.view());
    std::vector<Tensor> outputs = executor(views);
    require_examples(outputs, views.front().shape.front());
    std::int64_t first = 0;
    for (const Request& request : requests) {
      const std::int64_t count = examples_in(request.inputs);
      std::vector<Tensor> own;
      for (Tensor& output : outputs) own.push_back(joins ? part_of(output, first, count) : std::move(output));
      answers.emplace_back(std::move(own));
      first += count;
    }
  } catch (const Error& error) {
    answers.assign(requests.size(), error);
  } catch (const std::exception& error) {
    answers.assign(requests.size(), Error(ErrorCode::internal, error.what()));
  }
  const bool is_answered = std::holds_alternative<std::vector<Tensor>>(answers.front());
  for (std::size_t i = 0; i < requests.size(); ++i) requests[i].on_answer(std::move(answers[i]));
  return is_answered;
}

}  // namespace fl::serving
