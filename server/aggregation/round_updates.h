#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "common/model/encoding.h"
#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// An update that counts, of a round whose updates are complete.
struct RoundUpdate {
  std::string device;
  std::filesystem::path delta;
  Encoding encoding = Encoding::fp32;
  UpdateFacts facts;
};

/// The updates of a complete round, and how a rule makes Δ_t of them. Reads the spooled files by ranges of
/// elements, the same range of every update together: holds at most 16 MiB, or 256 elements of every update
/// where that is more, and the rule's totals, for each of `parts`, however large the updates are (I5). No
/// file stays open. Their order is that of the devices' names, whatever order they are given in (I4).
///
/// One thread at a time; it and `workers` do the work. All that reads throws Error: as the system fails;
/// not_found and invalid_data where an update is gone, cut short, or holds NaN, infinity or more than the
/// largest delta.
class RoundUpdates {
 public:
  struct Shape {
    std::size_t elements = 0;  ///< Of an update.
    std::size_t trained = 0;   ///< The elements that the rule is for: the first ones.
    float max_delta = 0.0F;
    std::size_t parts = 1;  ///< What elements are divided into, for a worker each.
  };

  /// Surveys the updates as often as the rule wants.
  RoundUpdates(boost::asio::thread_pool& workers, const AggregationRule& rule,
               std::vector<RoundUpdate> updates, const Shape& shape);

  /// Writes Δ_t of the elements from `first` on, a multiple of block_elements.
  void combine(std::size_t first, std::span<double> delta) const;

 private:
  class Reader;

  void survey(ExactTotals& totals) const;
  /// Has each part of `count` elements from `first` on done by `work`, called with where it begins and ends.
  template <typename Work>
  void divide(std::size_t first, std::size_t count, const Work& work) const;

  boost::asio::thread_pool& workers_;
  std::vector<RoundUpdate> updates_;
  Shape shape_;
  std::unique_ptr<Aggregation> aggregation_;
};

}  // namespace fl::server
