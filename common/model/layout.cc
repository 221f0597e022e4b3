#include "common/model/layout.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr names::Table<Role, 3> roles{
    {{Role::trained, "trained"}, {Role::buffer, "buffer"}, {Role::personal, "personal"}}};

[[noreturn]] void refuse(const std::string& name, const std::string& fault) {
  throw Error(ErrorCode::invalid_data, "the tensor name " + in_quotes(name) + " " + fault);
}

void append_terminated(std::string& text, std::string_view field) {
  text += field;
  text += '\0';
}

std::string joined(const Shape& shape) {
  std::string text;
  for (const std::int64_t dimension : shape) {
    if (!text.empty()) text += ',';
    text += std::to_string(dimension);
  }
  return text;
}

}  // namespace

std::string_view name(Role role) {
  return names::find_name(roles, role);
}

void Layout::add(std::string name, Datatype archive_type, Shape shape, Role role) {
  const std::string fault = names::name_fault(name);
  if (!fault.empty()) refuse(name, fault);
  if (names_.contains(name)) refuse(name, "is taken: every tensor of a layout has its own");
  if (role == Role::trained && !entries_.empty() && entries_.back().role == Role::buffer) {
    throw Error(ErrorCode::invalid_data,
                "the trained tensor " + in_quotes(name) + " follows a buffer, trained tensors come first");
  }
  const std::size_t count = element_count(shape);
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(float) - size_) {
    throw Error(ErrorCode::invalid_data, "with the tensor " + in_quotes(name) + " of shape " +
                                             describe(shape) + " the flat vector is larger than any memory");
  }
  names_.insert(name);
  entries_.push_back({std::move(name), archive_type, std::move(shape), size_, count, role});
  size_ += count;
  if (role == Role::trained) trained_size_ = size_;
}

// The bytes that are hashed, which docs/protocol.md repeats for those who write another client: the line
// "fl layout 1" and its line feed (0x0a), then for every entry in order its name, 0x00, the archive's
// datatype by its name ("FP32"), 0x00, the role's name ("trained", "buffer", "personal"), 0x00, the
// dimensions in decimal with a comma between two (nothing for a scalar), 0x0a. Names hold neither 0x00 nor
// 0x0a, so that two different layouts never give the same bytes.
Digest Layout::hash() const {
  std::string text = "fl layout 1\n";
  for (const LayoutEntry& entry : entries_) {
    append_terminated(text, entry.name);
    append_terminated(text, fl::name(entry.archive_type));
    append_terminated(text, fl::name(entry.role));
    text += joined(entry.shape);
    text += '\n';
  }
  return sha256(as_bytes(text));
}

void copy_weights(ByteView bytes, std::span<float> weights) {
  if (bytes.size() != weights.size_bytes()) {
    throw Error(ErrorCode::invalid_data, std::to_string(bytes.size()) + " bytes of weights, the model has " +
                                             std::to_string(weights.size_bytes()));
  }
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(weights).begin());
}

Weights weights_from(ByteView bytes, std::size_t count) {
  Weights weights(count);
  copy_weights(bytes, weights);
  return weights;
}

}  // namespace fl
