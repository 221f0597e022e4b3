#include "server/strategy/server_settings.h"

#include <algorithm>

#include "common/base/error.h"

namespace fl::server {

ServerSettings::ServerSettings(const RoundPlan& plan) {
  visit_strategy_settings(plan, [this](const char* key, const auto& value) {
    settings_.push_back({key, value ? std::optional(static_cast<double>(*value)) : std::nullopt});
  });
}

std::optional<double> ServerSettings::take(std::string_view key) {
  taken_.emplace_back(key);
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [key](const Setting& setting) { return setting.key == key; });
  return found->value;
}

void ServerSettings::finish(const std::string& strategy) const {
  for (const Setting& setting : settings_) {
    const bool used = std::find(taken_.begin(), taken_.end(), setting.key) != taken_.end();
    if (used || !setting.value) continue;
    std::string sentence =
        std::string(setting.key) + " is nothing that the strategy " + strategy + " has; it has ";
    for (const std::string_view key : taken_)
      sentence += (key == taken_.front() ? "" : ", ") + std::string(key);
    throw Error(ErrorCode::invalid_argument, sentence);
  }
}

}  // namespace fl::server
