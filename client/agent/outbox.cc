#include "client/agent/outbox.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <system_error>
#include <utility>

#include "client/agent/messages.h"
#include "client/store/model_store.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_data, what);
}

Bytes read_part(const FileDescriptor& file, std::uint64_t offset, std::uint64_t bytes,
                const std::filesystem::path& path) {
  Bytes part(bytes);
  read_at(file, offset, part, path);
  return part;
}

std::shared_ptr<const FinishedUpdate> read_update(const std::filesystem::path& path) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  const std::uint64_t size = std::filesystem::file_size(path);
  std::uint32_t announced = 0;
  read_at(file, 0, std::as_writable_bytes(std::span(&announced, 1)), path);
  const std::uint64_t begin = sizeof announced + std::uint64_t{announced};
  if (announced > limits::message_bytes || begin > size) refuse("it is cut off");
  const Bytes text = read_part(file, sizeof announced, announced, path);
  const wire::Message* const message = wire::verified_message(text);
  const wire::UpdateAnnounce* const announce =
      message == nullptr ? nullptr : message->body_as_UpdateAnnounce();
  if (announce == nullptr) refuse("it holds no announcement");
  auto update = std::make_shared<FinishedUpdate>(update_from(*announce));
  update->bytes = read_part(file, begin, size - begin, path);
  if (update->task != path.filename()) refuse("it is another task's");
  if (update->bytes.size() != announce->length() || sha256(update->bytes) != update->hash)
    refuse("its bytes are not those of the update");
  update->deadline = std::chrono::steady_clock::now();
  return update;
}

}  // namespace

Outbox::Outbox(std::filesystem::path folder) : folder_(std::move(folder)) {}

void Outbox::put(const FinishedUpdate& update) const {
  make_private_folder(folder_);
  const flatbuffers::DetachedBuffer announcement = announce_message(update);
  const auto length = static_cast<std::uint32_t>(announcement.size());
  FileDraft file(folder_ / update.task, FileMode::secret);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(wire::as_bytes(announcement));
  file.write(update.bytes);
  file.commit();
}

void Outbox::remove(const std::string& task) const {
  std::error_code ignored;  // what stays is announced once more, and settled again
  if (ModelStore::is_task_name(task)) std::filesystem::remove(folder_ / task, ignored);
}

Outbox::Contents Outbox::contents() const {
  Contents contents;
  std::error_code ended;
  std::filesystem::directory_iterator entry(folder_, ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    const std::filesystem::path path = entry->path();
    try {
      if (ModelStore::is_task_name(path.filename().string())) {
        contents.updates.push_back(read_update(path));
        continue;
      }
    } catch (const Error& error) {
      contents.troubles.push_back("the update in " + path.string() + " is given up: " + error.what());
    }
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  return contents;
}

}  // namespace fl::client
