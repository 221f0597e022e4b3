#include "client/agent/controls.h"

#include <algorithm>
#include <limits>
#include <string>

#include "client/agent/describe.h"
#include "client/store/control_store.h"
#include "common/base/error.h"
#include "common/model/finite.h"

namespace fl::client {
namespace {

Weights servers_control(const Offer& offer, const ModelStore& store) {
  Weights control(offer.control_elements, 0.0F);
  if (offer.control) store.read_control(*offer.control, control);
  if (first_outside(control, std::numeric_limits<float>::max()))
    throw Error(ErrorCode::invalid_data, "the server's control variate is not finite");
  return control;
}

}  // namespace

Controls::Controls(const Offer& offer, const ModelStore& store, const Layout& layout)
    : max_change_(offer.max_control) {
  const std::size_t trained = layout.trained_size();
  if (offer.control_elements != trained) {
    throw Error(ErrorCode::failed_precondition, "the server's control variate has " +
                                                    std::to_string(offer.control_elements) +
                                                    " elements, the model trains " + std::to_string(trained));
  }
  server_ = servers_control(offer, store);
  own_ = ControlStore(store.folder(), layout.hash()).read(trained);
  correction_.resize(trained);
  std::transform(server_.begin(), server_.end(), own_.begin(), correction_.begin(),
                 [](float server, float own) { return server - own; });
}

void Controls::append_change(Weights& update, std::uint64_t steps, double rate) const {
  const double went = static_cast<double>(steps) * rate;
  update.reserve(update.size() + server_.size());
  for (std::size_t i = 0; i < server_.size(); ++i) {
    update.push_back(
        static_cast<float>(-static_cast<double>(server_[i]) - static_cast<double>(update[i]) / went));
  }
  const auto change = std::span<const float>(update).last(server_.size());
  const auto found = first_outside(change, max_change_);
  if (!found) return;
  throw Error(ErrorCode::invalid_data, "training changed the control variate by " +
                                           short_number(change[*found]) + ", the task allows " +
                                           short_number(max_change_) + "; the update is not sent");
}

Weights Controls::next(std::span<const float> decoded) const {
  const auto change = decoded.last(own_.size());
  Weights next(own_.size());
  std::transform(own_.begin(), own_.end(), change.begin(), next.begin(),
                 [](float own, float moved) { return own + moved; });
  return next;
}

}  // namespace fl::client
