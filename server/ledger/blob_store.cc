#include "server/ledger/blob_store.h"

#include <fcntl.h>
#include <system_error>

#include "common/base/error.h"

namespace fl::server {
namespace {

constexpr const char* draft_name = "draft";

}  // namespace

void BlobStore::remove_drafts() {
  std::error_code ended;
  std::filesystem::directory_iterator entry(folder_, ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    const std::string name = entry->path().filename().string();
    const bool is_draft = name.starts_with(draft_name) || name.find(".tmp.") != std::string::npos;
    if (is_draft) remove_if_possible(entry->path(), disk_);
  }
}

BlobDraft::BlobDraft(const BlobStore& blobs)
    : folder_(blobs.folder_), file_(folder_ / draft_name, FileMode::secret, blobs.disk_) {}

void BlobDraft::write(ByteView piece) {
  file_.write(piece);
  running_.update(piece);
}

Digest BlobDraft::commit() {
  const Digest digest = running_.finish();
  file_.commit_as(folder_ / digest.hex());
  return digest;
}

BlobStore::BlobStore(std::filesystem::path folder, Disk& disk) : folder_(std::move(folder)), disk_(disk) {
  make_private_folder(folder_, disk_);
}

std::filesystem::path BlobStore::path(const Digest& digest) const {
  return folder_ / digest.hex();
}

bool BlobStore::contains(const Digest& digest) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path(digest), ignored);
}

Digest BlobStore::put(ByteView content) {
  const Digest digest = sha256(content);
  if (contains(digest)) {  // put there, perhaps, by a process that ended before it was durable
    disk_.sync(disk_.open(path(digest), O_RDONLY, FileMode::secret), path(digest));
    disk_.sync_folder(folder_);
  } else {
    write_file_atomically(path(digest), content, FileMode::secret, disk_);
  }
  return digest;
}

Bytes BlobStore::get(const Digest& digest) const {
  Bytes content = read_file(path(digest));
  if (sha256(content) != digest) {
    throw Error(ErrorCode::invalid_data,
                path(digest).string() + " does not hold what its name says; restore it from a backup");
  }
  return content;
}

void BlobStore::remove(const Digest& digest) {
  remove_if_possible(path(digest), disk_);
}

}  // namespace fl::server
