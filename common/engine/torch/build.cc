#include "common/engine/torch/build.h"

#include <map>
#include <memory>
#include <string>

#include <ATen/Functions.h>
#include <torch/csrc/jit/api/module.h>

#include "common/base/random.h"
#include "common/engine/torch/archive.h"
#include "common/engine/torch/blueprint.h"
#include "common/engine/torch/failure.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

at::Tensor draw(const ParameterBlueprint& parameter, std::uint64_t seed) {
  at::Tensor values = at::empty(parameter.shape, at::kFloat);
  Random random(seed);
  float* value = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    value[i] = static_cast<float>(parameter.normal ? random.normal()
                                                   : (2.0 * random.uniform() - 1.0) * parameter.bound);
  }
  return values.set_requires_grad(true);
}

torch::jit::Module make_module(const Blueprint& blueprint, std::uint64_t seed) {
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module("__torch__." + blueprint.class_name, unit);
  std::vector<std::pair<std::string, torch::jit::Module>> parts;
  std::uint64_t drawn = 0;
  for (const ParameterBlueprint& parameter : blueprint.parameters) {
    if (parts.empty() || parts.back().first != parameter.part) {
      parts.emplace_back(
          parameter.part,
          torch::jit::Module("__torch__." + blueprint.class_name + "_" + parameter.part, unit));
    }
    parts.back().second.register_parameter(parameter.name, draw(parameter, derive_seed(seed, drawn++)),
                                           false);
  }
  module.register_attribute("training", c10::BoolType::get(), true);
  for (const auto& [name, part] : parts) module.register_module(name, part);
  module.define(blueprint.source);
  return module;
}

}  // namespace

Bytes build_archive(const Architecture& architecture, std::uint64_t seed) {
  const Blueprint blueprint = blueprint_of(architecture);
  return guarded("building " + architecture.name, [&] {
    use_one_thread();
    return write_archive(make_module(blueprint, seed));
  });
}

}  // namespace fl::libtorch
