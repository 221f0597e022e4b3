#include "common/engine/torch/binding.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/engine/torch/archive.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_data, sentence);
}

bool same_memory(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_same(b)) return true;
  if (!a.has_storage() || !b.has_storage()) return false;
  return a.numel() > 0 && a.data_ptr() == b.data_ptr() && a.scalar_type() == b.scalar_type() &&
         a.sizes() == b.sizes() && a.strides() == b.strides();
}

/// The bytes from a tensor's first element to past its last one.
std::pair<std::byte*, std::byte*> extent(const at::Tensor& tensor) {
  auto* const begin = static_cast<std::byte*>(tensor.data_ptr());
  if (tensor.numel() == 0) return {begin, begin};
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  return {begin, begin + (last + 1) * static_cast<std::int64_t>(tensor.element_size())};
}

bool overlap(const at::Tensor& a, const at::Tensor& b) {
  if (!a.has_storage() || !b.has_storage() || a.numel() == 0 || b.numel() == 0) return false;
  return extent(a).first < extent(b).second && extent(b).first < extent(a).second;
}

[[noreturn]] void refuse_pair(const std::string& one, const std::string& other) {
  refuse(in_quotes(one) + " and " + in_quotes(other) +
         " share part of their memory; clone one of them before scripting the model");
}

std::string full_name(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
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
  if (tensor.layout() != c10::kStrided) {
    refuse(in_quotes(name) +
           " is a sparse tensor, and only dense ones can be trained; give it as to_dense() " +
           "before scripting the model");
  }
  const std::optional<Datatype> datatype = floating_datatype(tensor.scalar_type());
  if (!datatype || tensor.is_quantized()) {
    refuse(in_quotes(name) + " is a " + std::string(c10::toString(tensor.scalar_type())) +
           " tensor, and only dense fp32, fp16 and fp64 ones can be trained; convert the model with "
           "model.float() before scripting it");
  }
  return *datatype;
}

/// The values of a new tensor that code gave the buffer, which must be such as the buffer's.
at::Tensor values_for(const std::string& buffer, const at::Tensor& bound, const c10::IValue& given) {
  std::string what;
  if (!given.isTensor() || !given.toTensor().defined()) {
    what = "no tensor";
  } else if (given.toTensor().layout() != c10::kStrided) {
    what = "a sparse tensor";
  } else if (given.toTensor().sizes() != bound.sizes()) {
    what = "the shape " + describe(shape(given.toTensor()));
  }
  if (what.empty()) return given.toTensor().clone();
  refuse("the archive's code gives its buffer " + in_quotes(buffer) + " " + what +
         "; a buffer must stay a dense tensor of the same shape");
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
    std::vector<at::Tensor> copies;  // all of them first, because there may not be the memory
    for (const Bound& each : bound_) copies.push_back(each.view.clone());
    for (std::size_t i = 0; i < copies.size(); ++i) bound_[i].tensor.set_data(copies[i]);
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
  if (layout_.trained_size() == 0) {
    refuse(frozen_.empty()
               ? "the archive has no parameters to train; if it was saved after torch.jit.freeze, save the "
                 "scripted module before freezing it"
               : "all parameters of the archive are frozen (requires_grad is false), such as " +
                     in_quotes(frozen_.front().first));
  }
  refuse_shared_memory();
  lay_out();
}

void Binding::collect() {
  std::vector<std::pair<std::string, torch::jit::Module>> modules;
  for (const auto& each : module_.named_modules()) modules.emplace_back(each.name, each.value);
  // Trained parameters first, so that a tied buffer or frozen parameter follows the trained one.
  for (const bool trained : {true, false}) {
    for (const auto& [path, owner] : modules) {
      for (const auto& each : owner.named_parameters(false)) {
        if (each.value.requires_grad() == trained) {
          collect_parameter(full_name(path, each.name), each.value,
                            {owner._ivalue(), owner.type()->getAttributeSlot(each.name)});
        }
      }
    }
  }
  for (const auto& [path, owner] : modules) collect_attributes(path, owner);
  for (const Kept& kept : kept_) {
    kept.value.visit([&](const c10::IValue& part) {
      if (part.isTensor()) keep_tensor(kept.name, part.toTensor());
      return !part.isTuple();
    });
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
  frozen_.emplace_back(name, tensor);
  if (tensor.is_floating_point() && tensor.scalar_type() != at::kFloat) {
    bindable_type(name, tensor);
    converted_.push_back(name);
    make_fp32(tensor);
  }
}

void Binding::collect_attributes(const std::string& path, const torch::jit::Module& owner) {
  const c10::ClassTypePtr type = owner.type();
  for (std::size_t i = 0; i < type->numAttributes(); ++i) {
    const std::string& name = type->getAttributeName(i);
    const Slot slot{owner._ivalue(), i};
    const c10::IValue& value = slot.get();
    if (type->is_parameter(i) || value.isModule() || name == "training") continue;
    const bool is_tensor = value.isTensor() && value.toTensor().defined();
    if (is_tensor && type->is_buffer(i) && value.toTensor().is_floating_point()) {
      bind_or_tie(full_name(path, name), value.toTensor(), slot, Role::buffer);
    } else {
      kept_.push_back({full_name(path, name), slot, value});
    }
  }
}

void Binding::keep_tensor(const std::string& name, const at::Tensor& tensor) {
  const bool is_bound = std::any_of(bound_.begin(), bound_.end(),
                                    [&](const Bound& each) { return each.tensor.is_same(tensor); });
  if (is_bound || !tensor.defined() || !tensor.has_storage()) return;
  const auto [begin, end] = extent(tensor);
  kept_tensors_.push_back({name, tensor, tensor.detach(), Bytes(begin, end)});
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
    if (overlap(sorted[i - 1]->tensor, sorted[i]->tensor)) refuse_pair(sorted[i - 1]->name, sorted[i]->name);
  }
  // What is not bound would not follow what is.
  for (const Bound* bound : sorted) {
    for (const auto& [name, tensor] : frozen_) {
      if (overlap(bound->tensor, tensor)) refuse_pair(bound->name, name);
    }
    for (const KeptTensor& kept : kept_tensors_) {
      if (overlap(bound->tensor, kept.tensor)) refuse_pair(bound->name, kept.name);
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

void Binding::set_mode(bool training) {
  if (training_ == training) return;
  module_.train(training);
  training_ = training;
}

void Binding::begin_training() {
  set_mode(true);
  reset_kept();
}

void Binding::end_training() {
  const at::NoGradGuard no_gradient;
  std::vector<std::pair<at::Tensor, at::Tensor>> given;  // all first: code may swap two buffers
  for (const Bound& each : bound_) {
    if (each.role != Role::buffer) continue;
    for (const Slot& slot : each.slots) {
      const c10::IValue& present = slot.get();
      if (present.isTensor() && present.toTensor().is_same(each.tensor)) continue;
      given.emplace_back(each.view, values_for(each.name, each.view, present));
    }
  }
  for (const auto& [view, values] : given) view.copy_(values);
  rebind();
}

void Binding::restore(std::span<const float> weights) {
  rebind();
  std::copy(weights.begin(), weights.end(), weights_.begin());
}

/// Puts the bound tensors back where code has put others.
void Binding::rebind() {
  for (const Bound& each : bound_) {
    for (const Slot& slot : each.slots) slot.set(each.tensor);
  }
}

void Binding::reset_kept() {
  for (const Kept& each : kept_) each.slot.set(each.value);
  for (const KeptTensor& each : kept_tensors_) {
    if (!each.tensor.is_leaf()) each.tensor.detach_();
    each.tensor.set_data(each.archived);
    std::copy(each.values.begin(), each.values.end(), extent(each.archived).first);
  }
}

Bytes Binding::save() {
  set_mode(false);
  reset_kept();
  const Detached detached(bound_);
  return write_archive(module_);
}

Binding::Evaluating::Evaluating(Binding& binding, bool guarded) : binding_(binding) {
  binding_.set_mode(false);
  binding_.reset_kept();
  if (guarded) before_ = binding_.weights_;
}

Binding::Evaluating::~Evaluating() {
  binding_.restore(before_);
}

bool Binding::Evaluating::changed() const {
  return std::memcmp(before_.data(), binding_.weights_.data(), before_.size() * sizeof(float)) != 0;
}

}  // namespace fl::libtorch
