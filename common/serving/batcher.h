#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
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
  /// Answers a batch: one tensor per input, all with the same first dimension; outputs have it too. Where it
  /// throws, each request of the batch is run again by itself, and gets what is thrown then. Called by one
  /// thread at a time.
  using Executor = std::function<std::vector<Tensor>(std::span<const TensorView> inputs)>;
  /// The request's outputs, or why there are none: what the executor threw; invalid_data, the outputs are not
  /// one for each example; resource_exhausted, they have more than most_output_bytes; timeout, its deadline
  /// passed while it waited; unavailable, there is not memory enough, or the batcher has gone.
  using Answer = std::variant<std::vector<Tensor>, Error>;
  /// Called once, on one of the threads or the destructor's; must not block or throw.
  using OnAnswer = std::function<void(Answer answer)>;

  /// A batch that was run: requests that had the same shape.
  struct Ran {
    std::size_t examples = 0;
    BatchQueue::Duration time{};
    std::span<const BatchQueue::Duration> waited;  ///< Of each of its requests, before.
  };
  /// Who is told, on any thread, of each batch before it is answered, and of how many examples wait whenever
  /// that has changed. Either may be empty; must not block or throw.
  struct Observer {
    std::function<void(const Ran& ran)> on_ran = {};
    std::function<void(std::size_t examples)> on_waiting = {};
  };

  static constexpr std::size_t most_output_bytes = std::size_t{64} << 20U;

  /// `threads` are those that run. There are as many executors as `executors` has, whatever `settings` say.
  Batcher(boost::asio::any_io_executor threads, const BatchQueue::Settings& settings,
          std::vector<Executor> executors, Observer observer);
  Batcher(boost::asio::any_io_executor threads, const BatchQueue::Settings& settings,
          std::vector<Executor> executors)
      : Batcher(std::move(threads), settings, std::move(executors), Observer()) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  ~Batcher();

  /// Where it is not admitted `on_answer` is not called. `inputs` have the same first dimension, 1 at least.
  BatchQueue::Admission submit(std::vector<Tensor> inputs, BatchQueue::Moment deadline, OnAnswer on_answer);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::serving
