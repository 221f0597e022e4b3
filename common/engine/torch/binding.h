#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

#include "common/base/bytes.h"
#include "common/model/layout.h"

namespace fl::libtorch {

/// Where a tensor hangs in a module.
struct Slot {
  torch::jit::Module owner;
  std::string attribute;

  at::Tensor get() const { return owner.attr(attribute).toTensor(); }
  void set(const at::Tensor& tensor) const {
    torch::jit::Module module = owner;  // another handle of the same module
    module.setattr(attribute, tensor);
  }
};

/// A TorchScript module whose trained parameters and float buffers are views of one flat fp32 vector.
///
/// Tied tensors are bound once. Parameters that are frozen (requires_grad is false) stay outside the vector
/// and as they are; integer buffers too. Everything floating becomes fp32. Neither copied nor moved, because
/// the tensors point into it. One thread at a time.
class Binding {
 public:
  /// Throws Error(invalid_data) where there is nothing to train, and naming each parameter or buffer that
  /// is of a type that cannot be bound or shares part of its memory with another.
  explicit Binding(const torch::jit::Module& module);
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  const torch::jit::Module& module() const { return module_; }
  const Layout& layout() const { return layout_; }
  std::span<float> weights() { return weights_; }
  /// The part of the weights that the optimiser steps on.
  std::span<float> trained() { return std::span<float>(weights_).first(trained_size_); }
  /// The trained parameters in the layout's order.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  /// "'a' and 'b'": the tensors that the archive stores in another type than fp32; empty if there are none.
  std::string converted_names() const;

  /// To be called before the module runs: settles what a run that failed may have left, and puts the module
  /// in training or evaluation mode.
  void prepare(bool training);
  /// Gives integer buffers, such as the count of batches of a normalisation layer, the archive's values, so
  /// that a session of training depends on nothing that ran before it.
  void reset_integer_buffers();
  /// To be called after the module has run: where its code assigned a new tensor to a buffer instead of
  /// changing it, the values are moved into the flat vector and the buffer is a view again. Throws
  /// Error(invalid_data) naming a buffer that was given another shape; that one keeps its former values.
  void settle();
  /// Gives the vector the values it had before a run that failed, whatever that did to the buffers.
  void restore(std::span<const float> weights);
  /// An archive in evaluation mode, with the present weights.
  Bytes save();

 private:
  struct Bound {
    std::string name;
    at::Tensor tensor;
    std::vector<Slot> slots;  // more than one where tied
    at::Tensor view;          // the tensor's place in the vector
    Role role = Role::trained;
  };
  struct Kept {
    Slot slot;
    at::Tensor value;
  };
  class Detached;

  void collect();
  void collect_parameter(const std::string& name, const at::Tensor& tensor, const Slot& slot);
  void collect_buffer(const std::string& name, const at::Tensor& tensor, const Slot& slot);
  void bind_or_tie(const std::string& name, const at::Tensor& tensor, const Slot& slot, Role role);
  void refuse_shared_memory() const;
  void lay_out();
  std::string rebind_buffers();

  torch::jit::Module module_;
  Layout layout_;
  Weights weights_;
  std::size_t trained_size_ = 0;
  std::optional<bool> training_;
  std::vector<Bound> bound_;
  std::vector<at::Tensor> parameters_;
  std::vector<Kept> integer_buffers_;
  std::vector<std::string> converted_;
  std::vector<std::string> frozen_;
};

}  // namespace fl::libtorch
