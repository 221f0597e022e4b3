// fl_bare_torch MODEL.pt BATCH THREADS DIMENSION...: what libtorch alone takes for a forward pass. Prints the
// median of the seconds of one example, and the examples a second in batches on so many threads, each with a
// model of its own.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/script.h>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double forward(torch::jit::Module& model, const at::Tensor& input) {
  const auto begin = Clock::now();
  model.forward({input}).toTensor().data_ptr<float>();
  return seconds_since(begin);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  at::set_num_threads(1);
  const c10::InferenceMode inference;
  const int batch = std::atoi(arguments[2]);
  const int threads = std::atoi(arguments[3]);
  std::vector<std::int64_t> shape{1};
  for (int i = 4; i < count; ++i) shape.push_back(std::atol(arguments[i]));
  torch::jit::Module model = torch::jit::load(arguments[1]);
  model.eval();

  const at::Tensor one = at::randn(shape);
  for (int i = 0; i < 50; ++i) forward(model, one);
  std::vector<double> times;
  const auto begin = Clock::now();
  while (seconds_since(begin) < 1.0) times.push_back(forward(model, one));
  std::sort(times.begin(), times.end());

  shape.front() = batch;
  std::vector<std::thread> workers;
  std::vector<double> rates(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      at::set_num_threads(1);
      const c10::InferenceMode mode;
      torch::jit::Module own = torch::jit::load(arguments[1]);
      own.eval();
      const at::Tensor many = at::randn(shape);
      for (int warm = 0; warm < 10; ++warm) forward(own, many);
      const auto begun = Clock::now();
      std::size_t batches = 0;
      for (; seconds_since(begun) < 2.0; ++batches) forward(own, many);
      rates[static_cast<std::size_t>(i)] = static_cast<double>(batches) * batch / seconds_since(begun);
    });
  }
  for (std::thread& worker : workers) worker.join();
  double rate = 0;
  for (const double each : rates) rate += each;
  std::printf("%.9f %.1f\n", times[times.size() / 2], rate);
}
