#include "common/engine/torch/binding.h"

#include <algorithm>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/engine/torch/archive.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_data, sentence);
}

bool same_memory(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_same(b)) return true;
  return a.numel() > 0 && a.data_ptr() == b.data_ptr() && a.scalar_type() == b.scalar_type() &&
         a.sizes() == b.sizes() && a.strides() == b.strides();
}

/// The bytes from a tensor's first element to past its last one.
std::pair<const std::byte*, const std::byte*> extent(const at::Tensor& tensor) {
  const auto* begin = static_cast<const std::byte*>(tensor.data_ptr());
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  return {begin, begin + (last + 1) * static_cast<std::int64_t>(tensor.element_size())};
}

std::string in_quotes(const std::string& name) {
  return "'" + name + "'";
}

std::string listed(const std::vector<std::string>& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) result += i + 1 == names.size() ? " and " : ", ";
    result += in_quotes(names[i]);
  }
  return result;
}

/// What is bound must be a plain tensor of a type that the layout can name.
Datatype bindable_type(const std::string& name, const at::Tensor& tensor) {
  const std::optional<Datatype> datatype = floating_datatype(tensor.scalar_type());
  if (!datatype || tensor.layout() != c10::kStrided || tensor.is_quantized()) {
    refuse(in_quotes(name) + " is a " + std::string(c10::toString(tensor.scalar_type())) +
           " tensor, and only dense fp32, fp16 and fp64 ones can be trained; convert the model with "
           "model.float() before scripting it");
  }
  return *datatype;
}

void make_fp32(const at::Tensor& tensor) {
  tensor.set_data(tensor.detach().to(at::kFloat).contiguous());
}

}  // namespace

/// While it lives, every bound tensor owns a copy of its values.
class Binding::Detached {
 public:
  explicit Detached(std::vector<Bound>& bound) : bound_(bound) {
    const at::NoGradGuard no_gradient;
    for (Bound& each : bound_) each.tensor.set_data(each.view.clone());
  }
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;
  ~Detached() {
    const at::NoGradGuard no_gradient;
    for (Bound& each : bound_) each.tensor.set_data(each.view);
  }

 private:
  std::vector<Bound>& bound_;
};

Binding::Binding(const torch::jit::Module& module) : module_(module) {
  const at::NoGradGuard no_gradient;
  collect();
  if (trained_size_ == 0) {
    refuse(frozen_.empty()
               ? "the archive has no parameters to train; if it was saved after torch.jit.freeze, save the "
                 "scripted module before freezing it"
               : "all parameters of the archive are frozen (requires_grad is false), such as " +
                     in_quotes(frozen_.front()));
  }
  refuse_shared_memory();
  lay_out();
}

void Binding::collect() {
  std::vector<std::pair<std::string, torch::jit::Module>> modules;
  for (const auto& each : module_.named_modules()) modules.emplace_back(each.name, each.value);
  const auto full = [](const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  };
  // Trained parameters first, so that a tied buffer or frozen parameter follows the trained one.
  for (const bool trained : {true, false}) {
    for (const auto& [path, owner] : modules) {
      for (const auto& each : owner.named_parameters(false)) {
        if (each.value.requires_grad() == trained) {
          collect_parameter(full(path, each.name), each.value, {owner, each.name});
        }
      }
    }
  }
  for (const auto& [path, owner] : modules) {
    for (const auto& each : owner.named_buffers(false)) {
      collect_buffer(full(path, each.name), each.value, {owner, each.name});
    }
  }
}

void Binding::collect_parameter(const std::string& name, const at::Tensor& tensor, const Slot& slot) {
  if (tensor.requires_grad()) {
    bind_or_tie(name, tensor, slot, Role::trained);
    return;
  }
  const auto tied = std::find_if(bound_.begin(), bound_.end(),
                                 [&](const Bound& each) { return same_memory(each.tensor, tensor); });
  if (tied != bound_.end()) {
    bind_or_tie(name, tensor, slot, Role::trained);
    return;
  }
  frozen_.push_back(name);
  if (tensor.is_floating_point() && tensor.scalar_type() != at::kFloat) {
    bindable_type(name, tensor);
    converted_.push_back(name);
    make_fp32(tensor);
  }
}

void Binding::collect_buffer(const std::string& name, const at::Tensor& tensor, const Slot& slot) {
  if (!tensor.defined()) return;
  if (tensor.is_floating_point()) {
    bind_or_tie(name, tensor, slot, Role::buffer);
  } else {
    integer_buffers_.push_back({slot, tensor.clone()});
  }
}

void Binding::bind_or_tie(const std::string& name, const at::Tensor& tensor, const Slot& slot, Role role) {
  for (Bound& each : bound_) {
    if (!same_memory(each.tensor, tensor)) continue;
    slot.set(each.tensor);
    each.slots.push_back(slot);
    return;
  }
  const Datatype datatype = bindable_type(name, tensor);
  if (datatype != Datatype::fp32) converted_.push_back(name);
  layout_.add(name, datatype, tensor.sizes().vec(), role);
  if (role == Role::trained) trained_size_ = layout_.size();
  bound_.push_back({name, tensor, {slot}, at::Tensor(), role});
}

void Binding::refuse_shared_memory() const {
  std::vector<const Bound*> sorted;
  for (const Bound& each : bound_) {
    if (each.tensor.numel() > 0) sorted.push_back(&each);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const Bound* a, const Bound* b) { return extent(a->tensor) < extent(b->tensor); });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (extent(sorted[i]->tensor).first < extent(sorted[i - 1]->tensor).second) {
      refuse(in_quotes(sorted[i - 1]->name) + " and " + in_quotes(sorted[i]->name) +
             " share part of their memory; clone one of them before scripting the model");
    }
  }
}

void Binding::lay_out() {
  weights_.resize(layout_.size());
  const at::Tensor flat =
      at::from_blob(weights_.data(), {static_cast<std::int64_t>(weights_.size())}, at::kFloat);
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    Bound& each = bound_[i];
    const LayoutEntry& entry = layout_.entries()[i];
    each.view =
        flat.narrow(0, static_cast<std::int64_t>(entry.offset), static_cast<std::int64_t>(entry.count))
            .view(entry.shape);
    each.view.copy_(each.tensor.detach());
    each.tensor.set_data(each.view);
    if (each.role == Role::trained) parameters_.push_back(each.tensor);
  }
}

std::string Binding::converted_names() const {
  return listed(converted_);
}

void Binding::prepare(bool training) {
  settle();
  if (training_ == training) return;
  module_.train(training);
  training_ = training;
}

void Binding::reset_integer_buffers() {
  for (const Kept& each : integer_buffers_) each.slot.set(each.value.clone());
}

void Binding::settle() {
  const std::string reshaped = rebind_buffers();
  if (!reshaped.empty())
    refuse("the archive's code gives its buffer " + reshaped + "; buffers must keep theirs");
}

void Binding::restore(std::span<const float> weights) {
  rebind_buffers();
  std::copy(weights.begin(), weights.end(), weights_.begin());
}

/// Returns the name and the new shape of a buffer that has one, or nothing.
std::string Binding::rebind_buffers() {
  const at::NoGradGuard no_gradient;
  std::string reshaped;
  for (const Bound& each : bound_) {
    if (each.role != Role::buffer) continue;
    for (const Slot& slot : each.slots) {
      const at::Tensor present = slot.get();
      if (present.is_same(each.tensor)) continue;
      slot.set(each.tensor);
      if (present.sizes() == each.view.sizes()) {
        each.view.copy_(present);
      } else {
        reshaped = in_quotes(each.name) + " the shape " + describe(shape(present));
      }
    }
  }
  return reshaped;
}

Bytes Binding::save() {
  prepare(false);
  const Detached detached(bound_);
  return write_archive(module_);
}

}  // namespace fl::libtorch
