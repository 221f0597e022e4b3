#include "common/serving/batcher.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/serving/present_error.h"

namespace fl::serving {

namespace asio = boost::asio;
using Moment = BatchQueue::Moment;
using Duration = BatchQueue::Duration;

namespace {

constexpr std::chrono::hours longest_look{1};

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

std::size_t bytes_in(const std::vector<Tensor>& tensors) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.data.size();
  return bytes;
}

void check_outputs(const std::vector<Tensor>& outputs, std::int64_t examples) {
  if (outputs.empty()) throw Error(ErrorCode::invalid_data, "the model gives no output");
  if (bytes_in(outputs) > Batcher::most_output_bytes) {
    throw Error(ErrorCode::resource_exhausted, "the answer has " + std::to_string(bytes_in(outputs)) +
                                                   " bytes, " + std::to_string(Batcher::most_output_bytes) +
                                                   " at most are given; ask for fewer examples");
  }
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
    check_outputs(outputs, views.front().shape.front());
    std::int64_t first = 0;
    for (const Request& request : requests) {
      const std::int64_t count = examples_in(request.inputs);
      std::vector<Tensor> own;
      for (Tensor& output : outputs) own.push_back(joins ? part_of(output, first, count) : std::move(output));
      answers.emplace_back(std::move(own));
      first += count;
    }
  } catch (...) {
    answers.assign(requests.size(), present_error());
  }
  return answers;
}

/// The same, but that no request fails for what another one asks.
std::vector<Batcher::Answer> own_answers_of(const Batcher::Executor& executor, std::span<Request> requests) {
  std::vector<Batcher::Answer> answers = answers_of(executor, requests);
  if (requests.size() == 1 || std::holds_alternative<std::vector<Tensor>>(answers.front())) return answers;
  for (std::size_t i = 0; i < requests.size(); ++i)
    answers[i] = std::move(answers_of(executor, requests.subspan(i, 1)).front());
  return answers;
}

/// What an executor is to do next.
struct Work {
  std::vector<Request> run;
  std::vector<Request> late;
  std::size_t left = 0;      // examples that wait
  std::size_t executor = 0;  // where there is something to run
};

}  // namespace

struct Batcher::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor its_threads, const BatchQueue::Settings& settings,
        std::vector<Executor> its_executors, Observer its_observer)
      : threads(std::move(its_threads)),
        executors(std::move(its_executors)),
        observer(std::move(its_observer)),
        queue(with_executors(settings, executors.size())),
        timer(threads) {
    for (std::size_t i = 0; i < executors.size(); ++i) free.push_back(i);
  }

  // With the lock held.
  /// Has a thread look at what waits, now or when that is worth it.
  void arrange_work();
  void arrange_look(Moment moment);
  std::vector<Request> requests_of(const std::vector<BatchQueue::Ticket>& tickets);

  // Without it.
  void work();
  void look_again();
  Work next_work();
  void run(Work work);
  /// Runs requests that can be joined, and adds their examples to `examples`.
  std::vector<Answer> run_joined(const Executor& executor, std::span<Request> requests,
                                 std::size_t& examples) const;
  void tell_waiting(std::size_t examples) const;
  static void refuse_late(const std::vector<Request>& late);
  void end();

  const asio::any_io_executor threads;
  const std::vector<Executor> executors;
  const Observer observer;
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
                 std::vector<Executor> executors, Observer observer)
    : state_(
          std::make_shared<State>(std::move(threads), settings, std::move(executors), std::move(observer))) {}

Batcher::~Batcher() {
  state_->end();
}

BatchQueue::Admission Batcher::submit(std::vector<Tensor> inputs, Moment deadline, OnAnswer on_answer) {
  const Moment now = BatchQueue::Clock::now();
  const BatchQueue::Size size{static_cast<std::size_t>(examples_in(inputs)), bytes_in(inputs)};
  std::size_t waiting = 0;
  {
    const std::scoped_lock lock(state_->mutex);
    const BatchQueue::Ticket ticket = state_->next_ticket++;
    const BatchQueue::Admission admission = state_->queue.add(ticket, size, deadline, now);
    if (admission != BatchQueue::Admission::waits) return admission;
    state_->waiting.emplace(ticket, Request{std::move(inputs), std::move(on_answer), now});
    state_->arrange_work();
    waiting = state_->queue.waiting_examples();
  }
  state_->tell_waiting(waiting);
  return BatchQueue::Admission::waits;
}

void Batcher::State::tell_waiting(std::size_t examples) const {
  if (observer.on_waiting) observer.on_waiting(examples);
}

void Batcher::State::arrange_work() {
  if (ending) return;  // what waited was answered
  if (coming < free.size()) {
    const std::optional<Moment> next = queue.next_look();
    if (next && *next <= BatchQueue::Clock::now()) {
      ++coming;
      asio::defer(threads, [self = shared_from_this()] { self->work(); });
    } else if (next) {
      arrange_look(*next);
    }
  } else if (const std::optional<Moment> deadline = queue.first_deadline()) {
    arrange_look(*deadline);
  }
}

void Batcher::State::arrange_look(Moment moment) {
  if (look && *look <= moment) return;
  // A clock's end is a deadline for who has none.
  moment = std::min(moment, BatchQueue::Clock::now() + longest_look);
  look = moment;
  timer.expires_at(moment);
  timer.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled) self->look_again();
  });
}

void Batcher::State::look_again() {
  std::vector<Request> late;
  std::size_t left = 0;
  {
    const std::scoped_lock lock(mutex);
    if (ending) return;
    look.reset();
    late = requests_of(queue.take_late(BatchQueue::Clock::now()));
    left = queue.waiting_examples();
    arrange_work();
  }
  tell_waiting(left);
  refuse_late(late);
}

void Batcher::State::refuse_late(const std::vector<Request>& late) {
  for (const Request& request : late)
    request.on_answer(Error(ErrorCode::timeout, "the request waited past its deadline"));
}

std::vector<Request> Batcher::State::requests_of(const std::vector<BatchQueue::Ticket>& tickets) {
  std::vector<Request> requests;
  for (const BatchQueue::Ticket ticket : tickets)
    requests.push_back(std::move(waiting.extract(ticket).mapped()));
  return requests;
}

void Batcher::State::work() {
  Work work = next_work();
  tell_waiting(work.left);
  refuse_late(work.late);
  if (!work.run.empty()) run(std::move(work));
}

Work Batcher::State::next_work() {
  const std::scoped_lock lock(mutex);
  --coming;
  if (ending) return {};
  const BatchQueue::Batch next = queue.take(BatchQueue::Clock::now());
  Work work{requests_of(next.run), requests_of(next.late), queue.waiting_examples()};
  if (!work.run.empty()) {
    work.executor = free.back();
    free.pop_back();
  }
  arrange_work();
  return work;
}

void Batcher::State::run(Work work) {
  const Moment begin = BatchQueue::Clock::now();
  std::vector<Request>& batch = work.run;
  std::vector<Answer> answers;
  std::size_t examples = 0;
  bool is_measured = true;
  for (auto first = batch.begin(); first != batch.end();) {
    const auto last = std::partition(
        first, batch.end(), [&](const Request& request) { return can_join(request.inputs, first->inputs); });
    std::vector<Answer> own = run_joined(executors[work.executor], {first, last}, examples);
    is_measured = is_measured && std::holds_alternative<std::vector<Tensor>>(own.front());
    std::move(own.begin(), own.end(), std::back_inserter(answers));
    first = last;
  }
  {
    const std::scoped_lock lock(mutex);
    const Duration time = BatchQueue::Clock::now() - begin;
    queue.ended(examples, is_measured ? std::optional(time) : std::nullopt);
    free.push_back(work.executor);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].on_answer(std::move(answers[i]));
  const std::scoped_lock lock(mutex);
  arrange_work();
}

std::vector<Batcher::Answer> Batcher::State::run_joined(const Executor& executor, std::span<Request> requests,
                                                        std::size_t& examples) const {
  const Moment begin = BatchQueue::Clock::now();
  std::size_t own = 0;
  std::vector<Duration> waited;
  for (const Request& request : requests) {
    own += static_cast<std::size_t>(examples_in(request.inputs));
    waited.push_back(begin - request.came);
  }
  std::vector<Answer> answers = own_answers_of(executor, requests);
  examples += own;
  if (observer.on_ran) observer.on_ran({own, BatchQueue::Clock::now() - begin, waited});
  return answers;
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
