#include "common/serving/batcher.h"

#include <atomic>
#include <cstring>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>

using namespace fl;
using namespace fl::serving;
using namespace std::chrono_literals;

namespace {

constexpr BatchQueue::Moment never = BatchQueue::Moment::max();

std::vector<Tensor> request(std::vector<float> values, std::int64_t columns = 1) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  std::vector<Tensor> tensors;
  tensors.push_back(make_tensor(values, {rows, columns}));
  return tensors;
}

/// Doubles each value.
std::vector<Tensor> doubled(std::span<const TensorView> inputs) {
  const TensorView& input = inputs.front();
  std::vector<float> values(input.data.size() / sizeof(float));
  std::memcpy(values.data(), input.data.data(), input.data.size());
  for (float& value : values) value *= 2;
  std::vector<Tensor> outputs;
  outputs.push_back(make_tensor(values, Shape(input.shape.begin(), input.shape.end())));
  return outputs;
}

/// An executor that a test holds up.
class Gate {
 public:
  Batcher::Executor executor() {
    return [this](std::span<const TensorView> inputs) {
      ++entered;
      entered.notify_all();
      open.wait(false);
      return doubled(inputs);
    };
  }
  void await_entered(int count) {
    for (int seen = entered; seen < count; seen = entered) entered.wait(seen);
  }
  void release() {
    open = true;
    open.notify_all();
  }

  std::atomic<int> entered = 0;
  std::atomic<bool> open = false;
};

struct Asked {
  std::future<Batcher::Answer> answer;
  BatchQueue::Admission admission;
};

Asked ask(Batcher& batcher, std::vector<Tensor> inputs, BatchQueue::Moment deadline = never) {
  const auto promise = std::make_shared<std::promise<Batcher::Answer>>();
  Asked asked{promise->get_future(), {}};
  asked.admission = batcher.submit(std::move(inputs), deadline, [promise](Batcher::Answer answer) {
    promise->set_value(std::move(answer));
  });
  return asked;
}

std::vector<float> values_of(Asked& asked) {
  const Batcher::Answer answer = asked.answer.get();
  const auto floats = std::get<std::vector<Tensor>>(answer).front().floats();
  return {floats.begin(), floats.end()};
}

ErrorCode code_of(Asked& asked) {
  return std::get<Error>(asked.answer.get()).code();
}

BatchQueue::Settings settings(std::size_t batch = 64) {
  BatchQueue::Settings made;
  made.batch = batch;
  return made;
}

/// Threads, and what ran on them.
struct Threads {
  explicit Threads(std::size_t count = 2) : pool(count) {}
  ~Threads() { pool.join(); }

  Batcher::Observer count() {
    return {[this](const Batcher::Ran& ran) {
              ++batches;
              requests += ran.waited.size();
              examples += ran.examples;
            },
            [this](std::size_t now) { waiting = now; }};
  }

  boost::asio::thread_pool pool;
  std::atomic<std::size_t> batches = 0;
  std::atomic<std::size_t> requests = 0;
  std::atomic<std::size_t> examples = 0;
  std::atomic<std::size_t> waiting = 0;
};

}  // namespace

TEST_CASE("what waits while an executor is busy runs as one batch and each gets its own answer") {
  Gate gate;
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(), {gate.executor()}, threads.count());
  Asked first = ask(batcher, request({1}));
  gate.await_entered(1);
  Asked second = ask(batcher, request({2, 3}));
  Asked third = ask(batcher, request({4}));
  gate.release();
  CHECK(values_of(first) == std::vector<float>{2});
  CHECK(values_of(second) == std::vector<float>{4, 6});
  CHECK(values_of(third) == std::vector<float>{8});
  CHECK(threads.batches == 2);
  CHECK(threads.requests == 3);
  CHECK(threads.examples == 4);
}

TEST_CASE("requests of different shapes are not joined") {
  Gate gate;
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(), {gate.executor()}, threads.count());
  Asked first = ask(batcher, request({1}));
  gate.await_entered(1);
  Asked wide = ask(batcher, request({2, 3}, 2));
  Asked narrow = ask(batcher, request({4}));
  Asked wide_too = ask(batcher, request({5, 6, 7, 8}, 2));
  gate.release();
  CHECK(values_of(wide) == std::vector<float>{4, 6});
  CHECK(values_of(narrow) == std::vector<float>{8});
  CHECK(values_of(wide_too) == std::vector<float>{10, 12, 14, 16});
  CHECK(values_of(first) == std::vector<float>{2});
  CHECK(gate.entered.load() == 3);
  CHECK(threads.batches == 3);
  CHECK(threads.waiting == 0);
}

TEST_CASE("what the model throws each request of its batch gets and the next batch is answered") {
  std::atomic<bool> fails = true;
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(), {[&](std::span<const TensorView> inputs) {
                    if (fails) throw Error(ErrorCode::invalid_data, "broken");
                    return doubled(inputs);
                  }});
  Asked failed = ask(batcher, request({1}));
  CHECK(code_of(failed) == ErrorCode::invalid_data);
  fails = false;
  Asked answered = ask(batcher, request({1}));
  CHECK(values_of(answered) == std::vector<float>{2});
}

TEST_CASE("a request that fails by itself fails for nobody else in its batch") {
  Gate gate;
  Threads threads;
  const auto superstitious = [waits = gate.executor()](std::span<const TensorView> inputs) {
    std::vector<Tensor> outputs = waits(inputs);
    for (const float value : outputs.front().floats()) {
      if (value == 26) throw Error(ErrorCode::invalid_data, "13 is no number");
    }
    return outputs;
  };
  Batcher batcher(threads.pool.get_executor(), settings(), {superstitious}, threads.count());
  Asked first = ask(batcher, request({1}));
  gate.await_entered(1);
  Asked good = ask(batcher, request({2}));
  Asked bad = ask(batcher, request({13}));
  Asked good_too = ask(batcher, request({3}));
  gate.release();
  CHECK(values_of(first) == std::vector<float>{2});
  CHECK(values_of(good) == std::vector<float>{4});
  CHECK(code_of(bad) == ErrorCode::invalid_data);
  CHECK(values_of(good_too) == std::vector<float>{6});
}

TEST_CASE("an answer larger than may be given is refused") {
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(), {[](std::span<const TensorView>) {
                    std::vector<Tensor> outputs;
                    const std::int64_t columns = Batcher::most_output_bytes / sizeof(float) + 1;
                    outputs.push_back({Datatype::fp32, {1, columns}, Bytes(columns * sizeof(float))});
                    return outputs;
                  }});
  Asked asked = ask(batcher, request({1}));
  CHECK(code_of(asked) == ErrorCode::resource_exhausted);
}

TEST_CASE("an output without the batch's examples answers nobody") {
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(),
                  {[](std::span<const TensorView>) { return request({1, 2, 3}); }});
  Asked asked = ask(batcher, request({1}));
  CHECK(code_of(asked) == ErrorCode::invalid_data);
}

TEST_CASE("a request that waits past its deadline is told so at once although its executor is busy") {
  Gate gate;
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), settings(1), {gate.executor()}, threads.count());
  Asked first = ask(batcher, request({1}));
  gate.await_entered(1);
  Asked patient = ask(batcher, request({3}));
  Asked late = ask(batcher, request({2}), BatchQueue::Clock::now() + 5ms);
  CHECK(code_of(late) == ErrorCode::timeout);
  CHECK(threads.waiting == 1);
  gate.release();
  CHECK(values_of(patient) == std::vector<float>{6});
  CHECK(values_of(first) == std::vector<float>{2});
  CHECK(threads.requests == 2);
}

TEST_CASE("a batcher that goes tells what waits at once and ends what runs") {
  Gate gate;
  Threads threads;
  std::optional<Batcher> batcher;
  batcher.emplace(threads.pool.get_executor(), settings(), std::vector<Batcher::Executor>{gate.executor()});
  Asked runs = ask(*batcher, request({1}));
  gate.await_entered(1);
  std::optional<Batcher::Answer> told;
  batcher->submit(request({2}), never, [&](Batcher::Answer answer) {
    told = std::move(answer);
    gate.release();
  });
  batcher.reset();
  REQUIRE(told);
  CHECK(std::get<Error>(*told).code() == ErrorCode::unavailable);
  CHECK(values_of(runs) == std::vector<float>{2});
}

TEST_CASE("a batcher that has gone looks at deadlines no more") {
  Gate gate;
  Threads threads;
  BatchQueue::Settings slow = settings();
  slow.delay = 1h;
  std::optional<Batcher> batcher;
  batcher.emplace(threads.pool.get_executor(), slow, std::vector<Batcher::Executor>{gate.executor()});
  Asked runs = ask(*batcher, request(std::vector<float>(64, 1)));
  gate.await_entered(1);
  Asked waits = ask(*batcher, request({2}), BatchQueue::Clock::now() + 20ms);
  batcher.reset();
  gate.release();
  CHECK(code_of(waits) == ErrorCode::unavailable);
  CHECK(values_of(runs) == std::vector<float>(64, 2));
}

TEST_CASE("what one executor leaves another takes while the first is busy") {
  Gate gate;
  BatchQueue::Settings slow = settings();
  slow.delay = 20ms;
  Threads threads;
  Batcher batcher(threads.pool.get_executor(), slow, {gate.executor(), gate.executor()});
  Asked first = ask(batcher, request(std::vector<float>(60, 1)));
  Asked second = ask(batcher, request(std::vector<float>(60, 2)));
  gate.await_entered(2);
  gate.release();
  CHECK(values_of(first) == std::vector<float>(60, 2));
  CHECK(values_of(second) == std::vector<float>(60, 4));
}

TEST_CASE("many threads get their own answers from two executors") {
  Threads pool;
  Batcher batcher(pool.pool.get_executor(), settings(8), {doubled, doubled}, pool.count());
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&batcher, &wrong, thread] {
      for (int i = 0; i < 500; ++i) {
        std::vector<float> values(static_cast<std::size_t>(1 + i % 3));
        std::iota(values.begin(), values.end(), static_cast<float>(1000 * thread + i));
        Asked asked = ask(batcher, request(values));
        std::vector<float> expected = values;
        for (float& value : expected) value *= 2;
        if (values_of(asked) != expected) ++wrong;
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  CHECK(pool.requests == 2000);
}
