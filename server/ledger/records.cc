#include "server/ledger/records.h"

namespace fl::server {

std::string_view name(RoundState state) {
  switch (state) {
    case RoundState::committed:
      return "committed";
    case RoundState::abandoned:
      return "abandoned";
    default:
      return "open";
  }
}

std::string_view name(ParticipantState state) {
  switch (state) {
    case ParticipantState::accepted:
      return "accepted";
    case ParticipantState::refused:
      return "refused";
    case ParticipantState::declined:
      return "declined";
    case ParticipantState::late:
      return "late";
    case ParticipantState::dropped:
      return "dropped";
    case ParticipantState::surplus:
      return "surplus";
    default:
      return "selected";
  }
}

}  // namespace fl::server
