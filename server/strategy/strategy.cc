#include "server/strategy/strategy.h"

#include <string>

#include "common/base/error.h"
#include "server/strategy/federated_averaging.h"

namespace fl::server {

std::unique_ptr<Strategy> make_strategy(std::string_view name) {
  if (name == "fedavg") return std::make_unique<FederatedAveraging>();
  throw Error(ErrorCode::invalid_argument,
              "strategy '" + std::string(name) + "' is unknown; the known strategy is fedavg");
}

}  // namespace fl::server
