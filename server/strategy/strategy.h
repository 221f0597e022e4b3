#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/model/layout.h"
#include "server/strategy/exact_fold.h"

namespace fl::server {

/// How updates become the next model. Pure and stateless; any thread.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// What an update of so many examples counts for in the fold.
  virtual std::uint32_t weight(std::uint32_t examples) const = 0;

  /// Writes the next version's weights, from the version the round started from and the folded updates. All
  /// three have layout.size() elements; at least one update was folded.
  virtual void next_version(const Layout& layout, std::span<const float> base, const ExactFold& fold,
                            std::span<float> next) const = 0;
};

/// Throws Error(invalid_argument) naming the known strategies.
std::unique_ptr<Strategy> make_strategy(std::string_view name);

}  // namespace fl::server
