#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/model/tensor.h"

namespace fl {

/// What becomes of a tensor of the flat vector.
enum class Role : std::uint8_t {
  trained,   ///< Changed by the optimiser; aggregated by the strategy.
  buffer,    ///< State such as a running mean: travels, and is plainly averaged whatever the strategy.
  personal,  ///< Stays on the device.
};

/// "trained", "buffer" or "personal".
std::string_view name(Role role);

/// One tensor's place in the flat vector.
struct LayoutEntry {
  std::string name;                        ///< As PyTorch names it: "conv1.weight".
  Datatype archive_type = Datatype::fp32;  ///< As the archive stores it; in the vector it is fp32.
  Shape shape;
  std::size_t offset = 0;  ///< In elements from the vector's start.
  std::size_t count = 0;   ///< In elements.
  Role role = Role::trained;
};

/// The map of a model's flat vector: contiguous tensors in the archive's order, trained ones first, then
/// buffers, without gaps. Immutable once built, and so safe to read from any thread.
class Layout {
 public:
  Layout() = default;

  /// Appends a tensor after those before it. Throws Error(invalid_data) if the name is taken, empty, longer
  /// than model_limits::name_bytes, not UTF-8 or holds a control character; if the shape is not one (see
  /// element_count); or if a trained tensor follows a buffer.
  void add(std::string name, Datatype archive_type, Shape shape, Role role);

  const std::vector<LayoutEntry>& entries() const { return entries_; }
  /// Elements in the flat vector.
  std::size_t size() const { return size_; }
  /// How many of them are trained: the first ones.
  std::size_t trained_size() const { return trained_size_; }
  /// SHA-256 over every entry's name, type, shape and role: two vectors can be added if theirs are equal.
  /// The exact bytes that are hashed are in docs/protocol.md.
  Digest hash() const;

 private:
  std::vector<LayoutEntry> entries_;
  std::unordered_set<std::string> names_;
  std::size_t size_ = 0;
  std::size_t trained_size_ = 0;
};

/// The whole model: every trained tensor and buffer, as its Layout says.
using Weights = std::vector<float>;

/// Copies a flat vector's bytes, as they travel and lie on the disk. Throws Error(invalid_data) unless they
/// are as many as `weights` takes.
void copy_weights(ByteView bytes, std::span<float> weights);

/// The flat vector of `count` elements that these bytes are. Throws as copy_weights() does.
Weights weights_from(ByteView bytes, std::size_t count);

}  // namespace fl
