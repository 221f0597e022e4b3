#include "common/engine/torch/random_draws.h"

#include <mutex>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

namespace fl::libtorch {
namespace {

std::mutex& generator_mutex() {
  static std::mutex mutex;  // beside libtorch's generator, of which there is one
  return mutex;
}

at::Tensor state_of(at::Generator& generator) {
  const std::lock_guard lock(generator.mutex());  // libtorch's own, which it holds while it draws
  return generator.get_state();
}

void set_state(at::Generator& generator, const at::Tensor& state) {
  const std::lock_guard lock(generator.mutex());
  generator.set_state(state);
}

}  // namespace

RandomDraws::RandomDraws(std::uint64_t seed, bool draws) : draws_(draws) {
  if (draws) state_ = at::make_generator<at::CPUGeneratorImpl>(seed).get_state();
}

void RandomDraws::run(const std::function<void()>& forward) {
  if (!draws_) {
    forward();
    return;
  }
  const at::Tensor before = state_;
  run_with_own_state(forward);
  if (!tried_) draws_ = !at::equal(before, state_);
  tried_ = true;
}

void RandomDraws::run_with_own_state(const std::function<void()>& forward) {
  const std::lock_guard lock(generator_mutex());
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  struct Restored {
    at::Generator& generator;
    at::Tensor state;
    ~Restored() { set_state(generator, state); }
  };
  const Restored restored{generator, state_of(generator)};
  set_state(generator, state_);
  forward();
  state_ = state_of(generator);
}

}  // namespace fl::libtorch
