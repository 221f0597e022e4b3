#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "common/base/clock.h"
#include "protocol/message.h"
#include "server/fleet/task_runner.h"

/// The messages a server sends, from what it knows.
namespace fl::server {

using MessageBuffer = flatbuffers::DetachedBuffer;

MessageBuffer welcome_message(std::uint16_t version, const std::vector<std::string>& features,
                              const std::vector<std::string>& tasks, Timestamp now);
MessageBuffer task_message(std::string_view task);
MessageBuffer keep_alive_message();
MessageBuffer refusal_message(wire::RefusalCode code, std::string_view sentence, bool closes);
/// Without the difference for a device that does not know what that is.
MessageBuffer version_message(const VersionRecord& version, bool with_difference);
MessageBuffer subscribed_message(std::string_view task, std::uint64_t version);
MessageBuffer offer_message(std::string_view task, const Work& work);
MessageBuffer later_message(std::string_view task, const Later& later);
MessageBuffer evaluation_offer_message(std::string_view task, const EvaluationWork& work);
MessageBuffer evaluation_reply_message(const Verdict& verdict);
MessageBuffer go_message(std::uint64_t offset, bool compress);
MessageBuffer reply_message(const Verdict& verdict);
MessageBuffer transfer_message(std::uint64_t length, std::uint64_t offset);
MessageBuffer enrolled_message(std::string_view device, ByteView certificate, ByteView signing_key);
MessageBuffer renewed_message(ByteView certificate);

/// A device's sentence as log and ledger can hold it: at most 256 bytes of text without control characters.
std::string readable(std::string_view sentence);

/// The metrics' name for an update's bytes.
Transfer transfer_of(Encoding encoding);
/// Of a message whose hashes have 32 bytes.
Announcement announcement_from(const wire::UpdateAnnounce& message, const std::string& device);
Report report_from(const wire::EvaluationReport& message, const std::string& device);

}  // namespace fl::server
