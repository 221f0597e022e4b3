#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/api/module.h>

#include "common/model/contract.h"

namespace fl::libtorch {

/// Runs a module's forward and gives its outputs, a tensor, or several in a tuple or a list. Throws
/// Error(invalid_data) where they are something else. libtorch's own exceptions pass.
std::vector<at::Tensor> forward(const torch::jit::Module& module, std::vector<c10::IValue> inputs);

/// The mean loss over a batch, connected to the parameters as long as gradients are on. Throws
/// Error(invalid_data) where the output's shape does not fit the target's or the archive's own loss is no
/// number. libtorch's own exceptions pass.
at::Tensor mean_loss(const torch::jit::Module& module, Loss loss, const std::vector<c10::IValue>& inputs,
                     const at::Tensor& target);

/// What an evaluation adds up.
struct Score {
  double loss = 0.0;  ///< Mean over the batch.
  double right =
      0.0;  ///< Answers that are right, of `answers`; none where an example's output is not finite.
  double answers = 0.0;
};

/// Loss and right answers over a batch; no answers are counted for losses that know no right and wrong.
Score score(const torch::jit::Module& module, Loss loss, const std::vector<c10::IValue>& inputs,
            const at::Tensor& target);

/// Holds what a module gives for `count` examples against the loss, the labels and the contract's outputs.
/// Throws Error(invalid_data) saying what the model gives and what the task has.
void check_outputs(const std::vector<at::Tensor>& outputs, const TaskContract& contract, std::int64_t count);

}  // namespace fl::libtorch
