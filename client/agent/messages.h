#pragma once

#include <cstdint>
#include <string>

#include <flatbuffers/flatbuffers.h>

#include "client/agent/agenda.h"
#include "client/agent/work.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "protocol/message.h"

/// The device's half of fl/1: what it says, and what it makes of what it hears. Pure.
namespace fl::client {

flatbuffers::DetachedBuffer hello_message();
flatbuffers::DetachedBuffer keep_alive_message();
flatbuffers::DetachedBuffer subscribe_message(const std::string& task, std::uint64_t held_version);
flatbuffers::DetachedBuffer fetch_message(const Digest& hash, std::uint64_t offset);
flatbuffers::DetachedBuffer declined_message(const Decline& decline);
flatbuffers::DetachedBuffer work_request_message(const std::string& task, std::uint64_t version,
                                                 std::uint64_t examples);
flatbuffers::DetachedBuffer announce_message(const FinishedUpdate& update);
/// The inverse, but for the bytes and the deadline. Throws Error(invalid_data) where a field is none.
FinishedUpdate update_from(const wire::UpdateAnnounce& message);
/// Of a test on at least one example.
flatbuffers::DetachedBuffer report_message(const EvaluationOffer& offer, const Evaluation& evaluation);
flatbuffers::DetachedBuffer renew_message(ByteView certificate_request);
flatbuffers::DetachedBuffer enrol_message(ByteView token, ByteView certificate_request,
                                          const std::string& name);

/// Throws Error(protocol) where the signature has not 64 bytes.
Notice notice_from(const wire::VersionNotice& message);
/// Throws Error(protocol) naming what of the offer no device could do.
Offer offer_from(const wire::WorkOffer& message, Moment now);
EvaluationOffer evaluation_offer_from(const wire::EvaluationOffer& message, Moment now);
/// What a refusal means to the agent: revoked and token are unauthenticated, internal unavailable,
/// version failed_precondition, not_found not_found, the others protocol.
Error error_from(const wire::Refusal& refusal);
/// What to do about an update's outcome.
Settlement settlement_of(wire::Outcome outcome);
/// A sentence of the peer's, within limits and without control characters, for logs.
std::string sentence_of(const flatbuffers::String* sentence);

}  // namespace fl::client
