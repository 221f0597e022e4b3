#pragma once

#include <cstdint>
#include <span>

#include "client/agent/work.h"
#include "client/store/model_store.h"
#include "common/model/layout.h"

namespace fl::client {

/// What a device trains by in a task with control variates, and what it tells of its own (SCAFFOLD,
/// Karimireddy et al. 2020, Algorithm 1, option II): each step goes by g − c_i + c, and after K steps with
/// the rate η that changed the weights by Δy, c_i changes by Δc = −c − Δy / (K·η).
class Controls {
 public:
  /// Reads the server's c, which the offer names and the store has, and the device's c_i. Throws Error:
  /// failed_precondition where they are not as long as the layout's trained part; as ModelStore does where c
  /// cannot be read; invalid_data where it is not finite.
  Controls(const Offer& offer, const ModelStore& store, const Layout& layout);

  /// c − c_i, of the trained elements.
  std::span<const float> correction() const { return correction_; }

  /// Puts Δc behind Δy, of which the first elements are trained. Throws Error(invalid_data) where an element
  /// is over the offer's cap.
  void append_change(Weights& update, std::uint64_t steps, double rate) const;
  /// What c_i becomes once the server has the update, of which this is what it decodes to.
  Weights next(std::span<const float> decoded) const;

 private:
  Weights server_;
  Weights own_;
  Weights correction_;
  float max_change_;
};

}  // namespace fl::client
