#include "common/serving/batcher.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fl::serving {

namespace asio = boost::asio;
using Moment = BatchQueue::Moment;
using Duration = BatchQueue::Duration;

namespace {

struct Request {
  std::vector<Tensor> inputs;
  Batcher::OnAnswer on_answer;
  Moment came;
};

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

/// The answers of requests that can be joined.
std::vector<Batcher::Answer> answers_of(const Batcher::Executor& executor, std::span<Request> requests) {
  std::vector<Batcher::Answer> answers;
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
  return answers;
}

/// What an executor is to do next.
struct Work {
  std::vector<Request> run;
  std::vector<Request> late;
  std::size_t executor = 0;  // where there is something to run
};

}  // namespace

struct Batcher::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor its_threads, const BatchQueue::Settings& settings,
        std::vector<Executor> its_executors, OnRan its_on_ran)
      : threads(std::move(its_threads)),
        executors(std::move(its_executors)),
        on_ran(std::move(its_on_ran)),
        queue(with_executors(settings, executors.size())),
        timer(threads) {
    for (std::size_t i = 0; i < executors.size(); ++i) free.push_back(i);
  }

  /// Has a thread look at what waits, now or when that is worth it. With the lock held.
  void arrange_work();
  void work();
  Work next_work();
  void run(Work work);
  void end();

  const asio::any_io_executor threads;
  const std::vector<Executor> executors;
  const OnRan on_ran;
  mutable std::mutex mutex;  // guards what follows
  BatchQueue queue;
  std::map<BatchQueue::Ticket, Request> waiting;
  BatchQueue::Ticket next_ticket = 0;
  std::vector<std::size_t> free;  // executors
  std::size_t coming = 0;         // calls of work() that have been arranged
  asio::steady_timer timer;
  std::optional<Moment> look;  // of the timer
  bool ending = false;
};

Batcher::Batcher(asio::any_io_executor threads, const BatchQueue::Settings& settings,
                 std::vector<Executor> executors, OnRan on_ran)
    : state_(std::make_shared<State>(std::move(threads), settings, std::move(executors), std::move(on_ran))) {
}

Batcher::~Batcher() {
  state_->end();
}

BatchQueue::Admission Batcher::submit(std::vector<Tensor> inputs, Moment deadline, OnAnswer on_answer) {
  const Moment now = BatchQueue::Clock::now();
  const BatchQueue::Size size{static_cast<std::size_t>(examples_in(inputs)), bytes_in(inputs)};
  const std::scoped_lock lock(state_->mutex);
  const BatchQueue::Ticket ticket = state_->next_ticket++;
  const BatchQueue::Admission admission = state_->queue.add(ticket, size, deadline, now);
  if (admission != BatchQueue::Admission::waits) return admission;
  state_->waiting.emplace(ticket, Request{std::move(inputs), std::move(on_answer), now});
  state_->arrange_work();
  return admission;
}

std::size_t Batcher::waiting_examples() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->queue.waiting_examples();
}

void Batcher::State::arrange_work() {
  const std::optional<Moment> next = queue.next_look();
  if (!next || coming >= free.size()) return;
  if (*next <= BatchQueue::Clock::now()) {
    ++coming;
    asio::defer(threads, [self = shared_from_this()] { self->work(); });
  } else if (!look || *next < *look) {
    look = next;
    timer.expires_at(*next);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      const std::scoped_lock lock(self->mutex);
      self->look.reset();
      self->arrange_work();
    });
  }
}

void Batcher::State::work() {
  Work work = next_work();
  for (const Request& request : work.late)
    request.on_answer(Error(ErrorCode::timeout, "the request waited past its deadline"));
  if (!work.run.empty()) run(std::move(work));
}

Work Batcher::State::next_work() {
  const std::scoped_lock lock(mutex);
  --coming;
  if (ending) return {};
  const auto requests_of = [this](const std::vector<BatchQueue::Ticket>& tickets) {
    std::vector<Request> requests;
    for (const BatchQueue::Ticket ticket : tickets)
      requests.push_back(std::move(waiting.extract(ticket).mapped()));
    return requests;
  };
  const BatchQueue::Batch next = queue.take(BatchQueue::Clock::now());
  Work work{requests_of(next.run), requests_of(next.late)};
  if (!work.run.empty()) {
    work.executor = free.back();
    free.pop_back();
  }
  arrange_work();
  return work;
}

void Batcher::State::run(Work work) {
  const Moment begin = BatchQueue::Clock::now();
  std::size_t examples = 0;
  std::vector<Duration> waited;
  for (const Request& request : work.run) {
    examples += static_cast<std::size_t>(examples_in(request.inputs));
    waited.push_back(begin - request.came);
  }
  std::vector<Answer> answers;
  std::vector<Request>& batch = work.run;
  for (auto first = batch.begin(); first != batch.end();) {
    const auto last = std::partition(
        first, batch.end(), [&](const Request& request) { return can_join(request.inputs, first->inputs); });
    for (Answer& answer : answers_of(executors[work.executor], {first, last}))
      answers.push_back(std::move(answer));
    first = last;
  }
  const Duration time = BatchQueue::Clock::now() - begin;
  const bool is_measured = std::all_of(answers.begin(), answers.end(), [](const Answer& answer) {
    return std::holds_alternative<std::vector<Tensor>>(answer);
  });
  {
    const std::scoped_lock lock(mutex);
    queue.ended(examples, is_measured ? std::optional(time) : std::nullopt);
    free.push_back(work.executor);
  }
  if (on_ran) on_ran({examples, time, waited});
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].on_answer(std::move(answers[i]));
  const std::scoped_lock lock(mutex);
  arrange_work();
}

void Batcher::State::end() {
  std::map<BatchQueue::Ticket, Request> left;
  {
    const std::scoped_lock lock(mutex);
    ending = true;
    left.swap(waiting);
    timer.cancel();
  }
  for (const auto& [ticket, request] : left)
    request.on_answer(Error(ErrorCode::unavailable, "the model is being taken down; ask again"));
}

}  // namespace fl::serving
