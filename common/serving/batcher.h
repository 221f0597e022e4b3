#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "common/base/error.h"
#include "common/model/tensor.h"
#include "common/serving/batch_queue.h"

namespace fl::serving {

/// Runs the requests for one model version in batches: a thread for each executor, which takes what waits in
/// a BatchQueue, joins what has the same shape, runs it and splits the outputs again.
///
/// Any thread may submit. Destroyed, it answers what waits with Error(unavailable) and waits for what runs.
class Batcher {
 public:
  /// Answers a batch: one tensor per input, all with the same first dimension; outputs have it too. What it
  /// throws all requests of the batch get. Called by one thread at a time.
  using Executor = std::function<std::vector<Tensor>(std::span<const TensorView> inputs)>;
  /// The request's outputs, or why there are none: what the executor threw; timeout, its deadline passed
  /// while it waited; unavailable, the batcher has gone.
  using Answer = std::variant<std::vector<Tensor>, Error>;
  /// Called once, on an executor's thread or the destructor's; must not block or throw.
  using OnAnswer = std::function<void(Answer answer)>;

  /// There are as many executors as `executors` has, whatever `settings` say.
  Batcher(const BatchQueue::Settings& settings, std::vector<Executor> executors);
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  ~Batcher();

  /// Where it is not admitted `on_answer` is not called. `inputs` have the same first dimension, 1 at least.
  BatchQueue::Admission submit(std::vector<Tensor> inputs, BatchQueue::Moment deadline, OnAnswer on_answer);

  /// Batches that were run and what was in them, for the mean batch.
  struct Counts {
    std::uint64_t batches = 0;
    std::uint64_t requests = 0;
    std::uint64_t examples = 0;
  };
  Counts counts() const;

 private:
  struct Request {
    std::vector<Tensor> inputs;
    OnAnswer on_answer;
  };

  void work(const Executor& executor);
  /// What an executor is to do next; nothing once the batcher ends.
  std::vector<Request> next_batch(std::vector<Request>& late);
  /// Runs requests that can be joined; whether the executor answered.
  static bool run(const Executor& executor, std::span<Request> requests);
  void run_all(const Executor& executor, std::span<Request> batch);
  /// Answers what waits, and has the threads end.
  void end();

  mutable std::mutex mutex_;  // guards what follows but the threads
  std::condition_variable changed_;
  BatchQueue queue_;
  std::map<BatchQueue::Ticket, Request> waiting_;
  BatchQueue::Ticket next_ticket_ = 0;
  Counts counts_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace fl::serving
