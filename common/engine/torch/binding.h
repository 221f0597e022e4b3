#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/api/module.h>

#include "common/base/bytes.h"
#include "common/model/layout.h"

namespace fl::libtorch {

/// An attribute of a module.
struct Slot {
  c10::intrusive_ptr<c10::ivalue::Object> owner;
  std::size_t index = 0;

  const c10::IValue& get() const { return owner->getSlot(index); }
  void set(c10::IValue value) const { owner->setSlot(index, std::move(value)); }
};

/// A TorchScript module whose trained parameters and float buffers are views of one flat fp32 vector.
///
/// Tied tensors are bound once; a buffer that may be None is bound if it is not. Parameters that are frozen
/// (requires_grad is false) stay outside the vector and as they are. Everything floating becomes fp32.
/// Neither copied nor moved, because the tensors point into it. One thread at a time.
///
/// What is kept: buffers of other types, and all other attributes. They are outside the vector and have the
/// archive's values whenever a run begins, but for what code changed inside a list, a dictionary, an object
/// or a sparse tensor.
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
  std::span<float> trained() { return std::span<float>(weights_).first(layout_.trained_size()); }
  /// The trained parameters in the layout's order.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  /// "'a' and 'b'": the tensors that the archive stores in another type than fp32; empty if there are none.
  std::string converted_names() const;

  /// While it lives the module may run in evaluation mode.
  class Evaluating;

  /// To be called before the module runs in training mode.
  void begin_training();
  /// To be called after it has: where its code assigned a new tensor to a buffer instead of changing it, the
  /// values are moved into the flat vector and the buffer is a view again. Throws Error(invalid_data) naming
  /// a buffer that was given another shape, a sparse tensor or nothing; then restore() is to be called.
  void end_training();
  /// Gives the vector the values it had before a run, and the module the vector's views, whatever the code
  /// put in their place. Does not throw.
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
    std::string name;
    Slot slot;
    c10::IValue value;
  };
  struct KeptTensor {
    std::string name;
    at::Tensor tensor;
    at::Tensor archived;  // the same memory as the archive shapes it
    Bytes values;
  };
  class Detached;

  void collect();
  void collect_parameter(const std::string& name, const at::Tensor& tensor, const Slot& slot);
  void collect_attributes(const std::string& path, const torch::jit::Module& owner);
  void keep_tensor(const std::string& name, const at::Tensor& tensor);
  void bind_or_tie(const std::string& name, const at::Tensor& tensor, const Slot& slot, Role role);
  void refuse_shared_memory() const;
  void lay_out();
  void set_mode(bool training);
  void rebind();
  void reset_kept();

  torch::jit::Module module_;
  Layout layout_;
  Weights weights_;
  std::optional<bool> training_;
  std::vector<Bound> bound_;
  std::vector<at::Tensor> parameters_;
  std::vector<Kept> kept_;
  std::vector<KeptTensor> kept_tensors_;
  std::vector<std::string> converted_;
  std::vector<std::pair<std::string, at::Tensor>> frozen_;
};

class Binding::Evaluating {
 public:
  /// `guarded`: at its end the vector is as it was, even where the code changed it in place. Costs a copy.
  Evaluating(Binding& binding, bool guarded);
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;
  ~Evaluating();

  /// Whether the code has changed the vector, which is guarded, in place.
  bool changed() const;

 private:
  Binding& binding_;
  Weights before_;  // empty where it is not guarded
};

}  // namespace fl::libtorch
