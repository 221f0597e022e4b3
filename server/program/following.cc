#include "server/program/following.h"

#include <chrono>
#include <thread>

namespace fl::server {
namespace {

constexpr std::chrono::milliseconds between_looks{200};
constexpr double shortest_timeout = 0.001;

}  // namespace

program::Options& add_following(program::Options& options) {
  return options.flag("follow", "go on and print what comes as it comes")
      .value("until-round", "N", "with --follow: end after round N")
      .value("timeout", "SECONDS", "with --follow: fail where the end has not come by then");
}

Following following_of(const program::Arguments& arguments) {
  Following following;
  following.follow = arguments.has("follow");
  for (const char* name : {"until-round", "timeout"}) {
    if (arguments.has(name) && !following.follow) {
      throw program::UsageError("--" + std::string(name) + " needs --follow");
    }
  }
  if (arguments.has("until-round")) {
    following.until_round = static_cast<std::uint64_t>(arguments.integer("until-round", 1));
  }
  if (arguments.has("timeout")) following.timeout_seconds = arguments.number("timeout", shortest_timeout);
  return following;
}

void look_and_follow(const Following& following, const std::function<bool()>& look) {
  const auto begun = std::chrono::steady_clock::now();
  while (look() && following.follow) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
    if (following.timeout_seconds > 0.0 && passed.count() > following.timeout_seconds) {
      throw Error(ErrorCode::timeout, "the end has not come within the seconds of --timeout");
    }
    std::this_thread::sleep_for(between_looks);
  }
}

}  // namespace fl::server
