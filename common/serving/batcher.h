#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/error.h"
#include "common/model/tensor.h"
#include "common/serving/batch_queue.h"

namespace fl::serving {

/// Runs the requests for one model version in batches. When an executor is free it takes what waits in a
/// BatchQueue, joins what has the same shape, runs it and splits the outputs again. It does so on the threads
/// that also read the requests, after what is ready there: so what has come meanwhile runs together, and a
/// request that comes alone is handed to no other thread.
///
/// Any thread may submit. Destroyed, it answers what waits with Error(unavailable); what runs ends and is
/// answered.
class Batcher {
 public:
  /// Answers a batch: one tensor per input, all with the same first dimension; outputs have it too. What it
  /// throws all requests of the batch get. Called by one thread at a time.
  using Executor = std::function<std::vector<Tensor>(std::span<const TensorView> inputs)>;
  /// The request's outputs, or why there are none: what the executor threw; timeout, its deadline passed
  /// while it waited; unavailable, the batcher has gone.
  using Answer = std::variant<std::vector<Tensor>, Error>;
  /// Called once, on one of the threads or the destructor's; must not block or throw.
  using OnAnswer = std::function<void(Answer answer)>;

  /// A batch that was run.
  struct Ran {
    std::size_t examples = 0;
    BatchQueue::Duration time{};
    std::span<const BatchQueue::Duration> waited;  ///< Of each of its requests, before.
  };
  /// Told of each batch before it is answered; as OnAnswer.
  using OnRan = std::function<void(const Ran& ran)>;

  /// `threads` are those that run. There are as many executors as `executors` has, whatever `settings` say.
  /// `on_ran` may be empty.
  Batcher(boost::asio::any_io_executor threads, const BatchQueue::Settings& settings,
          std::vector<Executor> executors, OnRan on_ran = {});
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  ~Batcher();

  /// Where it is not admitted `on_answer` is not called. `inputs` have the same first dimension, 1 at least.
  BatchQueue::Admission submit(std::vector<Tensor> inputs, BatchQueue::Moment deadline, OnAnswer on_answer);

  std::size_t waiting_examples() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::serving
