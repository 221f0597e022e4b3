#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"

/// What tests of rounds and evaluations tell these, and are told.
namespace fl::test {

inline constexpr Timestamp start{Milliseconds(1'000'000)};

inline Timestamp after(int seconds) {
  return start + std::chrono::seconds(seconds);
}

/// The actions of one kind, of a round or an evaluation.
template <typename Action, typename Actions>
std::vector<Action> all(const Actions& actions) {
  std::vector<Action> found;
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<Action>(&action)) found.push_back(*one);
  }
  return found;
}

/// Who is made this kind of offer.
template <typename Offer, typename Actions>
std::vector<std::string> devices_of(const Actions& actions) {
  std::vector<std::string> devices;
  for (const Offer& offer : all<Offer>(actions)) devices.push_back(offer.device);
  return devices;
}

}  // namespace fl::test
