#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/plan.h"

namespace fl::server {

/// Hands out a plan's server settings to the strategy that asks for them, and knows which nobody asked for.
class ServerSettings {
 public:
  explicit ServerSettings(const RoundPlan& plan);

  double take(std::string_view key, double otherwise) { return take(key).value_or(otherwise); }
  std::optional<double> take(std::string_view key);

  /// Throws Error(invalid_argument) naming a setting that was given and that nobody took.
  void finish(const std::string& strategy) const;

 private:
  struct Setting {
    std::string_view key;
    std::optional<double> value;
  };
  std::vector<Setting> settings_;
  std::vector<std::string_view> taken_;
};

}  // namespace fl::server
